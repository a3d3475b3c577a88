import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClock } from './clock.ts';
import { type Log, silentLog } from './log.ts';
import { createBell, startLoop, startRounds } from './work.ts';

const clock = createClock();
const never = new AbortController().signal;
const longMs = 60_000;

test('a wait ends at the next ring', async () => {
  const bell = createBell(clock);
  const waiting = bell.wait(longMs, never);
  await sleep(5);
  bell.ring();
  await waiting;
});

test('a ring that came before the wait is not lost, and many of them are one', async () => {
  const bell = createBell(clock);
  bell.ring();
  bell.ring();
  await bell.wait(longMs, never);
  let isOver = false;
  const second = bell.wait(longMs, never).then(() => {
    isOver = true;
  });
  await sleep(20);
  assert.equal(isOver, false, 'the second ring was one with the first');
  bell.ring();
  await second;
});

test('a wait ends by itself after its time, and when it is called off before or meanwhile', async () => {
  const bell = createBell(clock);
  await bell.wait(1, never);
  await bell.wait(longMs, AbortSignal.abort());
  const cut = new AbortController();
  const waiting = bell.wait(longMs, cut.signal);
  cut.abort();
  await waiting;
});

test('no ring is lost between many waits', async () => {
  const bell = createBell(clock);
  let asked = 0;
  let done = 0;
  const cut = new AbortController();
  const working = (async () => {
    while (!cut.signal.aborted) {
      await bell.wait(longMs, cut.signal);
      done = asked;
    }
  })();
  for (let turn = 0; turn < 200; turn += 1) {
    asked += 1;
    bell.ring();
    if (turn % 3 === 0) await new Promise(setImmediate);
  }
  while (done < asked) await sleep(1);
  cut.abort();
  await working;
});

const loopWith = (round: (signal: AbortSignal) => Promise<void>, log: Log = silentLog) => startLoop({ name: 'test', clock, log, round });

test('a round that fails is told to the log and tried again, later each time', async () => {
  const told: object[] = [];
  const at: number[] = [];
  const loop = loopWith(
    async (signal) => {
      at.push(performance.now());
      if (at.length < 4) throw new Error('not yet');
      await clock.sleep(longMs, signal);
    },
    { ...silentLog, error: (fields) => told.push(fields) },
  );
  while (at.length < 4) await sleep(5);
  await loop.stop();
  assert.equal(told.length, 3);
  const waits = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  assert.ok(
    waits.every((wait, index) => wait >= 100 * 2 ** index - 5),
    String(waits),
  );
});

test('a loop that is stopped lets its round end, and begins no other', async () => {
  let rounds = 0;
  let hasEnded = false;
  const loop = loopWith(async () => {
    rounds += 1;
    await sleep(30);
    hasEnded = true;
  });
  await loop.stop();
  assert.equal(rounds, 1);
  assert.ok(hasEnded);
  await sleep(40);
  assert.equal(rounds, 1);
});

test('a loop that waits is stopped at once, in its wait or after a failure', async () => {
  const waiting = loopWith((signal) => clock.sleep(longMs, signal));
  await sleep(5);
  await waiting.stop();
  let fails = 0;
  const failing = loopWith(async () => {
    fails += 1;
    throw new Error('always');
  });
  while (fails < 2) await sleep(5);
  await failing.stop();
  await failing.stop();
});

test('rounds begin after the first wait, go on after the others, and one that failed is tried again after the wait that it had', async () => {
  const waits: number[] = [];
  let rounds = 0;
  const worker = startRounds({
    ...{ name: 'test', log: silentLog, firstMs: 11, everyMs: 22 },
    clock: {
      ...clock,
      async sleep(ms, signal) {
        if (ms < 100) waits.push(ms);
        await clock.sleep(Math.min(ms, 1), signal);
      },
    },
    async round() {
      rounds += 1;
      if (rounds === 1) throw new Error('once');
    },
  });
  while (rounds < 3) await sleep(2);
  await worker.stop();
  assert.deepEqual(waits.slice(0, 3), [11, 11, 22]);
});

test('rounds that are stopped in their first wait never begin', async () => {
  let rounds = 0;
  const worker = startRounds({
    ...{ name: 'test', clock, log: silentLog, firstMs: longMs, everyMs: longMs },
    async round() {
      rounds += 1;
    },
  });
  await worker.stop();
  assert.equal(rounds, 0);
});
