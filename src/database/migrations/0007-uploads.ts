import type { Migration } from './migration.ts';

const statements = [
  // How many bytes of an upload are there is known by the blob store alone; here stands what they will be, and how long they are waited for.
  `CREATE TABLE "uploads" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL,
    "kind" TEXT NOT NULL CHECK ("kind" IN ('file', 'partial', 'final')), "state" TEXT NOT NULL CHECK ("state" IN ('open', 'stored', 'ended')),
    "length" INTEGER, "reservedBytes" INTEGER NOT NULL, "metadata" TEXT, "concatenation" TEXT, "createdAt" INTEGER NOT NULL,
    "expiresAt" INTEGER NOT NULL)`,
  `CREATE INDEX "uploadsByOwner" ON "uploads" ("tenantId", "ownerId")`,
  `CREATE INDEX "uploadsByExpiry" ON "uploads" ("expiresAt")`,
];

/** Uploads that can be resumed. */
export const migration0007: Migration = { version: 7, name: 'uploads', statements };
