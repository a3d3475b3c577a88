import type { Migration } from './migration.ts';

const statements = [
  `CREATE TABLE "tenants" (
    "id" TEXT PRIMARY KEY, "slug" TEXT NOT NULL UNIQUE, "name" TEXT NOT NULL,
    "state" TEXT NOT NULL CHECK ("state" IN ('active', 'suspended')), "createdAt" INTEGER NOT NULL)`,
  `INSERT INTO "tenants" ("id", "slug", "name", "state", "createdAt")
    VALUES ('ten_00000000000000000000000000', 'default', 'Default', 'active', 0)`,
  `CREATE TABLE "people" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL REFERENCES "tenants" ("id"), "username" TEXT NOT NULL, "usernameKey" TEXT NOT NULL UNIQUE,
    "passwordHash" TEXT NOT NULL, "email" TEXT, "displayName" TEXT,
    "role" TEXT NOT NULL CHECK ("role" IN ('viewer', 'member', 'admin', 'operator')), "rolesJson" TEXT NOT NULL,
    "state" TEXT NOT NULL CHECK ("state" IN ('active', 'unconfirmed')), "createdAt" INTEGER NOT NULL, "updatedAt" INTEGER NOT NULL)`,
  `CREATE INDEX "peopleByTenant" ON "people" ("tenantId", "id")`,
  `CREATE TABLE "services" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL REFERENCES "tenants" ("id"), "name" TEXT NOT NULL, "authId" TEXT NOT NULL UNIQUE,
    "scopesJson" TEXT NOT NULL, "createdAt" INTEGER NOT NULL, "updatedAt" INTEGER NOT NULL)`,
  `CREATE INDEX "servicesByTenant" ON "services" ("tenantId", "id")`,
  `CREATE TABLE "serviceSecrets" (
    "id" TEXT PRIMARY KEY, "serviceId" TEXT NOT NULL REFERENCES "services" ("id") ON DELETE CASCADE,
    "secretHash" TEXT NOT NULL, "createdAt" INTEGER NOT NULL, "lastUsedAt" INTEGER)`,
  `CREATE INDEX "serviceSecretsByService" ON "serviceSecrets" ("serviceId")`,
  `CREATE TABLE "sessions" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "callerId" TEXT NOT NULL,
    "callerKind" TEXT NOT NULL CHECK ("callerKind" IN ('person', 'device', 'service')), "secretId" TEXT, "address" TEXT NOT NULL,
    "createdAt" INTEGER NOT NULL, "lastUsedAt" INTEGER NOT NULL, "refreshExpiresAt" INTEGER NOT NULL, "revokedAt" INTEGER)`,
  `CREATE INDEX "sessionsByCaller" ON "sessions" ("callerId", "id")`,
  `CREATE INDEX "sessionsBySecret" ON "sessions" ("secretId") WHERE "secretId" IS NOT NULL`,
  `CREATE INDEX "sessionsRevoked" ON "sessions" ("revokedAt") WHERE "revokedAt" IS NOT NULL`,
  `CREATE INDEX "sessionsByExpiry" ON "sessions" ("refreshExpiresAt")`,
  `CREATE TABLE "refreshTokens" (
    "tokenHash" TEXT PRIMARY KEY, "sessionId" TEXT NOT NULL REFERENCES "sessions" ("id") ON DELETE CASCADE,
    "usedAt" INTEGER, "expiresAt" INTEGER NOT NULL)`,
  `CREATE INDEX "refreshTokensBySession" ON "refreshTokens" ("sessionId")`,
  `CREATE INDEX "refreshTokensByExpiry" ON "refreshTokens" ("expiresAt")`,
  `CREATE TABLE "signingKeys" (
    "id" TEXT PRIMARY KEY, "publicJwkJson" TEXT NOT NULL, "sealedPrivateKey" TEXT NOT NULL,
    "createdAt" INTEGER NOT NULL, "retiresAt" INTEGER NOT NULL, "expiresAt" INTEGER NOT NULL)`,
  `CREATE TABLE "setUpTokens" ("tokenHash" TEXT PRIMARY KEY, "createdAt" INTEGER NOT NULL, "usedAt" INTEGER)`,
  `CREATE TABLE "idempotencyKeys" (
    "callerId" TEXT NOT NULL, "idempotencyKey" TEXT NOT NULL, "requestDigest" TEXT NOT NULL,
    "state" TEXT NOT NULL CHECK ("state" IN ('running', 'done')), "status" INTEGER, "bodyJson" TEXT,
    "createdAt" INTEGER NOT NULL, "expiresAt" INTEGER NOT NULL, PRIMARY KEY ("callerId", "idempotencyKey"))`,
  `CREATE INDEX "idempotencyKeysByExpiry" ON "idempotencyKeys" ("expiresAt")`,

  `CREATE TABLE "facts" (
    "position" INTEGER PRIMARY KEY AUTOINCREMENT, "id" TEXT NOT NULL UNIQUE, "tenantId" TEXT NOT NULL, "senderId" TEXT NOT NULL,
    "source" TEXT NOT NULL, "eventId" TEXT NOT NULL, "type" TEXT NOT NULL, "orderingKey" TEXT, "receivedAt" INTEGER NOT NULL,
    "state" TEXT NOT NULL CHECK ("state" IN ('accepted', 'waiting', 'delivered', 'dead', 'no-target')),
    "openDeliveries" INTEGER NOT NULL, "stuckDeliveries" INTEGER NOT NULL, "isOwn" INTEGER NOT NULL, "traceparent" TEXT, "tracestate" TEXT)`,
  // A source may send an event again as often as it likes: it exists once.
  `CREATE UNIQUE INDEX "factsByIdentity" ON "facts" ("tenantId", "eventId", "senderId", "source")`,
  `CREATE INDEX "factsAccepted" ON "facts" ("position", "tenantId") WHERE "state" = 'accepted'`,
  `CREATE INDEX "factsByTenant" ON "facts" ("tenantId", "position")`,
  `CREATE INDEX "factsUnfinished" ON "facts" ("tenantId", "state", "position")
    WHERE "state" <> 'accepted' AND "state" <> 'delivered' AND "state" <> 'no-target'`,
  `CREATE TABLE "factContents" ("position" INTEGER PRIMARY KEY, "content" TEXT NOT NULL)`,
  `CREATE TABLE "factCounts" (
    "tenantId" TEXT NOT NULL, "name" TEXT NOT NULL, "amount" INTEGER NOT NULL, PRIMARY KEY ("tenantId", "name")) WITHOUT ROWID`,

  `CREATE TABLE "traceEntries" (
    "seq" INTEGER PRIMARY KEY AUTOINCREMENT, "tenantId" TEXT NOT NULL, "subject" TEXT NOT NULL, "kind" TEXT NOT NULL, "itemId" TEXT,
    "deliveryId" TEXT, "requestId" TEXT, "at" INTEGER NOT NULL, "what" TEXT NOT NULL, "who" TEXT, "place" TEXT, "detailJson" TEXT)`,
  `CREATE INDEX "traceBySubject" ON "traceEntries" ("subject")`,
  `CREATE INDEX "traceByItem" ON "traceEntries" ("itemId") WHERE "itemId" IS NOT NULL`,
  `CREATE INDEX "traceByDelivery" ON "traceEntries" ("deliveryId") WHERE "deliveryId" IS NOT NULL`,
  // Entries of events go with their facts; the few others are removed by their age.
  `CREATE INDEX "traceOfOthers" ON "traceEntries" ("at") WHERE "kind" <> 'event'`,
  `CREATE INDEX "traceByRequest" ON "traceEntries" ("requestId") WHERE "requestId" IS NOT NULL`,

  `CREATE TABLE "targets" (
    "id" TEXT PRIMARY KEY, "tenantId" TEXT NOT NULL, "name" TEXT NOT NULL, "kind" TEXT NOT NULL, "typesJson" TEXT NOT NULL,
    "sealedConfig" TEXT NOT NULL, "enrichJson" TEXT, "transform" TEXT, "rateRequests" INTEGER, "rateIntervalMs" INTEGER,
    "concurrency" INTEGER NOT NULL, "retryAttempts" INTEGER NOT NULL, "retryMinDelayMs" INTEGER NOT NULL, "retryMaxDelayMs" INTEGER NOT NULL,
    "ordering" TEXT NOT NULL CHECK ("ordering" IN ('none', 'key')), "onDead" TEXT NOT NULL CHECK ("onDead" IN ('skip', 'park')),
    "timeoutMs" INTEGER NOT NULL, "state" TEXT NOT NULL CHECK ("state" IN ('active', 'paused')), "pausedReason" TEXT,
    "afterPosition" INTEGER NOT NULL, "isFromSettings" INTEGER NOT NULL, "createdAt" INTEGER NOT NULL, "updatedAt" INTEGER NOT NULL,
    "deletedAt" INTEGER)`,
  `CREATE UNIQUE INDEX "targetsByName" ON "targets" ("tenantId", "name") WHERE "deletedAt" IS NULL`,
  `CREATE TABLE "deliveries" (
    "position" INTEGER PRIMARY KEY AUTOINCREMENT, "id" TEXT NOT NULL UNIQUE, "tenantId" TEXT NOT NULL, "targetId" TEXT NOT NULL,
    "factId" TEXT NOT NULL, "factPosition" INTEGER NOT NULL, "type" TEXT NOT NULL, "orderingKey" TEXT,
    "state" TEXT NOT NULL CHECK ("state" IN ('waiting', 'delivering', 'delivered', 'retrying', 'dead', 'parked')),
    "queue" TEXT NOT NULL CHECK ("queue" IN ('live', 'retry', 'replay')), "isHeld" INTEGER NOT NULL, "dueAt" INTEGER NOT NULL,
    "attempts" INTEGER NOT NULL, "reason" TEXT, "createdAt" INTEGER NOT NULL, "updatedAt" INTEGER NOT NULL)`,
  // Only work that is due stands in this index, so claiming costs the same however much is waiting or done.
  `CREATE INDEX "deliveriesDue" ON "deliveries" ("targetId", "queue", "dueAt", "position")
    WHERE "isHeld" = 0 AND "state" IN ('waiting', 'retrying')`,
  `CREATE INDEX "deliveriesHeld" ON "deliveries" ("targetId", "orderingKey", "position") WHERE "isHeld" = 1`,
  `CREATE INDEX "deliveriesUnderWay" ON "deliveries" ("targetId", "state") WHERE "state" = 'delivering'`,
  `CREATE INDEX "deliveriesByFact" ON "deliveries" ("factPosition")`,
  `CREATE INDEX "deliveriesByTarget" ON "deliveries" ("targetId", "position")`,
  `CREATE INDEX "deliveriesStuck" ON "deliveries" ("tenantId", "state", "position") WHERE "state" <> 'waiting' AND "state" <> 'delivered'`,
  `CREATE TABLE "deliveryCounts" (
    "targetId" TEXT NOT NULL, "tenantId" TEXT NOT NULL, "state" TEXT NOT NULL, "amount" INTEGER NOT NULL, PRIMARY KEY ("targetId", "state")) WITHOUT ROWID`,
  `CREATE TABLE "laneKeys" (
    "targetId" TEXT NOT NULL, "orderingKey" TEXT NOT NULL, "headId" TEXT NOT NULL, "isBlocked" INTEGER NOT NULL,
    PRIMARY KEY ("targetId", "orderingKey")) WITHOUT ROWID`,
  `CREATE INDEX "laneKeysBlocked" ON "laneKeys" ("targetId") WHERE "isBlocked" = 1`,
  `CREATE TABLE "leases" (
    "name" TEXT PRIMARY KEY, "holder" TEXT NOT NULL, "token" INTEGER NOT NULL, "expiresAt" INTEGER NOT NULL, "pacedUntil" INTEGER NOT NULL,
    "heldAt" INTEGER NOT NULL)`,
];

export const migration0001: Migration = { version: 1, name: 'first', statements };
