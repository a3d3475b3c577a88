import type { Migration } from './migration.ts';

const statements = [
  // Kept in plain for a day at most; whoever repeats such a request over the upgrade is served as if it was the first time.
  `DELETE FROM "idempotencyKeys"`,
  `ALTER TABLE "idempotencyKeys" RENAME COLUMN "bodyJson" TO "sealedBody"`,
  `ALTER TABLE "idempotencyKeys" ADD COLUMN "personId" TEXT`,
  `CREATE INDEX "idempotencyKeysByPerson" ON "idempotencyKeys" ("personId") WHERE "personId" IS NOT NULL`,
];

/** Kept answers hold names and addresses: they are sealed, and go with the person whom they tell about. */
export const migration0005: Migration = { version: 5, name: 'kept-answers-sealed', statements };
