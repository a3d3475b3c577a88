import type { Generated } from 'kysely';

// The tables of the module `files`. Times are milliseconds since 1970 (UTC), `…Json` columns hold JSON text.

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

export interface FileTables {
  files: FileRow;
  folders: FolderRow;
  fileUsage: FileUsageRow;
  blobRemovals: BlobRemovalRow;
  uploads: UploadRow;
  endedFiles: EndedFileRow;
}
