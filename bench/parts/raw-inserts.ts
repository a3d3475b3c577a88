import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { migrations } from '../../src/database/migrate.ts';
import { type Latency, latencyOf } from './figures.ts';
import { serveProgram } from './program.ts';
import { sampleEvent } from './sample-event.ts';

// Loops over node:sqlite with the durability of the server (WAL, synchronous=FULL), a transaction of `rowsInCommit` after the other,
// from memory, in one thread, without HTTP and without parsing.
// - `one-table`: the text of the event and what it is known by, in one table with one unique index.
// - `same-rows`: what the server itself writes for an event that it accepts, in the server's own table with all its indexes.

export interface InsertJob {
  readonly schema: 'one-table' | 'same-rows';
  readonly seconds: number;
  readonly rowsInCommit: number;
}

export interface InsertResult {
  readonly events: number;
  readonly seconds: number;
  /** Of a transaction. */
  readonly latency: Latency;
}

const tenantId = 'ten_00000000000000000000000000';
const senderId = 'svc_00000000000000000000000001';
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const idOf = (prefix: string, number: number) => `${prefix}_${String(number).padStart(26, '0')}`;

const oneTable = (database: DatabaseSync) => {
  database.exec(`CREATE TABLE "events" ("position" INTEGER PRIMARY KEY, "tenantId" TEXT NOT NULL, "senderId" TEXT NOT NULL, "eventId" TEXT NOT NULL,
    "type" TEXT NOT NULL, "receivedAt" INTEGER NOT NULL, "content" TEXT NOT NULL)`);
  database.exec('CREATE UNIQUE INDEX "eventsByIdentity" ON "events" ("tenantId", "eventId", "senderId")');
  const insert = database.prepare(
    'INSERT INTO "events" ("tenantId", "senderId", "eventId", "type", "receivedAt", "content") VALUES (?, ?, ?, ?, ?, ?)',
  );
  return (from: number, to: number) => {
    for (let number = from; number < to; number += 1) {
      const id = `raw-${number}`;
      insert.run(tenantId, senderId, id, 'order.created', Date.now(), sampleEvent(id));
    }
  };
};

const sameRows = (database: DatabaseSync) => {
  for (const statement of migrations.flatMap(({ statements }) => statements)) database.exec(statement);
  const insert =
    database.prepare(`INSERT INTO "facts" ("id", "tenantId", "senderId", "source", "eventId", "type", "receivedAt", "isOwn", "requestId",
    "traceparent", "content") VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?) ON CONFLICT DO NOTHING`);
  return (from: number, to: number) => {
    const requestId = idOf('req', from);
    for (let number = from; number < to; number += 1) {
      const id = `raw-${number}`;
      insert.run(
        idOf('fact', number),
        tenantId,
        senderId,
        senderId,
        id,
        'order.created',
        Date.now(),
        requestId,
        traceparent,
        sampleEvent(id),
      );
    }
  };
};

serveProgram<InsertJob, InsertResult>({}, async ({ schema, seconds, rowsInCommit }) => {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-bench-raw-'));
  const database = new DatabaseSync(join(folder, 'raw.db'));
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384');
    const insert = schema === 'one-table' ? oneTable(database) : sameRows(database);
    const times: number[] = [];
    const startedAt = performance.now();
    let events = 0;
    while (performance.now() - startedAt < seconds * 1000) {
      const from = performance.now();
      database.exec('BEGIN IMMEDIATE');
      insert(events, events + rowsInCommit);
      database.exec('COMMIT');
      events += rowsInCommit;
      times.push(performance.now() - from);
    }
    return { events, seconds: (performance.now() - startedAt) / 1000, latency: latencyOf(times) };
  } finally {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
