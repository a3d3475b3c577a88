import type { Migration } from './migration.ts';

const statements = [
  `CREATE TABLE "shares" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "tokenHash" TEXT NOT NULL UNIQUE, "fileId" TEXT,
    "folderId" TEXT, "passwordHash" TEXT, "expiresAt" INTEGER, "maxDownloads" INTEGER, "downloads" INTEGER NOT NULL,
    "createdAt" INTEGER NOT NULL, "endedAt" INTEGER, CHECK (("fileId" IS NULL) <> ("folderId" IS NULL)))`,
  `CREATE INDEX "sharesByOwner" ON "shares" ("ownerId", "id")`,
  `CREATE INDEX "sharesByFile" ON "shares" ("fileId") WHERE "fileId" IS NOT NULL`,
  `CREATE INDEX "sharesByFolder" ON "shares" ("folderId") WHERE "folderId" IS NOT NULL`,
  `CREATE INDEX "sharesByEnd" ON "shares" ("endedAt") WHERE "endedAt" IS NOT NULL`,
  // Downloads that were counted: whoever began one may go on with it, for as many bytes as are left.
  `CREATE TABLE "shareDownloads" (
    "shareId" TEXT NOT NULL, "opening" TEXT NOT NULL, "fileId" TEXT NOT NULL, "expiresAt" INTEGER NOT NULL,
    "bytesLeft" INTEGER NOT NULL, PRIMARY KEY ("shareId", "opening", "fileId")) WITHOUT ROWID`,
  `CREATE INDEX "shareDownloadsByExpiry" ON "shareDownloads" ("expiresAt")`,
];

/** Files and folders that their owner shares with whoever has the address. */
export const migration0009: Migration = { version: 9, name: 'shares', statements };
