import type { Migration } from './migration.ts';

const signParts = 8;
const signs = Array.from({ length: signParts }, (_, part) => `"s${part}" INTEGER NOT NULL`).join(', ');

const statements = [
  `ALTER TABLE "files" ADD COLUMN "words" TEXT NOT NULL DEFAULT ''`,
  // Of each file (its "position" is the rowid) what it is found by: its words, and every value that a list is filtered by as a term that
  // begins with "=". Only lists of rowids: the row itself stays the truth, and what it is found by is derived from it.
  `CREATE VIRTUAL TABLE "fileSearch" USING fts5("terms", content = '', contentless_delete = 1, detail = none, prefix = '1 2', tokenize = "ascii tokenchars '='")`,
  // All files by name and by size, each with a sign of its terms: it tells of most files whether they are wanted, and the row need not be
  // read. "key" is the name, or the size. Keys and positions have no type: an index compares columns of such in pairs.
  `CREATE TABLE "fileOrders" (
    "isBySize" INTEGER NOT NULL, "key" NOT NULL, "position" NOT NULL, ${signs}, PRIMARY KEY ("isBySize", "key", "position")) WITHOUT ROWID`,
  // Stretches of these orders, some hundred files each, with the signs of all that came into them laid over each other: where none of them
  // can be wanted the whole stretch is left out. From the first place to the second, which is not part of it. "amount" counts what came.
  `CREATE TABLE "fileStretches" (
    "id" INTEGER PRIMARY KEY, "isBySize" INTEGER NOT NULL, "fromKey" NOT NULL, "fromPosition" NOT NULL, "toKey" NOT NULL,
    "toPosition" NOT NULL, "amount" INTEGER NOT NULL, ${signs}, UNIQUE ("isBySize", "fromKey", "fromPosition"))`,
  // In the beginning one of each, from before every key to behind every key: bytes come behind numbers and texts.
  `INSERT INTO "fileStretches" SELECT NULL, "value", -1, 0, x'', 0, 0${', 0'.repeat(signParts)} FROM json_each('[0, 1]')`,
  `CREATE INDEX "fileStretchesLarge" ON "fileStretches" ("id") WHERE "amount" > 512`,
  // The terms themselves, in their order.
  `CREATE VIRTUAL TABLE "fileTerms" USING fts5vocab('fileSearch', 'row')`,
  // Merged in small steps: never a large merge within one upload.
  `INSERT INTO "fileSearch" ("fileSearch", "rank") VALUES ('automerge', 8), ('crisismerge', 64)`,
  // Counts of stored files by the day (UTC) on which they were made. With an empty "ownerId" those of all owners; "audience" tells who
  // sees them: 'open' everybody of the tenant, 'private' the owner, else the audiences as JSON. Of an owner those that are not open. Of all
  // owners those of whole months as well, by their first day: a year of days has thirty times as many rows.
  `CREATE TABLE "fileStats" (
    "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "span" TEXT NOT NULL, "day" INTEGER NOT NULL, "audience" TEXT NOT NULL,
    "dimension" TEXT NOT NULL, "key" TEXT NOT NULL, "files" INTEGER NOT NULL, "bytes" INTEGER NOT NULL, "downloads" INTEGER NOT NULL,
    PRIMARY KEY ("tenantId", "ownerId", "span", "day", "audience", "dimension", "key")) WITHOUT ROWID`,
  `CREATE INDEX "fileStatsEmpty" ON "fileStats" ("tenantId") WHERE "files" = 0`,
  // What is still to be added to them, in order.
  `CREATE TABLE "fileStatChanges" (
    "seq" INTEGER PRIMARY KEY, "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "audience" TEXT NOT NULL, "rolesJson" TEXT NOT NULL,
    "day" INTEGER NOT NULL, "provider" TEXT, "category" TEXT, "language" TEXT, "type" TEXT NOT NULL, "files" INTEGER NOT NULL,
    "bytes" INTEGER NOT NULL, "downloads" INTEGER NOT NULL)`,
];

/** How files are found, and how they are counted. */
export const migration0008: Migration = { version: 8, name: 'catalogue', statements };
