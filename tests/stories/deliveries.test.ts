import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OwnTarget, type Scene, startScene } from '../support/delivery-scene.ts';
import { call, eventually, givenService, type Json } from '../support/given.ts';

const refusing = () => ({ status: 422 });
const eventIds = (items: readonly Json[]): string[] => items.map(({ eventId }) => eventId);

describe('deliveries', () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene();
  });
  after(() => scene.stop());

  const list = async (query: string): Promise<Json> => {
    const { status, body, text } = await scene.call('GET', `/v1/deliveries?${query}`);
    assert.equal(status, 200, text);
    return body;
  };

  describe('looking at them', () => {
    let well: OwnTarget;
    let dead: OwnTarget;
    /** A time between the first two events and the third. */
    let middle: string;

    before(async () => {
      dead = await scene.target(refusing);
      well = await scene.target(undefined, { types: [dead.type, 'listed.other'] });
      await dead.send(1);
      await scene.send({ id: 'listed-other', name: 'listed.other' });
      await sleep(5);
      middle = new Date().toISOString();
      await sleep(5);
      await dead.send(2);
      await dead.delivery(1, 'dead');
      await dead.delivery(2, 'dead');
      await eventually(
        () => well.deliveries('&state=delivered'),
        (items) => items.length === 3,
      );
    });

    it('the list can be filtered by target, state, event, type and time', async () => {
      const [first, second] = [`${dead.type}-1`, `${dead.type}-2`];
      assert.deepEqual(eventIds((await list(`target=${well.id}`)).items), [second, 'listed-other', first]);
      assert.deepEqual(eventIds((await list(`target=${dead.id}&state=dead`)).items), [second, first]);
      assert.deepEqual(eventIds((await list(`target=${dead.id}&state=delivered`)).items), []);
      assert.deepEqual(new Set((await list(`event=${first}`)).items.map(({ target }: Json) => target)), new Set([well.id, dead.id]));
      assert.deepEqual(eventIds((await list('type=listed.other')).items), ['listed-other']);
      assert.deepEqual(eventIds((await list(`target=${well.id}&from=${middle}`)).items), [second]);
      assert.deepEqual(eventIds((await list(`target=${well.id}&to=${middle}`)).items), ['listed-other', first]);
      assert.deepEqual((await list('event=nowhere')).items, []);
      assert.deepEqual((await list('target=tgt_nowhere')).items, []);
    });

    it('`event` finds those of every sender of that id', async () => {
      const target = await scene.target();
      const other = await givenService(scene.server, scene.operator, ['events:send']);
      await target.send('shared');
      await call(scene.server, 'POST', '/v1/events', { token: other.token, body: { id: `${target.type}-shared`, name: target.type } });
      await eventually(
        () => target.deliveries('&state=delivered'),
        (items) => items.length === 2,
      );
      assert.equal((await list(`event=${target.type}-shared`)).items.length, 2);
    });

    it('the list comes in pages', async () => {
      const first = await list(`target=${well.id}&limit=2`);
      const second = await list(`target=${well.id}&limit=2&cursor=${first.nextCursor}`);
      assert.equal(second.nextCursor, undefined);
      assert.deepEqual(eventIds([...first.items, ...second.items]), [`${dead.type}-2`, 'listed-other', `${dead.type}-1`]);
    });

    it('one shows its tries', async () => {
      const one = await dead.delivery(1, 'dead');
      const { body } = await scene.call('GET', `/v1/deliveries/${one.id}`);
      assert.deepEqual(body, one);
      const [attempt] = body.attempts;
      assert.deepEqual(Object.keys(body).sort(), ['attempts', 'eventId', 'id', 'reason', 'state', 'target', 'type']);
      assert.deepEqual(
        { ...attempt, at: '', durationMs: 0 },
        { at: '', outcome: 'refused', status: 422, reason: 'The target answered 422.', durationMs: 0 },
      );
    });

    it('one that is to be tried again tells when', async () => {
      const target = await scene.target(() => ({ status: 500 }), { retry: { attempts: 9, minDelayMs: 3_600_000, maxDelayMs: 3_600_000 } });
      await target.send('x');
      const retrying = await target.delivery('x', 'retrying');
      assert.ok(Date.parse(retrying.nextAt));
      assert.equal((await scene.event(`${target.type}-x`, 'waiting')).state, 'waiting');
      const flow = await scene.call('GET', '/v1/flow');
      assert.equal(flow.body.targets.find(({ id }: Json) => id === target.id).retrying, 1);
    });

    it('a wrong filter is refused, what is not there is 404', async () => {
      for (const query of ['state=asleep', 'from=x', 'limit=0', 'limit=201', 'colour=red', 'target=']) {
        const { status, body } = await scene.call('GET', `/v1/deliveries?${query}`);
        assert.deepEqual([status, body.type], [400, '/problems/bad-query'], query);
      }
      assert.equal((await scene.call('GET', '/v1/deliveries?cursor=garbled')).body.type, '/problems/bad-cursor');
      assert.equal((await scene.call('GET', '/v1/deliveries/dlv_nowhere')).status, 404);
      assert.equal((await scene.call('POST', '/v1/deliveries/dlv_nowhere/replay')).status, 404);
    });
  });

  describe('replaying them', () => {
    const replay = (filter?: unknown) => scene.call('POST', '/v1/deliveries/replay', filter === undefined ? {} : { filter });

    it('dead, parked and delivered ones can be replayed, those that are still open cannot', async () => {
      const target = await scene.target();
      await target.send('delivered');
      const { id } = await target.delivery('delivered', 'delivered');
      assert.deepEqual((await scene.call('POST', `/v1/deliveries/${id}/replay`)).body, { count: 1 });
      await eventually(
        async () => target.received().length,
        (length) => length === 2,
      );
      const again = await target.delivery('delivered', 'delivered');
      assert.equal(again.attempts.length, 2);

      await scene.call('POST', `/v1/targets/${target.id}/pause`);
      await target.send('waiting');
      const open = await target.delivery('waiting', 'waiting');
      const refused = await scene.call('POST', `/v1/deliveries/${open.id}/replay`);
      assert.deepEqual([refused.status, refused.body.type], [409, '/problems/conflict']);
      assert.match(refused.body.detail, /waiting/);
    });

    it('a replay has all its attempts again, and may die again', async () => {
      const target = await scene.target(() => ({ status: 500 }), { retry: { attempts: 2, minDelayMs: 1, maxDelayMs: 1 } });
      await target.send('x');
      const { id } = await target.delivery('x', 'dead');
      assert.equal((await scene.call('POST', `/v1/deliveries/${id}/replay`)).status, 202);
      const dead = await eventually(
        () => target.delivery('x', 'dead', 'waiting', 'delivering', 'retrying'),
        ({ state, attempts }) => state === 'dead' && attempts.length === 4,
      );
      assert.equal(dead.state, 'dead');
    });

    it('many are replayed by target, type, state and time', async () => {
      const target = await scene.target(refusing, { types: ['bulk.a', 'bulk.b'] });
      await scene.send([
        { id: 'bulk-1', name: 'bulk.a' },
        { id: 'bulk-2', name: 'bulk.b' },
      ]);
      await eventually(
        () => target.deliveries('&state=dead'),
        (items) => items.length === 2,
      );
      await sleep(5);
      const middle = new Date().toISOString();
      await sleep(5);
      await scene.send({ id: 'bulk-3', name: 'bulk.a' });
      await eventually(
        () => target.deliveries('&state=dead'),
        (items) => items.length === 3,
      );
      await scene.call('POST', `/v1/targets/${target.id}/pause`);
      const filter = { target: target.id };
      assert.equal((await replay({ ...filter, state: 'parked' })).body.count, 0);
      assert.equal((await replay({ ...filter, state: 'waiting' })).body.count, 0);
      assert.equal((await replay({ ...filter, type: 'bulk.a', to: middle })).body.count, 1);
      assert.deepEqual(eventIds(await target.deliveries('&state=waiting')), ['bulk-1']);
      assert.equal((await replay({ ...filter, from: middle })).body.count, 1);
      assert.equal((await replay(filter)).body.count, 1, 'those that wait already are not taken twice');
      assert.equal((await replay(filter)).body.count, 0);
      target.answerWith(() => ({ status: 200 }));
      await scene.call('POST', `/v1/targets/${target.id}/resume`);
      await eventually(
        () => target.deliveries('&state=delivered'),
        (items) => items.length === 3,
      );
    });

    it('replayed ones go behind what is live, and none is starved', async () => {
      const target = await scene.target(refusing, { concurrency: 1, rate: { requests: 50, intervalMs: 1000 } });
      for (const id of [1, 2, 3]) await target.send(`old-${id}`);
      for (const id of [1, 2, 3]) await target.delivery(`old-${id}`, 'dead');
      await scene.call('POST', `/v1/targets/${target.id}/pause`);
      assert.equal((await replay({ target: target.id })).body.count, 3);
      const live = Array.from({ length: 20 }, (_, index) => ({ id: `${target.type}-live-${index}`, name: target.type }));
      await scene.send(live);
      await eventually(
        () => target.deliveries('&state=waiting'),
        (items) => items.length === 23,
      );
      const before = target.received().length;
      target.answerWith(() => ({ status: 200 }));
      await scene.call('POST', `/v1/targets/${target.id}/resume`);
      await eventually(
        () => target.deliveries('&state=delivered'),
        (items) => items.length === 23,
      );
      const order = target
        .received()
        .slice(before)
        .map(({ json }) => (json as Json).data.id as string);
      assert.match(order[0] ?? '', /live/);
      assert.ok(order.slice(0, 12).filter((id) => id.includes('live')).length >= 6, order.join(' '));
    });

    it('a wrong filter is refused, and who may only read cannot replay', async () => {
      for (const [body, at] of [
        [{ filter: { state: 'asleep' } }, '/filter/state'],
        [{ filter: { colour: 'red' } }, '/filter/colour'],
        [{ filter: { from: 'x' } }, '/filter/from'],
        [{ all: true }, '/all'],
        [{ filter: [] }, '/filter'],
      ] as const) {
        const { status, body: problem } = await scene.call('POST', '/v1/deliveries/replay', body);
        assert.deepEqual([status, problem.type, problem.errors[0].at], [400, '/problems/bad-body', at]);
      }
      for (const path of ['/v1/deliveries/replay', '/v1/deliveries/dlv_x/replay']) {
        const { status, body } = await call(scene.server, 'POST', path, { token: scene.sender.token, body: {} });
        assert.deepEqual([status, body.scope], [403, 'deliveries:replay']);
      }
    });
  });
});
