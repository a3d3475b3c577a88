import type { Migration } from './migration.ts';

const statements = [
  // The bytes of a file are in the blob store under its id; a stored file never points to bytes that are not there.
  `CREATE TABLE "files" (
    "position" INTEGER PRIMARY KEY AUTOINCREMENT, "id" TEXT NOT NULL UNIQUE, "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL,
    "senderId" TEXT NOT NULL, "name" TEXT NOT NULL, "nameKey" TEXT NOT NULL, "title" TEXT, "description" TEXT, "category" TEXT,
    "language" TEXT, "provider" TEXT, "rolesJson" TEXT NOT NULL, "folderId" TEXT,
    "visibility" TEXT NOT NULL CHECK ("visibility" IN ('private', 'tenant', 'public')), "type" TEXT NOT NULL, "size" INTEGER NOT NULL,
    "sha256" TEXT NOT NULL, "state" TEXT NOT NULL CHECK ("state" IN ('expected', 'checking', 'stored', 'rejected', 'trashed')),
    "reason" TEXT, "downloads" INTEGER NOT NULL, "createdAt" INTEGER NOT NULL, "updatedAt" INTEGER NOT NULL, "trashedAt" INTEGER)`,
  `CREATE INDEX "filesByName" ON "files" ("ownerId", "nameKey", "id")`,
  `CREATE INDEX "filesByFolder" ON "files" ("folderId") WHERE "folderId" IS NOT NULL`,
  `CREATE INDEX "filesTrashed" ON "files" ("trashedAt") WHERE "trashedAt" IS NOT NULL`,
  `CREATE INDEX "filesExpected" ON "files" ("createdAt") WHERE "state" IN ('expected', 'checking', 'rejected')`,
  `CREATE TABLE "folders" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "parentId" TEXT, "name" TEXT NOT NULL, "nameKey" TEXT NOT NULL,
    "lockHash" TEXT, "createdAt" INTEGER NOT NULL, "updatedAt" INTEGER NOT NULL)`,
  `CREATE INDEX "foldersByOwner" ON "folders" ("ownerId", "id")`,
  `CREATE INDEX "foldersByParent" ON "folders" ("parentId") WHERE "parentId" IS NOT NULL`,
  `CREATE INDEX "foldersLocked" ON "folders" ("tenantId") WHERE "lockHash" IS NOT NULL`,
  // What the files of a person take, and with an empty owner those of the whole tenant.
  `CREATE TABLE "fileUsage" (
    "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "files" INTEGER NOT NULL, "bytes" INTEGER NOT NULL,
    PRIMARY KEY ("tenantId", "ownerId")) WITHOUT ROWID`,
  // Bytes whose row is gone: written in the transaction that removes the row, so that none are forgotten. A key that something may still be
  // written under is there twice, the second time due a little later.
  `CREATE TABLE "blobRemovals" ("blobKey" TEXT NOT NULL, "dueAt" INTEGER NOT NULL, PRIMARY KEY ("blobKey", "dueAt")) WITHOUT ROWID`,
  `CREATE INDEX "blobRemovalsDue" ON "blobRemovals" ("dueAt")`,
  // Files that are gone for good and have a trace yet: where their owner's account goes, it keeps ids only.
  `CREATE TABLE "endedFiles" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "endedAt" INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE INDEX "endedFilesByOwner" ON "endedFiles" ("ownerId")`,
  `CREATE INDEX "endedFilesByEnd" ON "endedFiles" ("endedAt")`,
];

/** Files, folders, what they take, and the bytes that are to be removed. */
export const migration0006: Migration = { version: 6, name: 'files', statements };
