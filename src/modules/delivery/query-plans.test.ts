import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Database, Trx, Write } from '../../database/database.ts';
import { migrations } from '../../database/migrate.ts';
import { buildOnly, queriesOver } from '../../database/sqlite-queries.ts';
import { encodeCursor } from '../../foundation/page.ts';
import { createSeal, Secret } from '../../foundation/secret.ts';
import { createEventStore } from '../events/event-store.ts';
import { createEventTraceStore } from '../events/event-trace-store.ts';
import { createRoutingStore } from '../events/routing-store.ts';
import { createTraceStore } from '../trace/trace-store.ts';
import { caller } from './delivery.fixture.ts';
import { createDeliveryStore } from './delivery-store.ts';
import { createKeyStore } from './key-store.ts';
import { createReplayStore } from './replay-store.ts';
import { createTargetStore } from './target-store.ts';

// The planner is asked as it is in a running server: with the schema as it is made, and without statistics.

const file = new DatabaseSync(':memory:');
for (const statement of migrations.flatMap(({ statements }) => statements)) file.exec(statement);

const asked: string[] = [];
const query = queriesOver(async (sql) => {
  asked.push(sql);
  return { rows: [], changes: 0 };
});
const database: Database = {
  read: query,
  build: buildOnly(),
  async write(writes) {
    for (const { sql } of writes) asked.push(sql);
    return [];
  },
  transaction: (act) => act(trx),
  async check() {},
  async close() {},
};
const trx: Trx = { query, run: (writes) => database.write(writes) };

const deliveries = createDeliveryStore(database);
const keys = createKeyStore(database);
const replays = createReplayStore(database);
const targets = createTargetStore({ database, seal: createSeal(new Secret('for tests')) });
const events = createEventStore(database);
const routing = createRoutingStore(database);
const eventTrace = createEventTraceStore(database);
const trace = createTraceStore(database, eventTrace);

const isWrite = (value: unknown): value is Write => typeof value === 'object' && value !== null && 'sql' in value;

/** How SQLite would carry out each statement that `act` asks for or returns. */
const plansOf = async (act: () => unknown): Promise<string[]> => {
  asked.length = 0;
  const result: unknown = await act();
  const returned = (Array.isArray(result) ? result : [result]).filter(isWrite).map(({ sql }) => sql);
  return [...asked, ...returned].map((sql) => {
    const places = Array.from({ length: sql.split('?').length - 1 }, () => 1);
    return file
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...places)
      .map(({ detail }) => String(detail))
      .join('\n');
  });
};

/** Tables that grow with what came in, and with what was ever handed on. */
const largeTable = /\bSCAN (deliveries|facts|factStates|traceEntries|laneKeys)\b(?! USING (COVERING )?INDEX laneKeysBlocked)/;

const assertPlans = async (act: () => unknown, ...expected: readonly (string | RegExp)[]) => {
  const plans = await plansOf(act);
  assert.ok(plans.length > 0, 'it asks for something');
  for (const plan of plans) assert.doesNotMatch(plan, largeTable);
  for (const [index, part] of expected.entries()) {
    const plan = plans[index] ?? plans.at(-1) ?? '';
    if (typeof part === 'string') assert.ok(plan.includes(part), `${part} is not part of\n${plan}`);
    else assert.match(plan, part);
  }
  return plans;
};

const targetId = 'tgt_1';
const key = { targetId, orderingKey: 'k' };
const head = { ...key, id: 'dlv_1' };
const scope = { tenantId: caller.tenantId };

test('a claim looks at due work only, in each of the three queues, in the order in which it takes it', async () => {
  const [plan = ''] = await assertPlans(() =>
    deliveries.claimDueDeliveries({ targetId, now: 1, limit: 10, quotas: { live: 7, retry: 2, replay: 1 } }),
  );
  const looks = plan.split('\n').filter((line) => line.includes('SEARCH deliveries'));
  assert.deepEqual(looks, [
    'SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)',
    ...Array.from({ length: 3 }, () => 'SEARCH deliveries USING INDEX deliveriesDue (targetId=? AND queue=? AND dueAt<?)'),
  ]);
  assert.equal(plan.split('USE TEMP B-TREE').length - 1, 1, 'only what was found is sorted, not the queues');
});

test('when something is due next, and since when the oldest waits, is the first entry of an index', async () => {
  const due = 'SEARCH deliveries USING INDEX deliveriesDue (targetId=? AND queue=?)';
  for (const act of [() => deliveries.nextDueAt(targetId), () => deliveries.oldestWaitingSince(targetId)]) {
    const plans = await assertPlans(act, due, due, due);
    for (const plan of plans) assert.doesNotMatch(plan, /TEMP B-TREE/);
  }
});

test('writing down ends, giving back and recovering touch the rows that they are about', async () => {
  const settlement = { position: 1, state: 'dead', queue: 'live', dueAt: 0, attempts: 1, reason: '', updatedAt: 1 } as const;
  await assertPlans(() => deliveries.settleDeliveries([settlement]), /SEARCH deliveries USING INTEGER PRIMARY KEY/);
  await assertPlans(
    () => deliveries.settleDeliveries([{ ...settlement, state: 'delivered' }]),
    /SEARCH deliveries USING INTEGER PRIMARY KEY/,
  );
  await assertPlans(() => deliveries.findUnderWay(targetId), 'deliveriesStuck (tenantId=? AND state=?)');
  await assertPlans(() => deliveries.limitDueTimes(targetId, 1), 'deliveriesDue (targetId=? AND queue=? AND dueAt>?)');
  await assertPlans(() => routing.settleFacts([{ factPosition: 1, open: -1, stuck: 0 }]), /SEARCH factStates USING INTEGER PRIMARY KEY/);
  await assertPlans(() => routing.settleFacts([{ factPosition: 1, open: -1, stuck: 1 }]), /SEARCH factStates USING INTEGER PRIMARY KEY/);
  await assertPlans(() => events.findFacts([1, 2]), /SEARCH facts USING INTEGER PRIMARY KEY/);
});

test('fan-out reads what is not fanned out yet, and writes deliveries without looking at others', async () => {
  const behind = 'SEARCH facts USING INTEGER PRIMARY KEY (rowid>?)';
  await assertPlans(() => routing.findWave(500), behind);
  const wave = { after: 1, upTo: 2, kinds: [{ tenantId: scope.tenantId, type: 'x', isOwn: 0, amount: 2 }] };
  const within = /^SEARCH facts USING INTEGER PRIMARY KEY \(rowid>\? AND rowid<\?\)/m;
  const [plan = ''] = await assertPlans(() => routing.findUnrouted(wave, ['x', 'y']), within);
  assert.doesNotMatch(plan, /TEMP B-TREE/);
  await assertPlans(() => routing.routeWave(wave, [], 1), within);
  const delivery = {
    id: 'dlv_1',
    tenantId: scope.tenantId,
    targetId,
    factId: 'fact_1',
    factPosition: 1,
    type: 'x',
    orderingKey: 'k',
    createdAt: 1,
  };
  await assertPlans(() => deliveries.insertDeliveries([delivery]), /SEARCH targets/, /SEARCH laneKeys USING PRIMARY KEY/);
  await assertPlans(() => routing.countUnrouted(scope), behind);
});

test('the next of a key is found among what is held of that key', async () => {
  const held = 'SEARCH deliveries USING INDEX deliveriesHeld (targetId=? AND orderingKey=?)';
  const plans = [
    ...(await assertPlans(() => keys.passOn([head]), /laneKeys/, held)),
    ...(await assertPlans(() => keys.passOnEnded([head]), /laneKeys/, held)),
    ...(await assertPlans(() => keys.reopenKeys([key]), /laneKeys/, '', held)),
    ...(await assertPlans(() => keys.blockKeys([key]))),
  ];
  for (const plan of plans) assert.doesNotMatch(plan, /TEMP B-TREE/);
  await assertPlans(() => keys.findEndedHeads(targetId, { withBlocked: true }), 'SEARCH laneKeys USING PRIMARY KEY (targetId=?)');
});

test('switching order on or off looks at what is open, not at what was delivered', async () => {
  await assertPlans(() => keys.freeAll(targetId), 'deliveriesHeld');
  await assertPlans(
    () => keys.holdAll(targetId),
    /deliveriesDue \(targetId=\? AND queue=\?\).*deliveriesStuck/s,
    'deliveriesDue (targetId=? AND queue=?)',
  );
});

test('parking looks at what is blocked or open, not at what was delivered', async () => {
  await assertPlans(() => replays.findBlocked(trx, targetId, 500), /laneKeysBlocked.*deliveriesHeld \(targetId=\? AND orderingKey=\?\)/s);
  const plans = await assertPlans(
    () => replays.findOpen(trx, targetId, { withUnderWay: true, limit: 500 }),
    'deliveriesDue',
    'deliveriesHeld',
    'deliveriesStuck',
  );
  assert.equal(plans.length, 3);
});

test('a replay looks for dead and parked ones among those, in order, and holds the writer only for what it found', async () => {
  const stuck = 'deliveriesStuck (tenantId=? AND state=? AND position>?)';
  for (const filter of [{}, { target: targetId }, { type: 'x' }, { state: 'dead' as const }]) {
    const plans = await assertPlans(() => replays.findFinished(scope, { filter, after: 1, limit: 500 }), stuck);
    for (const plan of plans) assert.doesNotMatch(plan, /TEMP B-TREE/);
  }
  await assertPlans(
    () => replays.findReplayable(trx, scope, { positions: [1, 2], state: undefined }),
    'SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)',
  );
  await assertPlans(() => replays.findReplayable(trx, scope, { id: 'dlv_1' }), /SEARCH deliveries USING INDEX sqlite_autoindex_deliveries/);
});

test('a page of deliveries is read in order from an index, and ends with the page', async () => {
  const page = { limit: 50, cursor: encodeCursor([100]) };
  for (const state of ['dead', 'parked', 'retrying', 'delivering'] as const) {
    await assertPlans(() => deliveries.listDeliveries(scope, { state }, page), 'deliveriesStuck (tenantId=? AND state=? AND position<?)');
    await assertPlans(() => deliveries.listDeliveries(scope, { state, target: targetId }, page), 'deliveriesStuck');
  }
  await assertPlans(() => deliveries.listDeliveries(scope, { target: targetId }, page), 'deliveriesByTarget (targetId=? AND position<?)');
  await assertPlans(() => deliveries.listDeliveries(scope, { factPositions: [1] }, page), /deliveriesByFact|PRIMARY KEY/);
  await assertPlans(() => deliveries.deliveriesOfFacts(scope, [1, 2]), 'deliveriesByFact');
  for (const filter of [{}, { state: 'waiting' as const }, { state: 'delivered' as const }]) {
    const plans = await assertPlans(() => deliveries.listDeliveries(scope, filter, page), 'PRIMARY KEY (rowid<?)');
    for (const plan of plans) assert.doesNotMatch(plan, /TEMP B-TREE/);
  }
});

test('a page of events is read in order from an index', async () => {
  const page = { limit: 50, cursor: encodeCursor([100]) };
  for (const state of ['waiting', 'dead'] as const)
    await assertPlans(() => events.listEvents(scope, { state }, page), 'factStatesUnfinished (tenantId=? AND state=? AND position<?)');
  await assertPlans(
    () => events.listEvents(scope, { state: 'accepted' }, page),
    'SEARCH facts USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)',
  );
  for (const filter of [{}, { type: 'x' }, { state: 'delivered' as const }]) {
    const [plan = ''] = await assertPlans(() => events.listEvents(scope, filter, page), 'factsByTenant (tenantId=? AND position<?)');
    assert.doesNotMatch(plan, /TEMP B-TREE/);
  }
  await assertPlans(() => events.findEvent(caller, 'e', {}), 'factsByIdentity (tenantId=? AND eventId=?)');
  await assertPlans(() => events.findPositions(scope, 'e'), 'factsByIdentity (tenantId=? AND eventId=?)');
});

test('a trace is found by the item, the delivery or the request', async () => {
  const plans = await assertPlans(() => trace.findEntries(caller, 'x'));
  const events = ['facts USING INDEX sqlite_autoindex_facts', 'factsByIdentity (tenantId=? AND eventId=?)', 'factsByRequest (requestId=?)'];
  const others = ['traceBySubject', 'traceByItem', 'traceByDelivery', 'traceByRequest'];
  for (const index of [...events, ...others]) {
    const isTaken = plans.some((plan) => plan.includes(index));
    assert.ok(isTaken, index);
  }
  await assertPlans(() => eventTrace.acceptedAfter(1, 10), 'SEARCH facts USING INTEGER PRIMARY KEY (rowid>?)');
  await assertPlans(() => eventTrace.routedAfter(1, 10), 'SEARCH factStates USING INTEGER PRIMARY KEY (rowid>?)');
  await assertPlans(() => trace.entriesOfDeliveries(scope, ['dlv_1', 'dlv_2']), 'traceByDelivery');
});

test('retention looks at what is old enough, and removes by its place', async () => {
  await assertPlans(() => events.findExpired(1, 200));
  await assertPlans(() => events.removeFacts([1, 2]), /PRIMARY KEY/);
  await assertPlans(() => deliveries.removeOfFacts([1, 2]), 'deliveriesByFact');
  await assertPlans(() => trace.removeSubjects(['x']), 'traceBySubject');
  await assertPlans(() => trace.removeOld(1, 200), 'traceOfOthers');
});

test('finding targets looks at targets', async () => {
  await assertPlans(() => targets.everyTarget());
  await assertPlans(() => targets.deletedBefore(1));
});
