import type { Generated } from 'kysely';

// The tables of the module `files`. Times are milliseconds since 1970 (UTC), `…Json` columns hold JSON text.

/** A sign, in its parts. */
type Signed = Record<`s${number}`, number>;

export interface FileRow {
  /** The order in which files were made; the search index knows a file by it. */
  position: Generated<number>;
  id: string;
  tenantId: string;
  /** The person whom it belongs to, or the service that sent it. */
  ownerId: string;
  /** Who sent it: its owner, or a device of its owner. */
  senderId: string;
  name: string;
  /** The name as compared: NFC. */
  nameKey: string;
  title: string | null;
  description: string | null;
  category: string | null;
  language: string | null;
  provider: string | null;
  /** The audiences that it is meant for; all where there are none. */
  rolesJson: string;
  folderId: string | null;
  visibility: 'private' | 'tenant' | 'public';
  /** Of an expected file what was declared; empty where nothing was. */
  type: string;
  /** Of an expected file what was declared; 0 where nothing was. */
  size: number;
  /** Lower-case hexadecimal; of an expected file what was declared, else empty. */
  sha256: string;
  state: 'expected' | 'checking' | 'stored' | 'rejected' | 'trashed';
  /** Why it was rejected. */
  reason: string | null;
  downloads: number;
  createdAt: number;
  updatedAt: number;
  trashedAt: number | null;
  /** The words that it is found by, of its name, title and description; see `search-words.ts`. */
  words: string;
}

/** What files are found by: an index of terms, not a table that can be read. Its rowid is a file's position. */
export interface FileSearchRow {
  rowid: number;
  terms: string;
}

/** The terms of that index. */
export interface FileTermRow {
  term: string;
}

/** A file's place in the order of names (`isBySize` 0) or sizes (1), with the sign of its terms. */
export interface FileOrderRow extends Signed {
  isBySize: 0 | 1;
  key: string | number;
  position: number;
}

/** A stretch of such an order, with the signs of its files laid over each other. */
export interface FileStretchRow extends Signed {
  id: number;
  isBySize: 0 | 1;
  fromKey: string | number;
  fromPosition: number;
  toKey: string | number;
  toPosition: number;
  amount: number;
}

/** Counts of stored files, by who sees them, day and dimension. */
export interface FileStatRow {
  tenantId: string;
  /** Empty for the files of all owners. */
  ownerId: string;
  /** `open` to all of the tenant, `private`, or the audiences as JSON. Of an owner only those that are not open. */
  audience: string;
  /** Those of owners are of days alone. */
  span: 'day' | 'month';
  /** Days since 1970 (UTC) on which they were made; of a month its first. */
  day: number;
  dimension: 'total' | 'provider' | 'category' | 'language' | 'role' | 'type';
  /** The value; empty for `total`. */
  key: string;
  files: number;
  bytes: number;
  downloads: number;
}

/** A folder of its owner; a tree. */
export interface FolderRow {
  id: string;
  tenantId: string;
  ownerId: string;
  parentId: string | null;
  name: string;
  /** The name as compared: NFC. */
  nameKey: string;
  /** An argon2id string with its parameters; null where it is not locked. */
  lockHash: string | null;
  createdAt: number;
  updatedAt: number;
}

/** What an owner's files take, trashed and expected ones included; with an empty owner those of the whole tenant. */
export interface FileUsageRow {
  tenantId: string;
  ownerId: string;
  files: number;
  bytes: number;
}

/** Bytes whose row is gone and that are to be removed, from `dueAt` on. */
export interface BlobRemovalRow {
  blobKey: string;
  dueAt: number;
}

/** A file that is gone for good; its trace is still there. */
export interface EndedFileRow {
  id: string;
  tenantId: string;
  ownerId: string;
  endedAt: number;
}

/** One download: what was fetched, as it was then, by whom. */
export interface AccessRow {
  id: string;
  tenantId: string;
  /** Whose file it was. */
  ownerId: string;
  fileId: string;
  /** Where the file was. */
  folderId: string | null;
  name: string;
  /** The person (or service) who fetched it; null where nobody had to say who it is. */
  personId: string | null;
  how: 'content' | 'link' | 'share' | 'public';
  /** Null once the account of who fetched it is deleted. */
  address: string | null;
  userAgent: string | null;
  /** How many the answer had. */
  bytes: number;
  provider: string | null;
  language: string | null;
  rolesJson: string;
  at: number;
}

/** An access, once for each audience that the file was meant for. */
export interface AccessRoleRow {
  ownerId: string;
  role: string;
  accessId: string;
  tenantId: string;
}

/** What signs links to files during one period. */
export interface LinkKeyRow {
  /** Counted from 1970. */
  period: number;
  /** Sealed with the secret key. */
  sealedKey: string;
  createdAt: number;
  /** No link that it signed is good after this. */
  expiresAt: number;
}

/** An upload that can be resumed. One of a file has the id of the file, whose row stands beside it. */
export interface UploadRow {
  id: string;
  tenantId: string;
  ownerId: string;
  /** `file`: bytes come for a file; `partial`: for a part of one; `final`: a file that is put together from parts. */
  kind: 'file' | 'partial' | 'final';
  /** `stored`: its file is kept; `ended`: it was given up, refused or used. Both are remembered until `expiresAt`. */
  state: 'open' | 'stored' | 'ended';
  /** How many bytes there will be; null while that is not known. */
  length: number | null;
  /** Of a partial upload the room that is held for it; that of others is held by the row of their file. */
  reservedBytes: number;
  /** `Upload-Metadata` and `Upload-Concat` as they were sent. */
  metadata: string | null;
  concatenation: string | null;
  createdAt: number;
  /** Moved on whenever bytes come. */
  expiresAt: number;
}

/** A file that came to the counts or left them, or was given out, and is not added to them yet. */
export interface FileStatChangeRow {
  seq: Generated<number>;
  tenantId: string;
  ownerId: string;
  audience: string;
  rolesJson: string;
  day: number;
  provider: string | null;
  category: string | null;
  language: string | null;
  type: string;
  files: number;
  bytes: number;
  downloads: number;
}

export interface FileTables {
  files: FileRow;
  folders: FolderRow;
  fileUsage: FileUsageRow;
  fileSearch: FileSearchRow;
  fileTerms: FileTermRow;
  fileOrders: FileOrderRow;
  fileStretches: FileStretchRow;
  fileStats: FileStatRow;
  fileStatChanges: FileStatChangeRow;
  blobRemovals: BlobRemovalRow;
  uploads: UploadRow;
  endedFiles: EndedFileRow;
  accesses: AccessRow;
  accessRoles: AccessRoleRow;
  linkKeys: LinkKeyRow;
}
