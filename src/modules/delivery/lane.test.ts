import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { assertSound } from '../../../tests/support/data-file.ts';
import { type Given, givenDelivery, type Instance, numbered, type Reached, until } from './delivery.fixture.ts';
import { createChance, fullestWindow } from './pace.fixture.ts';
import type { Rate } from './pace.ts';
import type { Judged } from './targets/target.ts';

const delivered: Judged = { outcome: 'delivered', status: 200 };
const retry = { attempts: 100, minDelayMs: 5, maxDelayMs: 50 };

const assertWindows = (reached: readonly Reached[], rate: Rate) => {
  const most = fullestWindow(
    reached.map(({ at }) => at),
    rate,
  );
  assert.ok(most <= rate.requests, `${most} requests in a window of ${rate.intervalMs} ms, where ${rate.requests} are allowed`);
};

const allDelivered = async ({ states }: Given, count: number) => {
  await until(async () => (await states()).delivered === count, states, 60_000);
};

interface Traffic {
  readonly rate: Rate;
  readonly seed: number;
  readonly isWeak: boolean;
}

/** Two owners at a time, one of which is killed or cut off now and then; a target that fails, refuses, and is slow to connect. */
const playTraffic = async (context: TestContext, { rate, seed, isWeak }: Traffic) => {
  const chance = createChance(seed);
  const given = await givenDelivery(context);
  let count = 0;
  const startOne = (): Instance => {
    count += 1;
    const instance = given.startInstance(`owner-${count}`, { isAlone: false, leaseTtlMs: 300 });
    instance.sink.connect = chance() < 0.5 ? () => sleep(chance() * 40) : undefined;
    instance.sink.answer = async () => {
      await sleep(chance() * 30);
      const lot = isWeak ? chance() : 1;
      if (lot < 0.1) return { outcome: 'failed', reason: 'by lot' };
      if (lot < 0.13) return { outcome: 'throttled', reason: 'by lot' };
      if (lot < 0.16) return { outcome: 'throttled', reason: 'by lot', retryAfterMs: 1 + chance() * 200 };
      return delivered;
    };
    return instance;
  };
  let owners = [startOne(), startOne()];
  await owners[0]?.addTarget({ rate, retry, concurrency: 1 + Math.floor(chance() * 8) });
  let sent = 0;
  const sendSome = async () => {
    const amount = Math.ceil(chance() * rate.requests);
    await owners.at(-1)?.send(numbered(`e${sent}-`, amount));
    sent += amount;
  };
  for (let step = 0; step < 4; step += 1) {
    await sendSome();
    await sleep(chance() * 400);
    const [leaving, ...others] = owners;
    if (!leaving) continue;
    if (chance() < 0.4) leaving.kill();
    else if (chance() < 0.5) leaving.line.isCut = true;
    else await leaving.stop();
    owners = [...others, startOne()];
  }
  await sendSome();
  await allDelivered(given, sent);
  assertWindows(given.reached, rate);
  assert.ok(new Set(given.reached.map(({ id }) => id)).size === sent, 'everything went out');
  assertSound(given.dataFolder);
};

/** They mostly wait, so some of them run beside one another. */
suite('a lane', { concurrency: 4 }, () => {
  test('an owner that is cut off stops sending before another takes over, writes nothing any more, and what it had under way goes out again', async (context) => {
    const given = await givenDelivery(context);
    const { reached } = given;
    const first = given.startInstance('first', { isAlone: false, leaseTtlMs: 3_000 });
    const rate = { requests: 10, intervalMs: 500 };
    await first.addTarget({ rate, concurrency: 4, retry });
    let endLate: (outcome: Judged) => void = () => undefined;
    first.sink.answer = ({ id }) => {
      if (id !== 'e5') return delivered;
      return new Promise((resolve) => {
        endLate = resolve;
      });
    };
    await first.send(numbered('e', 60));
    await until(() => reached.length > 0); // the lane is the first one's
    const second = given.startInstance('second', { isAlone: false, leaseTtlMs: 3_000 });
    await until(() => reached.length >= 12);
    assert.ok(
      reached.every(({ sink }) => sink === 'first'),
      'while the first holds the lease nobody else sends',
    );
    first.line.isCut = true;
    await until(() => reached.some(({ sink }) => sink === 'second'));
    const secondBegan = reached.findIndex(({ sink }) => sink === 'second');
    // The first one is back, with an outcome that is not true any more.
    first.line.isCut = false;
    endLate({ outcome: 'refused', reason: 'said to an owner that is no more' });
    await allDelivered(given, 60);
    assert.ok(
      reached.slice(secondBegan).every(({ sink }) => sink === 'second'),
      'after the second has begun the first sends nothing',
    );
    assert.equal(reached.filter(({ id }) => id === 'e5').length, 2, 'what was under way went out again');
    assertWindows(reached, rate);
    await second.stop();
    assertSound(given.dataFolder);
  });

  test('an owner that is cut off with much in hand sends none of it once its lease is over', async (context) => {
    const given = await givenDelivery(context);
    const first = given.startInstance('first', { isAlone: false });
    await first.addTarget({ concurrency: 1 });
    first.sink.answer = async () => {
      await sleep(30);
      return delivered;
    };
    await first.send(numbered('e', 100));
    await until(() => given.reached.length >= 3);
    given.startInstance('second', { isAlone: false }).sink.answer = first.sink.answer;
    first.line.isCut = true;
    await until(() => given.reached.filter(({ sink }) => sink === 'second').length >= 20);
    const began = given.reached.findIndex(({ sink }) => sink === 'second');
    assert.ok(given.reached.slice(began).every(({ sink }) => sink === 'second'));
  });

  test('an owner that cannot write down what it sends stops sending, so that the next one cannot overfill a window', async (context) => {
    const given = await givenDelivery(context);
    const rate = { requests: 1, intervalMs: 100 };
    const first = given.startInstance('first', { isAlone: false, leaseTtlMs: 1_600 });
    await first.addTarget({ rate, concurrency: 1 });
    let goOn: (outcome: Judged) => void = () => undefined;
    first.sink.answer = () =>
      new Promise((resolve) => {
        goOn = resolve;
      });
    await first.send(numbered('e', 100));
    await until(async () => ((await given.states()).delivering ?? 0) >= 20, given.states);
    first.line.isCut = true;
    first.sink.answer = () => delivered;
    goOn(delivered);
    const leases = await given.database.read.selectFrom('leases').select('expiresAt').where('name', 'like', 'lane:%').execute();
    await sleep(Math.max(...leases.map(({ expiresAt }) => expiresAt)) - Date.now() + 1);
    given.startInstance('second', { isAlone: false });
    await until(() => given.reached.filter(({ sink }) => sink === 'second').length >= 5);
    assertWindows(given.reached, rate);
  });

  test('an owner that ends in good order leaves its lane to another, which goes on without a window overfilled', async (context) => {
    const given = await givenDelivery(context);
    const rate = { requests: 5, intervalMs: 200 };
    let owner = given.startInstance('owner-0', { isAlone: false });
    await owner.addTarget({ rate, retry });
    await owner.send(numbered('e', 40));
    for (let turn = 1; turn <= 2; turn += 1) {
      await until(() => given.reached.length >= turn * 12);
      await owner.stop();
      owner = given.startInstance(`owner-${turn}`, { isAlone: false });
    }
    await allDelivered(given, 40);
    assert.equal(given.reached.length, 40, 'nothing goes out twice when nobody is killed');
    assertWindows(given.reached, rate);
  });

  test('over random traffic, refusals, restarts and competing owners, no window is overfull and nothing is lost', async (context) => {
    const traffic = fc.record({
      rate: fc.constantFrom({ requests: 1, intervalMs: 40 }, { requests: 20, intervalMs: 300 }, { requests: 50, intervalMs: 500 }),
      seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      isWeak: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(traffic, async (one) => {
        await context.test(JSON.stringify(one), (inner) => playTraffic(inner, one));
      }),
      { numRuns: 3, endOnFailure: true },
    );
  });

  test('a lane that is stopped ends at once what waits for its turn, and lets end what is under way', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ concurrency: 2 });
    const answers: ((outcome: Judged) => void)[] = [];
    owner.sink.answer = () => new Promise((resolve) => answers.push(resolve));
    await owner.send(numbered('e', 20));
    await until(() => answers.length === 2);
    const stopping = owner.stop();
    for (const answer of answers) answer(delivered);
    await stopping;
    assert.equal(given.reached.length, 2);
    assert.deepEqual(await given.states(), { delivered: 2, waiting: 18 });
    assertSound(given.dataFolder);
  });

  test('a lane that the target has told to wait for an hour stops without waiting', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ rate: { requests: 100, intervalMs: 1_000 }, concurrency: 8 });
    owner.sink.answer = () => ({ outcome: 'throttled', reason: 'come back later', retryAfterMs: 3_600_000 });
    await owner.send(numbered('e', 50));
    await until(() => given.reached.length > 0);
    await sleep(100);
    const began = given.reached.length;
    await owner.stop();
    const next = given.startInstance('next');
    await sleep(300);
    assert.equal(given.reached.length, began, 'the pause outlives a restart');
    assert.deepEqual(await given.states(), { waiting: 50 });
    await next.stop();
  });

  test('a lane does not wait for a transform when it stops', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner', { shape: () => new Promise(() => undefined) });
    await owner.addTarget({ transform: '$' });
    await owner.send(numbered('e', 20));
    await until(async () => (await given.states()).delivering === 20);
    await owner.stop();
    assert.deepEqual(await given.states(), { waiting: 20 });
  });

  test('a claim that was carried out while its answer got lost holds nothing up', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    const id = await owner.addTarget();
    await owner.send(numbered('e', 1));
    await allDelivered(given, 1);
    // As when the database's thread dies right after the commit: claimed, and nobody knows of it.
    await given.database.write([
      {
        sql: `insert into "deliveries" ("id", "tenantId", "targetId", "factId", "factPosition", "type", "state", "queue", "isHeld", "dueAt", "attempts", "createdAt", "updatedAt")
          select 'dlv_lost', "tenantId", "targetId", "factId", "factPosition", "type", 'delivering', 'live', 0, 0, 0, 0, 0 from "deliveries" where "targetId" = ?`,
        parameters: [id],
      },
    ]);
    await owner.send(numbered('f', 1));
    owner.line.isCut = true;
    owner.lanes.wake([id]);
    await sleep(100);
    owner.line.isCut = false;
    await until(() => given.reached.some(({ deliveryId }) => deliveryId === 'dlv_lost'), given.states);
  });

  test('while the database is away nothing is lost, and the lane goes on by itself when it is back', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ concurrency: 4 });
    owner.sink.answer = async () => {
      await sleep(5);
      return delivered;
    };
    await owner.send(numbered('e', 300));
    await until(() => given.reached.length > 20);
    owner.line.isCut = true;
    await sleep(500);
    const reachedAway = given.reached.length;
    assert.ok(reachedAway < 300, 'what cannot be claimed is not sent');
    owner.line.isCut = false;
    await allDelivered(given, 300);
    assert.equal(given.reached.length, 300, 'nothing twice');
    assertSound(given.dataFolder);
  });

  test('an idle lane writes nothing', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget();
    await owner.send(numbered('e', 1));
    await allDelivered(given, 1);
    await sleep(300);
    const versionOf = async () =>
      (await given.database.read.selectFrom('leases').select(['name', 'heldAt']).orderBy('name').execute()).map(({ heldAt }) => heldAt);
    const before = await versionOf();
    await sleep(2_500);
    assert.deepEqual(await versionOf(), before);
  });

  test('a target that breaks down in our own process is a failed try, not the end of the server', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ retry });
    let breaks = 3;
    owner.sink.answer = () => {
      breaks -= 1;
      if (breaks >= 0) throw new TypeError('a fault of ours');
      return delivered;
    };
    await owner.send(numbered('e', 1));
    await allDelivered(given, 1);
    assert.equal(given.reached.length, 4);
  });

  test('while a target is away, one request at a time probes it, and no more', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ concurrency: 8, retry });
    let underWay = 0;
    let failures = 0;
    const atOnce: number[] = [];
    owner.sink.answer = async () => {
      underWay += 1;
      if (failures >= 10) atOnce.push(underWay);
      await sleep(20);
      underWay -= 1;
      failures += 1;
      return failures < 30 ? { outcome: 'failed', reason: 'away' } : delivered;
    };
    await owner.send(numbered('e', 60));
    await until(() => atOnce.length >= 2);
    assert.equal(Math.max(...atOnce.slice(0, 2)), 1);
    await owner.stop();
    assertSound(given.dataFolder);
  });

  test('a target that wants no more is paused once, however many tell so at the same time', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    const id = await owner.addTarget({ concurrency: 8 });
    owner.sink.answer = async () => {
      await sleep(10);
      return { outcome: 'gone', status: 410, reason: 'gone' };
    };
    await owner.send(numbered('e', 30));
    await until(async () => (await owner.acts.get({ tenantId: 'ten_00000000000000000000000000' }, id)).state === 'paused');
    await until(async () => (await given.states()).waiting === 30, given.states);
    const facts = await given.database.read.selectFrom('facts').select('id').where('type', '=', 'target.paused').execute();
    assert.equal(facts.length, 1);
    assert.ok(given.reached.length <= 8);
    owner.sink.answer = () => delivered;
    await owner.change(id, { state: 'active' });
    await allDelivered(given, 30);
  });

  test('a target that cannot be opened, and one that takes long to end, keep no other target waiting', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    const broken = await owner.addTarget({ state: 'paused' });
    await given.database.write([
      { sql: `update "targets" set "sealedConfig" = 'v1.AAAA', "state" = 'active' where "id" = ?`, parameters: [broken] },
    ]);
    const slow = await owner.addTarget();
    let endSlow: (outcome: Judged) => void = () => undefined;
    owner.sink.answer = () =>
      new Promise((resolve) => {
        endSlow = resolve;
      });
    await owner.send(numbered('e', 1));
    await until(() => given.reached.length === 1);
    await owner.change(slow, { types: ['nothing'] });
    owner.sink.answer = () => delivered;
    await owner.addTarget();
    await owner.send(numbered('f', 1));
    await until(() => given.reached.some(({ id }) => id === 'f0'));
    assert.equal(given.reached[0]?.outcome, undefined, 'the slow one has not ended yet');
    endSlow(delivered);
  });
});
