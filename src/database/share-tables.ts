// The tables of shares. Times are milliseconds since 1970 (UTC).

/** A file, or a folder, that whoever has the token may fetch. */
export interface ShareRow {
  id: string;
  tenantId: string;
  ownerId: string;
  /** The token is in the address of the share, and nowhere here. */
  tokenHash: string;
  /** Exactly one of the two. */
  fileId: string | null;
  folderId: string | null;
  /** An argon2id string with its parameters; null where whoever has the address is let in. */
  passwordHash: string | null;
  expiresAt: number | null;
  maxDownloads: number | null;
  downloads: number;
  createdAt: number;
  /** Its owner ended it, or what it shared was deleted. The row stays as long as traces do, to tell that it is over. */
  endedAt: number | null;
}

/** A download that was counted, of one opening of a share. Remembered as long as the token of that opening is good. */
export interface ShareDownloadRow {
  shareId: string;
  /** Names the opening; the token of it says so. */
  opening: string;
  fileId: string;
  expiresAt: number;
  /** How many bytes of the file that opening may still go on with before another download is counted. */
  bytesLeft: number;
}

export interface ShareTables {
  shares: ShareRow;
  shareDownloads: ShareDownloadRow;
}
