import type { Migration } from './migration.ts';

const statements = [
  `ALTER TABLE "tenants" ADD COLUMN "confirmEmail" INTEGER NOT NULL DEFAULT 0`,
  `ALTER TABLE "tenants" ADD COLUMN "signUp" TEXT NOT NULL DEFAULT 'open' CHECK ("signUp" IN ('open', 'closed'))`,
  `ALTER TABLE "tenants" ADD COLUMN "quotaPerson" INTEGER`,
  `ALTER TABLE "tenants" ADD COLUMN "quotaTenant" INTEGER`,
  `ALTER TABLE "tenants" ADD COLUMN "updatedAt" INTEGER NOT NULL DEFAULT 0`,
  `ALTER TABLE "people" ADD COLUMN "pendingEmail" TEXT`,
  `CREATE INDEX "tenantsByChange" ON "tenants" ("updatedAt")`,
  `CREATE INDEX "tenantsSuspended" ON "tenants" ("id") WHERE "state" = 'suspended'`,
  `CREATE INDEX "peopleByChange" ON "people" ("updatedAt")`,
  `CREATE TABLE "takenNames" ("nameHash" TEXT PRIMARY KEY) WITHOUT ROWID`,
  `CREATE TABLE "foreignPeople" (
    "issuer" TEXT NOT NULL, "subjectHash" TEXT NOT NULL, "personId" TEXT NOT NULL, "createdAt" INTEGER NOT NULL,
    PRIMARY KEY ("issuer", "subjectHash")) WITHOUT ROWID`,
  `CREATE INDEX "foreignPeopleByPerson" ON "foreignPeople" ("personId")`,

  `ALTER TABLE "sessions" ADD COLUMN "personId" TEXT`,
  `ALTER TABLE "sessions" ADD COLUMN "clientId" TEXT`,
  `ALTER TABLE "sessions" ADD COLUMN "scopesJson" TEXT`,
  `ALTER TABLE "sessions" ADD COLUMN "endsAt" INTEGER`,
  `CREATE INDEX "sessionsByPerson" ON "sessions" ("personId") WHERE "personId" IS NOT NULL`,

  `CREATE TABLE "devices" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "personId" TEXT NOT NULL, "deviceId" TEXT NOT NULL UNIQUE, "name" TEXT,
    "createdAt" INTEGER NOT NULL, "lastUsedAt" INTEGER NOT NULL)`,
  `CREATE INDEX "devicesByPerson" ON "devices" ("personId", "id")`,
  `CREATE TABLE "pairings" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "personId" TEXT NOT NULL, "deviceId" TEXT NOT NULL, "name" TEXT, "pinHash" TEXT NOT NULL,
    "triesLeft" INTEGER NOT NULL, "createdAt" INTEGER NOT NULL, "expiresAt" INTEGER NOT NULL, "usedAt" INTEGER)`,
  `CREATE INDEX "pairingsByDevice" ON "pairings" ("deviceId", "id")`,
  `CREATE INDEX "pairingsByPerson" ON "pairings" ("personId")`,
  `CREATE INDEX "pairingsByExpiry" ON "pairings" ("expiresAt")`,
  `CREATE TABLE "deviceAuthorizations" (
    "deviceCodeHash" TEXT PRIMARY KEY, "userCodeHash" TEXT NOT NULL UNIQUE, "clientId" TEXT NOT NULL, "scopesJson" TEXT,
    "state" TEXT NOT NULL CHECK ("state" IN ('pending', 'approved', 'denied', 'used')), "tenantId" TEXT, "personId" TEXT,
    "intervalMs" INTEGER NOT NULL, "polledAt" INTEGER, "createdAt" INTEGER NOT NULL, "expiresAt" INTEGER NOT NULL)`,
  `CREATE INDEX "deviceAuthorizationsByExpiry" ON "deviceAuthorizations" ("expiresAt")`,
  `CREATE INDEX "deviceAuthorizationsByPerson" ON "deviceAuthorizations" ("personId") WHERE "personId" IS NOT NULL`,

  `CREATE TABLE "mailTokens" (
    "tokenHash" TEXT PRIMARY KEY, "purpose" TEXT NOT NULL CHECK ("purpose" IN ('confirm', 'reset')), "tenantId" TEXT NOT NULL,
    "personId" TEXT NOT NULL, "createdAt" INTEGER NOT NULL, "expiresAt" INTEGER NOT NULL)`,
  `CREATE INDEX "mailTokensByPerson" ON "mailTokens" ("personId")`,
  `CREATE INDEX "mailTokensByExpiry" ON "mailTokens" ("expiresAt")`,
  `CREATE TABLE "mails" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "personId" TEXT, "sealedMail" TEXT NOT NULL, "attempts" INTEGER NOT NULL,
    "nextAt" INTEGER NOT NULL, "createdAt" INTEGER NOT NULL, "expiresAt" INTEGER NOT NULL)`,
  `CREATE INDEX "mailsDue" ON "mails" ("nextAt")`,
  `CREATE INDEX "mailsByPerson" ON "mails" ("personId") WHERE "personId" IS NOT NULL`,
  `CREATE TABLE "removals" (
    "subject" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "kind" TEXT NOT NULL, "createdAt" INTEGER NOT NULL)`,
];

/** People, devices and tenants in full: mail, pairing, foreign people, sessions with limits of their own. */
export const migration0002: Migration = { version: 2, name: 'identity', statements };
