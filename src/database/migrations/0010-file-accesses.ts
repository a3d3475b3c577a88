import type { Migration } from './migration.ts';

const statements = [
  // Who fetched what. Ids sort by time, so each index gives the newest first and times are stretches of it. What files say of themselves is
  // copied: it is about the file as it was fetched, also when it is changed or gone.
  `CREATE TABLE "accesses" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "ownerId" TEXT NOT NULL, "fileId" TEXT NOT NULL, "folderId" TEXT, "name" TEXT NOT NULL,
    "personId" TEXT, "how" TEXT NOT NULL CHECK ("how" IN ('content', 'link', 'share', 'public')), "address" TEXT, "userAgent" TEXT,
    "bytes" INTEGER NOT NULL, "provider" TEXT, "language" TEXT, "rolesJson" TEXT NOT NULL, "at" INTEGER NOT NULL) WITHOUT ROWID`,
  `CREATE INDEX "accessesOfTenant" ON "accesses" ("tenantId", "id")`,
  `CREATE INDEX "accessesOfOwner" ON "accesses" ("ownerId", "id")`,
  `CREATE INDEX "accessesOfFile" ON "accesses" ("fileId", "id")`,
  `CREATE INDEX "accessesOfPerson" ON "accesses" ("personId", "id") WHERE "personId" IS NOT NULL`,
  `CREATE INDEX "accessesOfTenantByProvider" ON "accesses" ("tenantId", "provider", "id") WHERE "provider" IS NOT NULL`,
  `CREATE INDEX "accessesOfOwnerByProvider" ON "accesses" ("ownerId", "provider", "id") WHERE "provider" IS NOT NULL`,
  `CREATE INDEX "accessesOfTenantByLanguage" ON "accesses" ("tenantId", "language", "id") WHERE "language" IS NOT NULL`,
  `CREATE INDEX "accessesOfOwnerByLanguage" ON "accesses" ("ownerId", "language", "id") WHERE "language" IS NOT NULL`,
  // One row for each audience that the fetched file was meant for.
  `CREATE TABLE "accessRoles" (
    "ownerId" TEXT NOT NULL, "role" TEXT NOT NULL, "accessId" TEXT NOT NULL, "tenantId" TEXT NOT NULL,
    PRIMARY KEY ("ownerId", "role", "accessId")) WITHOUT ROWID`,
  `CREATE INDEX "accessRolesOfTenant" ON "accessRoles" ("tenantId", "role", "accessId")`,
  // What signs links to files, sealed; one key for each period, whoever makes it first.
  `CREATE TABLE "linkKeys" ("period" INTEGER PRIMARY KEY, "sealedKey" TEXT NOT NULL, "createdAt" INTEGER NOT NULL, "expiresAt" INTEGER NOT NULL)`,
];

/** Who fetched what, and the keys that sign links. */
export const migration0010: Migration = { version: 10, name: 'file-accesses', statements };
