import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type OwnTarget, type Scene, startScene } from '../support/delivery-scene.ts';
import { eventually, type Json } from '../support/given.ts';
import type { Received } from '../support/receiver.ts';

const idOf = ({ json }: Received): string => (json as Json).data.id;
/** What arrived of a key, in order; repetitions of a retry count once. */
const arrivals = (target: OwnTarget, key: string): string[] => [
  ...new Set(
    target
      .received()
      .filter(({ json }) => (json as Json).data.key === key)
      .map(idOf),
  ),
];
const range = (length: number) => Array.from({ length }, (_, index) => index);

describe('order by key', { concurrency: 8 }, () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene();
  });
  after(() => scene.stop());

  const sendOf = async (target: OwnTarget, keys: readonly string[], count: number) => {
    const events = range(count).flatMap((number) => keys.map((key) => ({ id: `${target.type}-${key}-${number}`, name: target.type, key })));
    assert.equal((await scene.send(events)).status, 202);
    return (key: string) => range(count).map((number) => `${target.type}-${key}-${number}`);
  };
  const inState = (target: OwnTarget, state: string, wanted: number) =>
    eventually(
      () => target.deliveries(`&state=${state}`),
      (items) => items.length === wanted,
    );

  it('events of a key arrive one after the other, in the order in which they came, whatever fails', async () => {
    let asked = 0;
    const target = await scene.target(() => ({ status: asked++ % 3 === 0 ? 500 : 200, afterMs: asked % 5 }), {
      ordering: 'key',
      retry: { attempts: 20, minDelayMs: 1, maxDelayMs: 5 },
    });
    const idsOf = await sendOf(target, ['a', 'b', 'c', 'd'], 12);
    await inState(target, 'delivered', 48);
    for (const key of ['a', 'b', 'c', 'd']) assert.deepEqual(arrivals(target, key), idsOf(key));
  });

  it('a key whose first event keeps failing holds back only itself', async () => {
    let isBroken = true;
    const target = await scene.target(({ body }) => ({ status: isBroken && body.includes('-poisoned-0"') ? 500 : 200 }), {
      ordering: 'key',
      retry: { attempts: 500, minDelayMs: 20, maxDelayMs: 20 },
    });
    const idsOf = await sendOf(target, ['poisoned', 'healthy'], 5);
    await scene.send({ id: `${target.type}-keyless`, name: target.type });
    await inState(target, 'delivered', 6);
    assert.deepEqual(arrivals(target, 'healthy'), idsOf('healthy'));
    assert.deepEqual(arrivals(target, 'poisoned'), idsOf('poisoned').slice(0, 1), 'the others wait for the first');
    isBroken = false;
    await inState(target, 'delivered', 11);
    assert.deepEqual(arrivals(target, 'poisoned'), idsOf('poisoned'));
  });

  it('onDead skip: behind a dead event the next of its key goes on', async () => {
    const target = await scene.target(({ body }) => ({ status: body.includes('-a-1"') ? 422 : 200 }), { ordering: 'key' });
    const idsOf = await sendOf(target, ['a'], 4);
    await inState(target, 'delivered', 3);
    assert.deepEqual(arrivals(target, 'a'), idsOf('a'));
    const [dead] = await inState(target, 'dead', 1);
    assert.equal(dead?.eventId, `${target.type}-a-1`);
  });

  it('onDead park: what follows a dead event of its key is parked, also what comes later; neighbours go on; replayed they go in order', async () => {
    let isBroken = true;
    const target = await scene.target(({ body }) => ({ status: isBroken && body.includes('-a-0"') ? 422 : 200 }), {
      ordering: 'key',
      onDead: 'park',
    });
    const idsOf = await sendOf(target, ['a', 'b'], 4);
    await inState(target, 'dead', 1);
    const parked = await inState(target, 'parked', 3);
    for (const { reason } of parked) assert.match(reason, /earlier delivery of its key/);
    await inState(target, 'delivered', 4);
    assert.deepEqual(arrivals(target, 'b'), idsOf('b'));

    await scene.send({ id: `${target.type}-a-4`, name: target.type, key: 'a' });
    await inState(target, 'parked', 4);
    assert.deepEqual(arrivals(target, 'a'), idsOf('a').slice(0, 1));

    isBroken = false;
    const before = target.received().length;
    const replayed = await scene.call('POST', '/v1/deliveries/replay', { filter: { target: target.id } });
    assert.equal(replayed.body.count, 5);
    await inState(target, 'delivered', 9);
    assert.deepEqual(target.received().slice(before).map(idOf), [...idsOf('a'), `${target.type}-a-4`]);
    await scene.send({ id: `${target.type}-a-5`, name: target.type, key: 'a' });
    await inState(target, 'delivered', 10);
  });

  it('the partition key of a CloudEvent is its key', async () => {
    let asked = 0;
    const target = await scene.target(() => ({ status: asked++ === 0 ? 500 : 200 }), { ordering: 'key' });
    for (const number of range(4)) {
      const event = { specversion: '1.0', id: `${target.type}-${number}`, source: '/s', type: target.type, partitionkey: 'p' };
      assert.equal((await scene.send(event, { 'content-type': 'application/cloudevents+json' })).status, 202);
    }
    await inState(target, 'delivered', 4);
    assert.deepEqual(
      [...new Set(target.received().map(idOf))],
      range(4).map((number) => `${target.type}-${number}`),
    );
  });

  it('order can be switched on and off while deliveries wait', async () => {
    let asked = 0;
    const target = await scene.target(() => ({ status: asked++ % 4 === 0 ? 500 : 200 }), {
      state: 'paused',
      retry: { attempts: 20, minDelayMs: 30, maxDelayMs: 30 },
    });
    const idsOf = await sendOf(target, ['a', 'b'], 6);
    await inState(target, 'waiting', 12);
    assert.equal((await target.patch({ ordering: 'key', state: 'active' })).status, 200);
    await inState(target, 'delivered', 12);
    for (const key of ['a', 'b']) assert.deepEqual(arrivals(target, key), idsOf(key));

    await target.patch({ state: 'paused' });
    await sendOf(target, ['c'], 6);
    await inState(target, 'waiting', 6);
    assert.equal((await target.patch({ ordering: null, state: 'active' })).status, 200);
    await inState(target, 'delivered', 18);
  });
});
