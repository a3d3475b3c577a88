import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { migrations } from '../../database/migrate.ts';
import { openDatabase } from '../../database/open-database.ts';
import type { Caller } from '../../foundation/caller.ts';
import { createClock } from '../../foundation/clock.ts';
import { createTrace } from '../trace/trace.ts';
import { createEventStore } from './event-store.ts';
import { createEventTraceStore } from './event-trace-store.ts';
import { createRoutingStore } from './routing-store.ts';

const tenantId = 'ten_00000000000000000000000000';
const caller: Caller = { id: 'svc_1', kind: 'service', tenantId, sessionId: 'ses_1', scopes: new Set(['trace:read']) };
const receivedAt = Date.parse('2026-11-02T09:00:00.000Z');

/** The data of a release that wrote facts with their states, contents and entries apart: one event in each state, numbered from 1. */
const oldData = (file: string) => {
  const database = new DatabaseSync(file);
  for (const { version, name, statements } of migrations.slice(0, 2)) {
    for (const statement of statements) database.exec(statement);
    database.exec(
      'CREATE TABLE IF NOT EXISTS "migrations" ("version" INTEGER PRIMARY KEY, "name" TEXT NOT NULL, "appliedAt" INTEGER NOT NULL)',
    );
    database.prepare('INSERT INTO "migrations" VALUES (?, ?, 0)').run(version, name);
  }
  const entry =
    database.prepare(`INSERT INTO "traceEntries" ("tenantId", "subject", "kind", "itemId", "deliveryId", "requestId", "at", "what", "who",
    "place", "detailJson") VALUES (?, ?, 'event', ?, ?, ?, ?, ?, ?, ?, ?)`);
  for (const [index, state] of ['delivered', 'no-target', 'waiting', 'dead', 'accepted'].entries()) {
    const [id, eventId, at] = [`fact_${index + 1}`, `order-${index + 1}`, receivedAt + index];
    const open = state === 'waiting' ? 1 : 0;
    database
      .prepare(`INSERT INTO "facts" VALUES (?, ?, ?, 'svc_1', 'svc_1', ?, 'order.created', NULL, ?, ?, ?, ?, 0, 'parent', NULL)`)
      .run(index + 1, id, tenantId, eventId, at, state, open, state === 'dead' ? 1 : 0);
    database.prepare('INSERT INTO "factContents" VALUES (?, ?)').run(index + 1, `{"id":"${eventId}","amount":1.10}`);
    entry.run(tenantId, id, eventId, null, 'req_1', at, 'accepted', 'svc_1', null, null);
    if (state === 'no-target') entry.run(tenantId, id, null, null, null, at + 20, 'no-target', null, null, null);
    if (open === 1 || state === 'delivered' || state === 'dead')
      entry.run(tenantId, id, null, null, null, at + 20, 'routed', null, null, '{"targets":1}');
    if (state === 'delivered' || state === 'dead') entry.run(tenantId, id, null, `dlv_${index}`, null, at + 30, state, null, 'crm', null);
  }
  database.close();
};

const givenUpgraded = async (context: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-upgrade-'));
  oldData(join(folder, 'entrepot.db'));
  const database = await openDatabase({ url: `sqlite:${join(folder, 'entrepot.db')}`, clock: createClock() });
  context.after(async () => {
    await database.close();
    rmSync(folder, { recursive: true });
  });
  return database;
};

test('events of an older release are there after the upgrade, to the letter and in their state', async (context) => {
  const database = await givenUpgraded(context);
  const store = createEventStore(database);
  const { facts } = await store.listEvents(caller, {}, { limit: 50 });
  assert.deepEqual(
    facts.map(({ eventId, state, content, traceparent }) => [eventId, state, content, traceparent]),
    ['accepted', 'dead', 'waiting', 'no-target', 'delivered'].map((state, index) => {
      const eventId = `order-${5 - index}`;
      return [eventId, state, `{"id":"${eventId}","amount":1.10}`, 'parent'];
    }),
  );
  for (const state of ['accepted', 'waiting', 'dead', 'delivered', 'no-target'] as const) {
    const found = await store.listEvents(caller, { state }, { limit: 50 });
    assert.deepEqual(
      found.facts.map((fact) => fact.state),
      [state],
    );
  }
});

test('their traces tell the same as before, by the event and by the request', async (context) => {
  const database = await givenUpgraded(context);
  const trace = createTrace({ database, source: createEventTraceStore(database) });
  const told = async (id: string) => {
    const { kind, state, entries } = await trace.get(caller, id);
    return [kind, state, entries.map(({ at, what, who, where, detail }) => [at.slice(17), what, who ?? where, detail])];
  };
  assert.deepEqual(await told('order-1'), [
    'event',
    'delivered',
    [
      ['00.000Z', 'accepted', 'svc_1', undefined],
      ['00.020Z', 'routed', undefined, { targets: 1 }],
      ['00.030Z', 'delivered', 'crm', { delivery: 'dlv_0' }],
    ],
  ]);
  assert.deepEqual(await told('order-2'), [
    'event',
    'no-target',
    [
      ['00.001Z', 'accepted', 'svc_1', undefined],
      ['00.021Z', 'no-target', undefined, undefined],
    ],
  ]);
  assert.deepEqual(await told('order-5'), ['event', 'accepted', [['00.004Z', 'accepted', 'svc_1', undefined]]]);
  const [kind, , ofRequest] = await told('req_1');
  assert.deepEqual([kind, ofRequest?.length], ['request', 5]);
});

test('fan-out goes on with what the older release had not fanned out, and no position is given twice', async (context) => {
  const database = await givenUpgraded(context);
  const wave = await createRoutingStore(database).findWave(10);
  assert.deepEqual(wave, {
    after: 4,
    upTo: 5,
    kinds: wave?.kinds.map((kind) => ({ ...kind, tenantId, type: 'order.created', isOwn: 0, amount: 1 })),
  });
  await database.write([{ sql: 'DELETE FROM "facts"', parameters: [] }]);
  const event = { ...caller, factId: 'fact_6', senderId: 'svc_1', source: 'svc_1', eventId: 'e', type: 't', orderingKey: null, receivedAt };
  const values = { ...event, isOwn: 0, requestId: null, traceparent: null, tracestate: null, content: '{}' };
  await database.write([createEventStore(database).insertFacts([values])]);
  assert.equal((await createEventStore(database).findFacts([6])).get(6)?.id, 'fact_6');
});
