import { DatabaseSync } from 'node:sqlite';
import { sampleEvent } from './sample-event.ts';

// Fills the database of a server that does not run with events that wait for a target, as fan-out would have left them. Only for
// measuring: everything else goes through the API.

const idOf = (prefix: string) => `'${prefix}_' || printf('%026d', n)`;

/** So many events, each with its state and a delivery that waits. No fsync: a seed can be made again. */
export const seedBacklog = (file: string, { targetId, amount }: { targetId: string; amount: number }): void => {
  const database = new DatabaseSync(file);
  try {
    database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_mode = MEMORY');
    const { tenantId } = database.prepare('SELECT "tenantId" FROM "targets" WHERE "id" = ?').get(targetId) ?? {};
    const owner = { tenantId: String(tenantId), senderId: 'svc_00000000000000000000000001' };
    const from = 1 + Number(database.prepare('SELECT coalesce(max("position"), 0) AS "last" FROM "facts"').get()?.last);
    const at = Date.now();
    const [beforeId = '', betweenIds = '', afterIds = ''] = sampleEvent('\u0000').split('\u0000');
    const numbers = `WITH RECURSIVE "numbers" (n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM "numbers" WHERE n < ${from + amount - 1})`;
    database.exec('BEGIN IMMEDIATE');
    const fill = (sql: string, values: readonly (string | number)[]) => database.prepare(`${sql} FROM "numbers"`).run(...values);
    fill(
      `${numbers} INSERT INTO "facts" ("position", "id", "tenantId", "senderId", "source", "eventId", "type", "receivedAt", "isOwn", "traceparent", "content")
        SELECT n, ${idOf('fact')}, ?, ?, ?, 'seed-' || n, 'order.created', ?, 0, '00-' || printf('%032x-%016x', n, n) || '-01', ? || n || ? || n || ?`,
      [owner.tenantId, owner.senderId, owner.senderId, at, beforeId, betweenIds, afterIds],
    );
    fill(
      `${numbers} INSERT INTO "factStates" ("position", "tenantId", "state", "openDeliveries", "stuckDeliveries", "targets", "routedAt")
        SELECT n, ?, 'waiting', 1, 0, 1, ?`,
      [owner.tenantId, at],
    );
    fill(
      `${numbers} INSERT INTO "deliveries" ("id", "tenantId", "targetId", "factId", "factPosition", "type", "state", "queue", "isHeld", "dueAt",
        "attempts", "createdAt", "updatedAt")
        SELECT ${idOf('dlv')}, ?, ?, ${idOf('fact')}, n, 'order.created', 'waiting', 'live', 0, 0, 0, ?, ?`,
      [owner.tenantId, targetId, at, at],
    );
    database
      .prepare('INSERT INTO "deliveryCounts" ("targetId", "tenantId", "state", "amount") VALUES (?, ?, \'waiting\', ?)')
      .run(targetId, owner.tenantId, amount);
    database.exec('COMMIT');
    database.exec('PRAGMA journal_mode = WAL; ANALYZE');
  } finally {
    database.close();
  }
};
