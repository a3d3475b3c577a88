import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createClaimTurns } from './claim-turns.ts';
import type { StoredDelivery } from './delivery-store.ts';
import { judge } from './judgement.ts';
import { createLaneHealth } from './lane-health.ts';
import { createPermits } from './permits.ts';
import { delayAfter } from './retry-schedule.ts';
import { type TargetRecord, wantsType } from './target-record.ts';

const target: TargetRecord = {
  id: 'tgt_1',
  tenantId: 'ten_1',
  name: 'crm',
  kind: 'webhook',
  types: ['*'],
  config: {},
  enrich: undefined,
  transform: undefined,
  rate: undefined,
  concurrency: 8,
  retry: { attempts: 3, minDelayMs: 1_000, maxDelayMs: 60_000 },
  ordering: 'none',
  onDead: 'skip',
  timeoutMs: 15_000,
  state: 'active',
  pausedReason: undefined,
  afterPosition: 0,
  isFromSettings: false,
  createdAt: 0,
  updatedAt: 0,
};

const delivery: StoredDelivery = {
  position: 1,
  id: 'dlv_1',
  tenantId: 'ten_1',
  targetId: 'tgt_1',
  factId: 'fact_1',
  factPosition: 1,
  type: 'order.created',
  orderingKey: null,
  state: 'delivering',
  queue: 'replay',
  isHeld: 0,
  dueAt: 7,
  attempts: 0,
  reason: null,
  createdAt: 0,
  updatedAt: 0,
};

const now = 1_000_000;
const judged = (outcome: Parameters<typeof judge>[1], attempts = 0, chance = 0.5) =>
  judge({ ...delivery, attempts }, outcome, { target, durationMs: 5, now, chance: () => chance }).settlement;

test('what the target took is delivered, what it will never take is dead at once', () => {
  assert.deepEqual(judged({ outcome: 'delivered', status: 200 }), {
    position: 1,
    state: 'delivered',
    queue: 'replay',
    dueAt: 7,
    attempts: 1,
    reason: null,
    updatedAt: now,
  });
  const dead = judged({ outcome: 'refused', status: 422, reason: 'no such field' });
  assert.deepEqual([dead.state, dead.attempts, dead.reason], ['dead', 1, 'no such field']);
});

test('what failed is tried again until its attempts are used up', () => {
  const first = judged({ outcome: 'failed', reason: 'reset' });
  assert.deepEqual([first.state, first.attempts, first.queue, first.dueAt, first.reason], ['retrying', 1, 'retry', now + 500, 'reset']);
  assert.equal(judged({ outcome: 'failed', reason: 'reset' }, 1).state, 'retrying');
  const last = judged({ outcome: 'failed', reason: 'reset' }, 2);
  assert.deepEqual([last.state, last.attempts], ['dead', 3]);
});

test('a target that asks to wait, or wants no more, costs no attempt and no place', () => {
  for (const outcome of [
    { outcome: 'throttled', reason: 'slow down' } as const,
    { outcome: 'gone', status: 410, reason: 'gone' } as const,
  ]) {
    const fresh = judged(outcome);
    assert.deepEqual([fresh.state, fresh.attempts, fresh.queue, fresh.dueAt], ['waiting', 0, 'replay', 7]);
    const tried = judged(outcome, 2);
    assert.deepEqual([tried.state, tried.attempts], ['retrying', 2]);
  }
});

test('what cannot be sent at all is parked with its reason and spends no attempt', () => {
  const parked = judged({ outcome: 'unsendable', reason: 'the transform failed' }, 1);
  assert.deepEqual([parked.state, parked.attempts, parked.reason], ['parked', 1, 'the transform failed']);
});

test('delays double with full jitter, never above the longest, and end with the attempts', () => {
  const policies = fc.record({
    attempts: fc.integer({ min: 1, max: 1_000 }),
    minDelayMs: fc.integer({ min: 1, max: 100_000 }),
    maxDelayMs: fc.integer({ min: 1, max: 10_000_000 }),
  });
  fc.assert(
    fc.property(
      policies,
      fc.integer({ min: 1, max: 1_000 }),
      fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
      (policy, made, chance) => {
        const delayMs = delayAfter(policy, made, () => chance);
        if (made >= policy.attempts) return assert.equal(delayMs, undefined);
        assert.ok(delayMs !== undefined && Number.isInteger(delayMs) && delayMs >= 0 && delayMs <= policy.maxDelayMs);
        const doubled = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** (made - 1));
        assert.ok(delayMs <= doubled + 1);
        assert.ok((delayAfter(policy, made, () => 0.999_999) ?? 0) >= Math.min(doubled, policy.maxDelayMs) * 0.99 - 1);
      },
    ),
  );
  const policy = { attempts: 10, minDelayMs: 1_000, maxDelayMs: 3_600_000 };
  assert.deepEqual(
    [1, 2, 3, 9, 10].map((made) => delayAfter(policy, made, () => 1)),
    [1_000, 2_000, 4_000, 256_000, undefined],
  );
});

test('of ten slots seven are for live deliveries, two for retries, one for replays, however they are asked for', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 30 }), (asked) => {
      const turns = createClaimTurns();
      const given = asked.map((slots) => turns.next(slots));
      const total = asked.reduce((sum, slots) => sum + slots, 0);
      const sum = (queue: 'live' | 'retry' | 'replay') => given.reduce((all, quotas) => all + quotas[queue], 0);
      assert.equal(sum('live') + sum('retry') + sum('replay'), total);
      assert.ok(
        Math.abs(sum('live') - total * 0.7) < 2 && Math.abs(sum('retry') - total * 0.2) < 2 && Math.abs(sum('replay') - total * 0.1) < 1,
      );
    }),
  );
});

test('ten failures in a row, and no fewer, make a target count as away; probes come after 1 s, doubling to 30 s; one success ends it', () => {
  const health = createLaneHealth();
  for (let failures = 0; failures < 9; failures += 1) health.failed(failures);
  health.succeeded();
  for (let failures = 0; failures < 9; failures += 1) health.failed(failures);
  assert.equal(health.isProbing, false);
  health.failed(100);
  assert.equal(health.isProbing, true);
  assert.equal(health.probeAt, 1_100);
  health.failed(200);
  assert.equal(health.probeAt, 1_100, 'what was under way with it does not count as a probe');
  const waits: number[] = [];
  for (let probes = 0; probes < 7; probes += 1) {
    const at = health.probeAt;
    health.failed(at);
    waits.push(health.probeAt - at);
  }
  assert.deepEqual(waits, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  health.succeeded();
  assert.equal(health.isProbing, false);
  assert.equal(health.probeAt, 0);
});

test('a target wants the types that it names: exactly, by prefix, all that sources send, or also our own facts', () => {
  const wants = (types: readonly string[], type: string, isOwn = false) => wantsType(types, { type, isOwn });
  assert.ok(wants(['*'], 'order.created'));
  assert.ok(!wants(['*'], 'delivery.dead', true), '* is what sources send');
  assert.ok(wants(['**'], 'delivery.dead', true));
  assert.ok(wants(['**'], 'order.created'));
  assert.ok(wants(['delivery.dead'], 'delivery.dead', true));
  assert.ok(wants(['delivery.*'], 'delivery.dead', true));
  assert.ok(wants(['order.*'], 'order.created'));
  assert.ok(wants(['order.*'], 'order.item.added'));
  for (const other of ['order', 'order.', 'orders.created', 'Order.created', 'x.order.created'])
    assert.ok(!wants(['order.*'], other), other);
  assert.ok(wants(['order.created'], 'order.created'));
  assert.ok(!wants(['order.created'], 'order.created.twice'));
  assert.ok(wants(['invoice.*', 'order.created'], 'order.created'));
  assert.ok(!wants([], 'order.created'));
});

test('permits are given in the order in which they were asked for, and to nobody once they are closed', async () => {
  const permits = createPermits(2);
  const given: string[] = [];
  const ask = async (name: string) => {
    const isIn = await permits.take();
    given.push(`${name}:${isIn}`);
  };
  await Promise.all([ask('a'), ask('b')]);
  const waiting = [ask('c'), ask('d'), ask('e')];
  permits.give();
  await waiting[0];
  assert.deepEqual(given, ['a:true', 'b:true', 'c:true']);
  permits.close();
  await Promise.all(waiting);
  permits.give();
  await ask('f');
  assert.deepEqual(given.slice(3), ['d:false', 'e:false', 'f:false']);
});
