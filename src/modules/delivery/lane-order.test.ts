import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { assertSound } from '../../../tests/support/data-file.ts';
import { caller, type Given, givenDelivery, type Instance, numbered, type Reached, until } from './delivery.fixture.ts';
import { createChance } from './pace.fixture.ts';
import type { Judged } from './targets/target.ts';

const delivered: Judged = { outcome: 'delivered', status: 200 };
const refused: Judged = { outcome: 'refused', status: 400, reason: 'not for me' };
const failed: Judged = { outcome: 'failed', status: 500, reason: 'not now' };
const retry = { attempts: 100, minDelayMs: 5, maxDelayMs: 40 };

const allEnded = async ({ states }: Given, count: number) => {
  await until(
    async () => {
      const { delivered: done = 0, dead = 0, parked = 0 } = await states();
      return done + dead + parked === count;
    },
    states,
    60_000,
  );
};

const keysLeft = async ({ database }: Given) => await database.read.selectFrom('laneKeys').selectAll().execute();

/** For each key: what is next is not tried before what was accepted earlier has ended. */
const assertInOrder = (reached: readonly Reached[], accepted: readonly { id: string; key?: string }[]) => {
  for (const [key, events] of Map.groupBy(accepted, (event) => event.key)) {
    if (key === undefined) continue;
    const ofKey = reached.filter((one) => one.key === key);
    const places = new Map(events.map(({ id }, place) => [id, place]));
    for (const [index, one] of ofKey.entries()) {
      const before = ofKey[index - 1];
      if (!before) continue;
      assert.ok((places.get(one.id) ?? 0) >= (places.get(before.id) ?? 0), `${one.id} came after ${before.id}`);
      assert.ok((before.endedAt ?? Number.POSITIVE_INFINITY) <= one.at, `${one.id} was tried while ${before.id} was under way`);
    }
  }
};

const playOrder = async (context: TestContext, { seed, keyCount, onDead }: { seed: number; keyCount: number; onDead: 'skip' | 'park' }) => {
  const chance = createChance(seed);
  const given = await givenDelivery(context);
  const owner = given.startInstance('owner');
  await owner.addTarget({ ordering: 'key', onDead, concurrency: 8, retry });
  owner.sink.answer = async () => {
    await sleep(chance() * 8);
    const lot = chance();
    if (lot < 0.15) return failed;
    if (lot < 0.2) return refused;
    return lot < 0.22 ? { outcome: 'throttled', reason: 'slow down', retryAfterMs: 1 + chance() * 30 } : delivered;
  };
  const accepted = numbered('e', 150, () => (chance() < 0.9 ? `key-${Math.floor(chance() * keyCount)}` : '')).map(({ id, key }) =>
    key ? { id, key } : { id },
  );
  for (let from = 0; from < accepted.length; from += 30) {
    await owner.send(accepted.slice(from, from + 30));
    await sleep(chance() * 60);
  }
  await allEnded(given, accepted.length);
  assertInOrder(given.reached, accepted);
  const left = await keysLeft(given);
  assert.ok(
    left.every(({ isBlocked }) => isBlocked === 1),
    'no key is held by what has ended',
  );
  if (onDead === 'skip') assert.deepEqual(left, []);
  assertSound(given.dataFolder);
};

/** They mostly wait, so some of them run beside one another. */
suite('order by key', { concurrency: 4 }, () => {
  test('deliveries of a key go one after the other in the order of acceptance, whatever fails, with eight under way at once', async (context) => {
    const orders = fc.record({
      seed: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      keyCount: fc.constantFrom(1, 3, 12),
      onDead: fc.constantFrom('skip', 'park'),
    });
    await fc.assert(
      fc.asyncProperty(orders, async (one) => {
        await context.test(JSON.stringify(one), (inner) => playOrder(inner, one));
      }),
      { numRuns: 5, endOnFailure: true },
    );
  });

  test('a key whose head fails for ever holds itself and no other, nor what has no key', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ ordering: 'key', concurrency: 8, retry: { attempts: 1_000, minDelayMs: 300, maxDelayMs: 300 } });
    owner.sink.answer = ({ key }) => (key === 'poisoned' ? failed : delivered);
    const accepted = numbered('e', 200, (index) => ['poisoned', 'a', 'b', 'c'][index % 4] ?? '');
    await owner.send([...accepted, ...numbered('keyless', 20)]);
    await until(async () => (await given.states()).delivered === 170, given.states);
    assert.equal(new Set(given.reached.filter(({ key }) => key === 'poisoned').map(({ id }) => id)).size, 1, 'only its head was tried');
    owner.sink.answer = () => delivered;
    await allEnded(given, 220);
    assertInOrder(given.reached, accepted);
    assertSound(given.dataFolder);
  });

  test('where a target skips what is dead, the next of the key goes on', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ ordering: 'key', onDead: 'skip' });
    owner.sink.answer = ({ id }) => (id === 'e1' ? refused : delivered);
    await owner.send(numbered('e', 4, () => 'k'));
    await allEnded(given, 4);
    assert.deepEqual(await given.states(), { delivered: 3, dead: 1 });
    assert.deepEqual(await keysLeft(given), []);
  });

  test('where a target parks what follows a dead one, later ones are parked as well, and a replay brings all back in order', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ ordering: 'key', onDead: 'park' });
    owner.sink.answer = ({ id }) => (id === 'e1' ? refused : delivered);
    const accepted = [...numbered('e', 5, () => 'k'), ...numbered('f', 3, () => 'k')];
    await owner.send(accepted.slice(0, 5));
    await allEnded(given, 5);
    assert.deepEqual(await given.states(), { delivered: 1, dead: 1, parked: 3 });
    await owner.send(accepted.slice(5));
    await owner.send(numbered('other', 1, () => 'l'));
    await allEnded(given, 9);
    assert.deepEqual(await given.states(), { delivered: 2, dead: 1, parked: 6 });
    assertSound(given.dataFolder);
    owner.sink.answer = () => delivered;
    const { count, targetIds } = await owner.replay.many(caller, {});
    owner.lanes.wake(targetIds);
    assert.equal(count, 7);
    await until(async () => (await given.states()).delivered === 9, given.states);
    const again = given.reached.filter(({ key }) => key === 'k').slice(2);
    assert.deepEqual(
      again.map(({ id }) => id),
      accepted.slice(1).map(({ id }) => id),
    );
    assert.deepEqual(await keysLeft(given), []);
    assertSound(given.dataFolder);
  });

  test('a target that no longer wants what follows parked lets it go on', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    const id = await owner.addTarget({ ordering: 'key', onDead: 'park' });
    owner.sink.answer = (event) => (event.id === 'e0' ? refused : delivered);
    await owner.send(numbered('e', 2, () => 'k'));
    await allEnded(given, 2);
    await owner.change(id, { onDead: 'skip' });
    await owner.send(numbered('f', 5, () => 'k'));
    await until(async () => (await given.states()).delivered === 5, given.states);
    assert.deepEqual(await keysLeft(given), []);
    assertSound(given.dataFolder);
  });

  test('a replay of one delivery waits its turn among those of its key', async (context) => {
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    await owner.addTarget({ ordering: 'key' });
    owner.sink.answer = ({ id }) => (id === 'e0' ? refused : delivered);
    await owner.send(numbered('e', 2, () => 'k'));
    await allEnded(given, 2);
    let endHead: (outcome: Judged) => void = () => undefined;
    owner.sink.answer = ({ id }) =>
      id === 'head'
        ? new Promise((resolve) => {
            endHead = resolve;
          })
        : delivered;
    await owner.send([{ id: 'head', key: 'k' }, ...numbered('f', 2, () => 'k')]);
    await until(() => given.reached.at(-1)?.id === 'head');
    const [dead] = await given.database.read.selectFrom('deliveries').select('id').where('state', '=', 'dead').execute();
    owner.lanes.wake((await owner.replay.one(caller, dead?.id ?? '')) ?? []);
    await sleep(100);
    assert.equal(given.reached.at(-1)?.id, 'head', 'nothing of the key goes while its head is under way');
    endHead(delivered);
    await until(async () => (await given.states()).delivered === 5, given.states);
    assert.deepEqual(
      given.reached.slice(3).map(({ id }) => id),
      ['e0', 'f0', 'f1'],
    );
    assertSound(given.dataFolder);
  });

  const toggle = async (owner: Instance, target: string, chance: () => number) => {
    for (let turn = 0; turn < 6; turn += 1) {
      await sleep(chance() * 150);
      await owner.change(target, { ordering: turn % 2 === 0 ? 'key' : 'none' });
    }
    await owner.change(target, { ordering: 'key' });
  };

  test('order that is switched on and off over a backlog leaves nothing held behind what has ended', async (context) => {
    const chance = createChance(7);
    const given = await givenDelivery(context);
    const owner = given.startInstance('owner');
    const id = await owner.addTarget({ ordering: 'none', concurrency: 8, retry });
    owner.sink.answer = async () => {
      await sleep(chance() * 20);
      return chance() < 0.2 ? failed : delivered;
    };
    const toggling = toggle(owner, id, chance);
    for (let part = 0; part < 10; part += 1) {
      await owner.send(numbered(`e${part}-`, 40, () => `key-${Math.floor(chance() * 5)}`));
      await sleep(chance() * 60);
    }
    await toggling;
    await until(async () => (await given.states()).delivered === 400, given.states, 60_000);
    assert.deepEqual(await keysLeft(given), []);
    assertSound(given.dataFolder);
  });
});
