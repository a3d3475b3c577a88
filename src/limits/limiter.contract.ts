import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Clock } from '../foundation/clock.ts';
import type { Limiter, LimitPolicy } from './limiter.ts';

/** A clock that stands still until it is turned. */
export const createHandClock = (start = 1_700_000_000_000): Clock & { turn(ms: number): void } => {
  let now = start;
  return {
    now: () => now,
    precise: () => now,
    async sleep() {},
    turn(ms) {
      now += ms;
    },
  };
};

const policy: LimitPolicy = { name: 'tries', limit: 3, windowMs: 10_000 };

/** What every limiter promises; `open` makes an empty one that goes by `clock`. */
export const limiterContract = (name: string, open: (clock: Clock) => Promise<Limiter>) => {
  test(`${name}: allows up to the limit and tells how long to wait then`, async () => {
    const clock = createHandClock();
    const limiter = await open(clock);
    assert.deepEqual(await limiter.peek(policy, 'a'), {
      isAllowed: true,
      policyName: 'tries',
      limit: 3,
      windowMs: 10_000,
      remaining: 3,
      resetMs: 0,
    });
    assert.equal((await limiter.take(policy, 'a')).remaining, 2);
    clock.turn(4_000);
    assert.equal((await limiter.take(policy, 'a', 2)).remaining, 0);
    const refused = await limiter.take(policy, 'a');
    assert.equal(refused.isAllowed, false);
    assert.equal(refused.remaining, 0);
    assert.equal(refused.resetMs, 6_000);
    assert.equal((await limiter.peek(policy, 'a', 2)).resetMs, 10_000);
  });

  test(`${name}: what was taken is free again a window later, not before`, async () => {
    const clock = createHandClock();
    const limiter = await open(clock);
    for (let taken = 0; taken < 3; taken += 1) await limiter.take(policy, 'a');
    clock.turn(9_999);
    assert.equal((await limiter.take(policy, 'a')).isAllowed, false);
    clock.turn(1);
    assert.equal((await limiter.take(policy, 'a')).isAllowed, true);
  });

  test(`${name}: keys and policies do not touch each other`, async () => {
    const limiter = await open(createHandClock());
    await limiter.take(policy, 'a', 3);
    assert.equal((await limiter.take(policy, 'a')).isAllowed, false);
    assert.equal((await limiter.take(policy, 'b')).isAllowed, true);
    assert.equal((await limiter.take({ ...policy, name: 'others' }, 'a')).isAllowed, true);
  });

  test(`${name}: looking takes nothing, and refused asking takes nothing`, async () => {
    const limiter = await open(createHandClock());
    for (let looks = 0; looks < 10; looks += 1) await limiter.peek(policy, 'a');
    assert.equal((await limiter.take(policy, 'a', 4)).isAllowed, false);
    assert.equal((await limiter.peek(policy, 'a')).remaining, 3);
  });

  test(`${name}: what is given back may be taken again, and no more than that`, async () => {
    const limiter = await open(createHandClock());
    await limiter.take(policy, 'a', 3);
    await limiter.giveBack(policy, 'a');
    assert.equal((await limiter.peek(policy, 'a')).remaining, 1);
    await limiter.giveBack(policy, 'a', 99);
    await limiter.giveBack(policy, 'never-taken');
    assert.equal((await limiter.peek(policy, 'a')).remaining, 3);
  });

  test(`${name}: what is given back is what was taken last, so what was taken before goes on counting for its time`, async () => {
    const clock = createHandClock();
    const limiter = await open(clock);
    await limiter.take(policy, 'a', 2);
    clock.turn(4_000);
    await limiter.take(policy, 'a');
    await limiter.giveBack(policy, 'a');
    assert.equal((await limiter.peek(policy, 'a', 3)).resetMs, 6_000);
    clock.turn(6_000);
    assert.equal((await limiter.peek(policy, 'a')).remaining, 3);
  });

  test(`${name}: a reset forgets what was taken`, async () => {
    const limiter = await open(createHandClock());
    await limiter.take(policy, 'a', 3);
    await limiter.reset(policy, 'a');
    assert.equal((await limiter.peek(policy, 'a')).remaining, 3);
  });

  test(`${name}: of many at once no more than the limit are allowed`, async () => {
    const limiter = await open(createHandClock());
    const decisions = await Promise.all(Array.from({ length: 50 }, () => limiter.take(policy, 'a')));
    assert.equal(decisions.filter((decision) => decision.isAllowed).length, 3);
  });

  test(`${name}: never more than the limit in any window, whatever the traffic`, async () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 1, max: 3 })), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 7 }), async (traffic, limit) => {
        const clock = createHandClock();
        const limiter = await open(clock);
        const allowed: { at: number; cost: number }[] = [];
        for (const [waitMs, cost] of traffic) {
          clock.turn(waitMs);
          if ((await limiter.take({ ...policy, limit }, 'a', cost)).isAllowed) allowed.push({ at: clock.now(), cost });
        }
        for (const { at } of allowed) {
          const inWindow = allowed.filter((other) => other.at >= at && other.at < at + policy.windowMs);
          const taken = inWindow.reduce((sum, { cost }) => sum + cost, 0);
          assert.ok(taken <= limit, `${taken} taken from ${at} on`);
        }
      }),
      { numRuns: 60 },
    );
  });

  test(`${name}: who always asks gets at least 99 % of the limit`, async () => {
    const clock = createHandClock();
    const limiter = await open(clock);
    const wide = { name: 'wide', limit: 1000, windowMs: 1_000 };
    let taken = 0;
    for (let ms = 0; ms < 20_000; ms += 1) {
      for (let tries = 0; tries < 3; tries += 1) if ((await limiter.take(wide, 'a')).isAllowed) taken += 1;
      clock.turn(1);
    }
    assert.ok(taken >= 0.99 * 20 * 1000, `took ${taken} of 20000`);
  });
};
