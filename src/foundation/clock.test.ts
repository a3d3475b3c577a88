import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClock, toRfc3339 } from './clock.ts';

/** The machine's two clocks, turned by hand. */
const given = () => {
  let wall = 1_000_000;
  let monotonic = 500;
  const clock = createClock(
    () => Math.floor(wall),
    () => monotonic,
  );
  return {
    clock,
    pass(ms: number) {
      wall += ms;
      monotonic += ms;
    },
    /** Somebody sets the machine's clock. */
    set(ms: number) {
      wall += ms;
    },
  };
};

test('time passes as on the wall', () => {
  const { clock, pass } = given();
  assert.equal(clock.now(), 1_000_000);
  pass(1_500);
  assert.equal(clock.now(), 1_001_500);
});

test('when the clock is set back, time goes on from where it was', () => {
  const { clock, pass, set } = given();
  const before = clock.now();
  set(-3_600_000);
  assert.equal(clock.now(), before);
  pass(250);
  assert.equal(clock.now(), before + 250);
  set(-24 * 3_600_000);
  pass(250);
  assert.equal(clock.now(), before + 500);
});

test('when the clock is set ahead, time follows', () => {
  const { clock, pass, set } = given();
  const before = clock.now();
  set(3_600_000);
  pass(10);
  assert.equal(clock.now(), before + 3_600_010);
});

test('when the clock is set back and then right again, no time is counted twice', () => {
  const { clock, pass, set } = given();
  const before = clock.now();
  set(-60_000);
  pass(1_000);
  set(60_000);
  pass(1_000);
  assert.equal(clock.now(), before + 2_000);
});

test('time never goes back, whatever is done to the clock', () => {
  const { clock, pass, set } = given();
  let last = clock.precise();
  for (const jump of [5, -7_000, 0.4, 900, -1, 60_000, -60_000, 0]) {
    set(jump);
    pass(0.3);
    const now = clock.precise();
    assert.ok(now >= last, `${now} comes after ${last}`);
    assert.ok(clock.now() <= now && now - clock.now() < 1);
    last = now;
  }
});

test('a sleep ends at its time, or at once when it is called off', async () => {
  const clock = createClock();
  await clock.sleep(1);
  await clock.sleep(-5);
  await clock.sleep(60_000, AbortSignal.abort());
  const cut = new AbortController();
  const sleeping = clock.sleep(60_000, cut.signal);
  cut.abort();
  await sleeping;
});

test('a sleep longer than a timer can be does not end at once', async () => {
  const clock = createClock();
  const cut = new AbortController();
  let isOver = false;
  const sleeping = clock.sleep(365 * 24 * 3_600_000, cut.signal).then(() => {
    isOver = true;
  });
  await clock.sleep(20);
  assert.equal(isOver, false);
  cut.abort();
  await sleeping;
});

test('times are printed as RFC 3339 in UTC with milliseconds', () => {
  assert.equal(toRfc3339(0), '1970-01-01T00:00:00.000Z');
  assert.equal(toRfc3339(1_767_225_600_042), '2026-01-01T00:00:00.042Z');
});
