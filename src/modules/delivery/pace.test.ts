import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Behaviour, createChance, createSimulation, fullestWindow, startOwner } from './pace.fixture.ts';
import { createPace, type Rate, startAfter } from './pace.ts';

const seeds = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const rates: fc.Arbitrary<Rate> = fc.oneof(
  fc.record({ requests: fc.integer({ min: 1, max: 5 }), intervalMs: fc.constantFrom(20, 100, 1_000, 2_000, 10_000) }),
  fc.record({ requests: fc.integer({ min: 6, max: 600 }), intervalMs: fc.constantFrom(1_000, 5_000) }),
);

const wellBehaved = (rate: Rate, chance: () => number): Behaviour => ({
  rate,
  chance,
  timerLateMs: () => 0,
  sendLateMs: () => 0,
  unusedShare: 0,
  answer: () => 'delivered',
  latencyMs: 30,
});

/** Long enough to see many windows, short enough to stay quick with fast rates. */
const durationOf = ({ requests, intervalMs }: Rate) => Math.min(intervalMs * 40, Math.max(intervalMs * 3, (intervalMs / requests) * 4_000));

/** Demand that comes and goes: nothing for a while, a trickle, or more than the rate takes. */
const playDemand = (simulation: ReturnType<typeof createSimulation>, chance: () => number, rate: Rate, waiting: { count: number }) => {
  const step = () => {
    const kind = chance();
    const amount = kind < 0.3 ? 0 : kind < 0.7 ? 1 + Math.floor(chance() * 3) : Math.ceil(rate.requests * chance() * 3);
    waiting.count += amount;
    simulation.at(simulation.now() + rate.intervalMs * chance() * 2, step);
  };
  step();
};

test('a target is never sent more than its rate in any window, whatever the traffic, the delays and its refusals are', () => {
  const traffic = fc.record({
    rate: rates,
    seed: seeds,
    unusedShare: fc.constantFrom(0, 0.1, 0.6),
    lateShare: fc.constantFrom(0, 0.05, 1),
    lateMs: fc.constantFrom(1, 30, 400),
    refusalShare: fc.constantFrom(0, 0.02, 0.3),
    latencyMs: fc.constantFrom(1, 50, 3_000),
  });
  fc.assert(
    fc.property(traffic, ({ rate, seed, unusedShare, lateShare, lateMs, refusalShare, latencyMs }) => {
      const chance = createChance(seed);
      const simulation = createSimulation();
      const sentAt: number[] = [];
      const waiting = { count: 0 };
      playDemand(simulation, chance, rate, waiting);
      startOwner(
        simulation,
        {
          rate,
          chance,
          unusedShare,
          latencyMs,
          timerLateMs: () => chance() * 1.5,
          sendLateMs: () => (chance() < lateShare ? chance() * lateMs : 0),
          answer: () => (chance() >= refusalShare ? 'delivered' : chance() < 0.5 ? 'throttled' : { retryAfterMs: chance() * 2_000 }),
        },
        { startAt: 0, waiting, onSent: (at) => sentAt.push(at) },
      );
      simulation.runUntil(durationOf(rate));
      assert.ok(fullestWindow(sentAt, rate) <= rate.requests, `${fullestWindow(sentAt, rate)} of ${rate.requests}`);
    }),
    { numRuns: 300 },
  );
});

test('a restart, or another owner while the first goes on till its lease is over, never fills a window beyond the rate', () => {
  const changes = fc.record({
    rate: rates,
    seed: seeds,
    lateMs: fc.constantFrom(0, 20, 400),
    leaseMs: fc.constantFrom(0, 50, 1_000, 4_000),
    handOvers: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(changes, ({ rate, seed, lateMs, leaseMs, handOvers }) => {
      const chance = createChance(seed);
      const simulation = createSimulation();
      const sentAt: number[] = [];
      const waiting = { count: 1_000_000 };
      const behaviour: Behaviour = {
        ...wellBehaved(rate, chance),
        timerLateMs: () => chance() * 1.5,
        sendLateMs: () => (chance() < 0.3 ? chance() * lateMs : 0),
        latencyMs: 1 + chance() * 500,
      };
      const onSent = (at: number) => sentAt.push(at);
      let owner = startOwner(simulation, behaviour, { startAt: 0, waiting, onSent });
      for (let count = 0; count < handOvers; count += 1) {
        simulation.runUntil(simulation.now() + durationOf(rate) * chance());
        owner.cutOff(simulation.now() + leaseMs);
        simulation.runUntil(simulation.now() + leaseMs);
        owner = startOwner(simulation, behaviour, { startAt: startAfter(rate, owner.reservedUntil()), waiting, onSent });
      }
      simulation.runUntil(simulation.now() + rate.intervalMs * 3 + 2_000);
      assert.ok(fullestWindow(sentAt, rate) <= rate.requests, `${fullestWindow(sentAt, rate)} of ${rate.requests}`);
    }),
    { numRuns: 200 },
  );
});

const usedShare = (sentAt: readonly number[], { requests, intervalMs }: Rate): number =>
  (sentAt.length - 1) / ((((sentAt.at(-1) ?? 0) - (sentAt[0] ?? 0)) / intervalMs) * requests);

test('while there is a backlog at least 99 % of the rate is used, also where timers are late and slots are given back', () => {
  const backlogs = fc.record({ rate: rates, seed: seeds, unusedShare: fc.constantFrom(0, 0.3), stallMs: fc.constantFrom(0, 10) });
  fc.assert(
    fc.property(backlogs, ({ rate, seed, unusedShare, stallMs }) => {
      const chance = createChance(seed);
      const simulation = createSimulation();
      const sentAt: number[] = [];
      // As in the lane: where timers would be felt, the last moment is spent turn by turn.
      const isMetExactly = rate.intervalMs < 1_000 || rate.intervalMs / rate.requests >= 20;
      startOwner(
        simulation,
        {
          ...wellBehaved(rate, chance),
          unusedShare,
          timerLateMs: () => (isMetExactly ? 0 : chance() * 1.5),
          sendLateMs: () => (stallMs > 0 && rate.intervalMs >= 1_000 && chance() < 0.002 ? stallMs : chance() * 0.02),
        },
        { startAt: 0, waiting: { count: 1_000_000 }, onSent: (at) => sentAt.push(at) },
      );
      simulation.runUntil(Math.max(durationOf(rate), rate.intervalMs * 20));
      assert.ok(usedShare(sentAt, rate) >= 0.99, `${usedShare(sentAt, rate)}`);
      assert.ok(fullestWindow(sentAt, rate) <= rate.requests);
    }),
    { numRuns: 100 },
  );
});

test('a request that went late costs only its own delay: those behind it go in time, and the pace is caught up with', () => {
  const rate = { requests: 10, intervalMs: 1_000 };
  const simulation = createSimulation();
  const sentAt: number[] = [];
  startOwner(
    simulation,
    { ...wellBehaved(rate, createChance(1)), sendLateMs: () => (sentAt.length === 25 ? 300 : 0) },
    { startAt: 0, waiting: { count: 1_000_000 }, onSent: (at) => sentAt.push(at) },
  );
  simulation.runUntil(200_000);
  assert.ok(sentAt.length >= 1_980, `${sentAt.length}`);
});

test('a pause that the target asks for is kept to the millisecond, and what waited goes evenly after it, not at once', () => {
  fc.assert(
    fc.property(rates, seeds, fc.integer({ min: 1, max: 3_600_000 }), (rate, seed, retryAfterMs) => {
      const chance = createChance(seed);
      const pace = createPace(rate, 0);
      const slots = Array.from({ length: 20 }, () => pace.take(0));
      const now = chance() * 1_000;
      pace.throttle(now, retryAfterMs);
      slots.push(pace.take(now), pace.take(now));
      const pausedUntil = now + retryAfterMs;
      assert.ok(pace.next(now) >= pausedUntil);
      assert.ok(pace.reservedUntil >= pausedUntil);
      const sentAt: number[] = [];
      for (const slot of slots) {
        const at = Math.max(pace.earliest(slot) ?? Number.NaN, sentAt.at(-1) ?? 0);
        pace.sent(slot, at);
        sentAt.push(at);
      }
      assert.ok(Math.min(...sentAt) >= pausedUntil);
      const spacingMs = rate.intervalMs / rate.requests;
      for (const [index, at] of sentAt.entries()) assert.ok(at >= (sentAt[0] ?? 0) + index * spacingMs - 1e-3, `${index}`);
    }),
  );
});

test('a refusal without a time halves the pace once, however many come of it, and successes bring it back step by step', () => {
  const rate = { requests: 10, intervalMs: 1_000 };
  const pace = createPace(rate, 0);
  const gap = (now: number) => {
    const [one, other] = [pace.take(now), pace.take(now)];
    pace.sent(one, one.at);
    pace.sent(other, other.at);
    return other.at - one.at;
  };
  const normal = gap(0);
  assert.ok(normal >= 100 && normal < 101);
  pace.throttle(1_000, undefined);
  pace.throttle(1_001, undefined);
  pace.throttle(1_002, undefined);
  assert.ok(pace.next(1_002) >= 1_000 + normal * 2 - 1e-6);
  assert.ok(Math.abs(gap(2_000) / normal - 2) < 0.01);
  pace.throttle(9_000, undefined);
  assert.ok(Math.abs(gap(20_000) / normal - 4) < 0.01);
  let last = 4;
  for (let successes = 0; successes < 30; successes += 1) {
    pace.succeeded();
    const slowness = gap(30_000 + successes * 10_000) / normal;
    assert.ok(slowness <= last + 1e-6);
    last = slowness;
  }
  assert.ok(Math.abs(last - 1) < 0.01);
});

test('a target that refuses without end is still asked, at no less than a sixty-fourth of its rate', () => {
  const pace = createPace({ requests: 1, intervalMs: 1_000 }, 0);
  let now = 0;
  for (let refusals = 0; refusals < 30; refusals += 1) {
    now = pace.next(now);
    pace.sent(pace.take(now), now);
    pace.throttle(now, undefined);
  }
  assert.ok(pace.next(now) - now <= 65_000);
});

test('after an idle time nothing is made up for: the first requests are as far apart as all others', () => {
  const rate = { requests: 500, intervalMs: 1_000 };
  const pace = createPace(rate, 0);
  pace.rest(60_000);
  const slots = Array.from({ length: 100 }, () => pace.take(60_000));
  for (const [index, slot] of slots.entries()) assert.ok(slot.at >= 60_000 + index * 2);
});

test('an owner that begins with a backlog sends evenly from its first request on, whatever the time that passed before', () => {
  const rate = { requests: 10, intervalMs: 1_000 };
  for (const startAt of [0, 59_900, 60_000]) {
    const simulation = createSimulation();
    simulation.runUntil(60_000);
    const sentAt: number[] = [];
    startOwner(simulation, wellBehaved(rate, createChance(1)), {
      startAt,
      waiting: { count: 1_000_000 },
      onSent: (at) => sentAt.push(at),
    });
    simulation.runUntil(62_000);
    const gaps = sentAt.slice(1).map((at, index) => at - (sentAt[index] ?? 0));
    assert.ok(Math.min(...gaps) >= 100, `${Math.min(...gaps)} ms`);
  }
});

test('a slot that was given back in time is the next that is given out, at its own time', () => {
  const pace = createPace({ requests: 4, intervalMs: 1_000 }, 0);
  const [first, second, third] = [pace.take(0), pace.take(0), pace.take(0)];
  pace.unused(second);
  pace.unused(first);
  assert.equal(pace.next(0), first.at);
  assert.deepEqual([pace.take(0), pace.take(0)], [first, second]);
  assert.ok(pace.take(0).at > third.at);
});

test('slots that are given back in any order never hold up those behind them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(fc.boolean(), { minLength: 10, maxLength: 60 }), seeds, (requests, uses, seed) => {
      const chance = createChance(seed);
      const rate = { requests, intervalMs: 100 };
      const pace = createPace(rate, 0);
      let open = uses.map((isUsed) => ({ isUsed, slot: pace.take(0) }));
      const sentAt: number[] = [];
      let now = 0;
      for (let round = 0; open.length > 0; round += 1) {
        assert.ok(round < 100_000, 'a slot waits for ever');
        const one = open[Math.floor(chance() * open.length)];
        const at = one?.isUsed ? pace.earliest(one.slot) : 0;
        if (!one || at === undefined) continue;
        now = Math.max(now, at);
        if (one.isUsed) {
          pace.sent(one.slot, now);
          sentAt.push(now);
        } else pace.unused(one.slot);
        open = open.filter((other) => other !== one);
      }
      assert.ok(fullestWindow(sentAt, rate) <= requests);
      const last = pace.take(now);
      assert.notEqual(pace.earliest(last), undefined);
    }),
  );
});

test('a request that is not out yet holds back the one that would overfill its window, until it is out or given back', () => {
  const pace = createPace({ requests: 2, intervalMs: 1_000 }, 0);
  const [first, second, third] = [pace.take(0), pace.take(0), pace.take(0)];
  pace.sent(second, second.at);
  assert.equal(pace.earliest(third), undefined);
  pace.sent(first, 700);
  assert.ok((pace.earliest(third) ?? 0) >= 1_700);
});

test('what an owner has sent and reserved is what the next one starts behind', () => {
  const rate = { requests: 1, intervalMs: 2_000 };
  const pace = createPace(rate, 0);
  const slot = pace.take(100);
  assert.ok(pace.reservedUntil >= 100);
  pace.sent(slot, 5_000);
  assert.ok(pace.reservedUntil >= 5_000, 'also what went late');
  assert.ok(startAfter(rate, pace.reservedUntil) >= 7_000);
  assert.equal(startAfter(rate, 0), 0, 'a lane without a past starts at once');
  assert.equal(startAfter(undefined, 77), 77);
});

test('a target without a rate is sent to at once, but a pause that it asks for is kept; unnamed pauses double', () => {
  const pace = createPace(undefined, 0);
  assert.equal(pace.take(5).at, 5);
  assert.equal(pace.countUntil(0, 1), Number.POSITIVE_INFINITY);
  const early = pace.take(5);
  pace.throttle(10, 60_000);
  assert.equal(pace.earliest(early), 60_010);
  assert.equal(pace.next(20), 60_010);
  pace.throttle(70_000, undefined);
  pace.throttle(70_001, undefined);
  assert.equal(pace.next(70_001), 71_000);
  pace.throttle(80_000, undefined);
  assert.equal(pace.next(80_000), 82_000);
  pace.succeeded();
  pace.throttle(90_000, undefined);
  assert.equal(pace.next(90_000), 91_000);
  assert.equal(pace.reservedUntil, 91_000);
});
