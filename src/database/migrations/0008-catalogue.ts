import type { Migration } from './migration.ts';

const statements = [
  `ALTER TABLE "files" ADD COLUMN "words" TEXT NOT NULL DEFAULT ''`,
  // In the order of each sort; ties are in the order of "position", which every index holds.
  `CREATE INDEX "filesInNameOrder" ON "files" ("nameKey")`,
  `CREATE INDEX "filesInSizeOrder" ON "files" ("size")`,
  // Of each file (its "position" is the rowid) what it is found by: its words, and every value that a list is filtered by as a term that
  // begins with "=". Only lists of rowids: the row itself stays the truth, and what it is found by is derived from it.
  `CREATE VIRTUAL TABLE "fileSearch" USING fts5("terms", content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '='")`,
  // The terms themselves, in their order.
  `CREATE VIRTUAL TABLE "fileTerms" USING fts5vocab('fileSearch', 'row')`,
  // Merged in small steps: never a large merge within one upload.
  `INSERT INTO "fileSearch" ("fileSearch", "rank") VALUES ('automerge', 8), ('crisismerge', 64)`,
  // Counts of stored files by the day (UTC) on which they were made. With an empty "ownerId" those of all owners; "audience" tells who
  // sees them: 'open' everybody of the tenant, 'private' the owner, else the audiences as JSON. Of an owner those that are not open.
  `CREATE TABLE "fileStats" (
    "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "audience" TEXT NOT NULL, "day" INTEGER NOT NULL, "dimension" TEXT NOT NULL,
    "key" TEXT NOT NULL, "files" INTEGER NOT NULL, "bytes" INTEGER NOT NULL, "downloads" INTEGER NOT NULL,
    PRIMARY KEY ("tenantId", "ownerId", "audience", "day", "dimension", "key")) WITHOUT ROWID`,
  `CREATE INDEX "fileStatsEmpty" ON "fileStats" ("tenantId") WHERE "files" = 0`,
  // What is still to be added to them, in order.
  `CREATE TABLE "fileStatChanges" (
    "seq" INTEGER PRIMARY KEY, "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "audience" TEXT NOT NULL, "rolesJson" TEXT NOT NULL,
    "day" INTEGER NOT NULL, "provider" TEXT, "category" TEXT, "language" TEXT, "type" TEXT NOT NULL, "files" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL, "downloads" INTEGER NOT NULL)`,
];

/** How files are found, and how they are counted. */
export const migration0008: Migration = { version: 8, name: 'catalogue', statements };
