import type { Migration } from './migration.ts';

// A fact is written once and never changed: what becomes of it stands in a small row of its own. What its row tells of its trace
// (that it was accepted, that it was routed) is not written a second time as entries. See docs/decisions/0005-facts-are-written-once.md.

const statements = [
  `CREATE TABLE "factsOnce" (
    "position" INTEGER PRIMARY KEY AUTOINCREMENT, "id" TEXT NOT NULL UNIQUE, "tenantId" TEXT NOT NULL, "senderId" TEXT NOT NULL,
    "source" TEXT NOT NULL, "eventId" TEXT NOT NULL, "type" TEXT NOT NULL, "orderingKey" TEXT, "receivedAt" INTEGER NOT NULL,
    "isOwn" INTEGER NOT NULL, "requestId" TEXT, "traceparent" TEXT, "tracestate" TEXT, "content" TEXT NOT NULL)`,
  `CREATE TABLE "factStates" (
    "position" INTEGER PRIMARY KEY, "tenantId" TEXT NOT NULL,
    "state" TEXT NOT NULL CHECK ("state" IN ('waiting', 'delivered', 'dead', 'no-target')),
    "openDeliveries" INTEGER NOT NULL, "stuckDeliveries" INTEGER NOT NULL, "targets" INTEGER NOT NULL, "routedAt" INTEGER NOT NULL)`,
  // The number up to which positions were given stays, so that none is given twice, whatever retention has removed.
  `INSERT INTO "sqlite_sequence" ("name", "seq") SELECT 'factsOnce', "seq" FROM "sqlite_sequence" WHERE "name" = 'facts'`,
  `CREATE INDEX "movedBySubject" ON "traceEntries" ("subject", "what")`,
  `INSERT INTO "factsOnce"
    SELECT f."position", f."id", f."tenantId", f."senderId", f."source", f."eventId", f."type", f."orderingKey", f."receivedAt", f."isOwn",
      (SELECT t."requestId" FROM "traceEntries" AS t WHERE t."subject" = f."id" AND t."what" = 'accepted'),
      f."traceparent", f."tracestate", c."content"
    FROM "facts" AS f JOIN "factContents" AS c ON c."position" = f."position" ORDER BY f."position"`,
  `INSERT INTO "factStates"
    SELECT f."position", f."tenantId", f."state", f."openDeliveries", f."stuckDeliveries",
      coalesce((SELECT json_extract(t."detailJson", '$.targets') FROM "traceEntries" AS t WHERE t."subject" = f."id" AND t."what" = 'routed'), 0),
      coalesce((SELECT t."at" FROM "traceEntries" AS t WHERE t."subject" = f."id" AND t."what" IN ('routed', 'no-target')), f."receivedAt")
    FROM "facts" AS f WHERE f."state" <> 'accepted' ORDER BY f."position"`,
  `DROP INDEX "movedBySubject"`,
  `DELETE FROM "traceEntries" WHERE "kind" = 'event' AND "what" IN ('accepted', 'routed', 'no-target')`,
  'DROP TABLE "factContents"',
  'DROP TABLE "facts"',
  'ALTER TABLE "factsOnce" RENAME TO "facts"',
  // A source may send an event again as often as it likes: it exists once.
  `CREATE UNIQUE INDEX "factsByIdentity" ON "facts" ("tenantId", "eventId", "senderId", "source")`,
  `CREATE INDEX "factsByTenant" ON "facts" ("tenantId", "position")`,
  `CREATE INDEX "factsByRequest" ON "facts" ("requestId") WHERE "requestId" IS NOT NULL`,
  `CREATE INDEX "factStatesUnfinished" ON "factStates" ("tenantId", "state", "position") WHERE "state" <> 'delivered' AND "state" <> 'no-target'`,
];

export const migration0003: Migration = { version: 3, name: 'facts once written', statements };
