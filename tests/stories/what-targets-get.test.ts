import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { buildSchema, graphql } from 'graphql';
import { Webhook } from 'standardwebhooks';
import { type OwnTarget, type Scene, startScene } from '../support/delivery-scene.ts';
import { eventually, type Json } from '../support/given.ts';
import type { Received } from '../support/receiver.ts';

const only = (target: OwnTarget): Received => {
  const [first, ...others] = target.received();
  assert.deepEqual(others, []);
  assert.ok(first);
  return first;
};
const received = (target: OwnTarget, wanted: number) =>
  eventually(
    async () => target.received(),
    (list) => list.length >= wanted,
  );
const webhookHeaders = ({ headers }: Received) => ({
  'webhook-id': String(headers['webhook-id']),
  'webhook-timestamp': String(headers['webhook-timestamp']),
  'webhook-signature': String(headers['webhook-signature']),
});
const mutation = 'mutation ProcessEvent($input: ProcessEventInput!) { processEvent(input: $input) { id } }';

describe('what targets get', { concurrency: 8 }, () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene();
  });
  after(() => scene.stop());

  describe('a GraphQL target', { concurrency: 8 }, () => {
    it('gets the mutation with the event as its input, and nothing else', async () => {
      const target = await scene.target(undefined, { kind: 'graphql', enrich: { brand: 'testBrand' } });
      const event = { body: { total: 1 }, timestamp: '2026-11-02T09:00:00Z', colour: 'red' };
      await target.send('x', event);
      await target.delivery('x', 'delivered');
      const request = only(target);
      assert.deepEqual(request.json, {
        query: mutation,
        variables: { input: { id: `${target.type}-x`, name: target.type, ...event, brand: 'testBrand' } },
      });
      assert.equal(request.method, 'POST');
      assert.equal(request.headers['content-type'], 'application/json');
      assert.match(String(request.headers.accept), /application\/json/);
      assert.equal(request.headers['content-length'], String(Buffer.byteLength(request.body)));
    });

    it('that is a real GraphQL server runs it', async () => {
      const schema = buildSchema(`
        input ProcessEventInput { id: ID! name: String! total: Float brand: String }
        type Processed { id: ID! }
        type Query { ok: Boolean }
        type Mutation { processEvent(input: ProcessEventInput!): Processed }
      `);
      const taken: Json[] = [];
      const rootValue = { processEvent: ({ input }: Json) => taken.push({ ...input }) && { id: input.id } };
      const answer = async ({ json }: Received) => {
        const { query, variables } = json as Json;
        return { body: { ...(await graphql({ schema, rootValue, source: query, variableValues: variables })) } };
      };
      const target = await scene.target(answer, { kind: 'graphql', enrich: { brand: 'testBrand' } });
      await target.send('good', { total: 12.5 });
      await target.delivery('good', 'delivered');
      assert.deepEqual(taken, [{ id: `${target.type}-good`, name: target.type, total: 12.5, brand: 'testBrand' }]);
      await target.send('bad', { unknown: true });
      await target.delivery('bad', 'retrying', 'dead');
    });

    it('may have a mutation, a variable and headers of its own; header values are never shown', async () => {
      const config = {
        mutation: 'mutation Take($event: JSON!) { take(event: $event) }',
        variable: 'event',
        headers: { Authorization: 'Bearer its-own-key', 'X-Shop': '17' },
      };
      const target = await scene.target(undefined, { kind: 'graphql', config });
      assert.deepEqual(target.made.config.headers, { Authorization: '[secret]', 'X-Shop': '[secret]' });
      await target.send('x');
      await target.delivery('x', 'delivered');
      const { json, headers } = only(target);
      assert.deepEqual(json, { query: config.mutation, variables: { event: { id: `${target.type}-x`, name: target.type } } });
      assert.deepEqual([headers.authorization, headers['x-shop']], ['Bearer its-own-key', '17']);
      const listed = await scene.call('GET', `/v1/targets/${target.id}`);
      assert.ok(!listed.text.includes('its-own-key'));
    });
  });

  describe('a webhook', { concurrency: 8 }, () => {
    it('gets type, timestamp and data, signed so that the library of Standard Webhooks verifies it', async () => {
      const target = await scene.target(undefined, { enrich: { brand: 'testBrand' } });
      await target.send('x', { body: { text: 'ü😀' } });
      await target.delivery('x', 'delivered');
      const request = only(target);
      const verified = new Webhook(target.made.config.secret).verify(request.body, webhookHeaders(request)) as Json;
      assert.deepEqual(Object.keys(verified), ['type', 'timestamp', 'data']);
      assert.equal(verified.type, target.type);
      assert.match(verified.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.deepEqual(verified.data, { id: `${target.type}-x`, name: target.type, body: { text: 'ü😀' }, brand: 'testBrand' });
      assert.throws(() => new Webhook(target.made.config.secret).verify(`${request.body} `, webhookHeaders(request)));
    });

    it('has a secret that is made when none is given, and shown once', async () => {
      const target = await scene.target();
      assert.match(target.made.config.secret, /^whsec_[A-Za-z0-9+/]{32,}=*$/);
      for (const answer of [await scene.call('GET', `/v1/targets/${target.id}`), await scene.call('GET', '/v1/targets?limit=200')])
        assert.ok(!answer.text.includes(target.made.config.secret));
      const own = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
      const given = await scene.target(undefined, { config: { secret: own } });
      assert.equal(given.made.config.secret, '[secret]');
      await given.send('x');
      await given.delivery('x', 'delivered');
      new Webhook(own).verify(only(given).body, webhookHeaders(only(given)));
    });

    it('knows repetitions: the webhook-id is the delivery on every try and replay, the timestamp is that of the try', async () => {
      let tries = 0;
      const target = await scene.target(() => ({ status: ++tries < 3 ? 500 : 200 }));
      await target.send('x');
      const { id } = await target.delivery('x', 'delivered');
      const replayed = await scene.call('POST', `/v1/deliveries/${id}/replay`);
      assert.equal(replayed.status, 202);
      await received(target, 4);
      for (const request of target.received()) {
        assert.equal(request.headers['webhook-id'], id);
        new Webhook(target.made.config.secret).verify(request.body, webhookHeaders(request));
      }
      const times = target.received().map(({ headers }) => Number(headers['webhook-timestamp']));
      assert.deepEqual(times, times.toSorted());
    });

    it('is signed by the old and the new secret for a while when it is changed', async () => {
      const target = await scene.target();
      const next = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
      assert.equal((await target.patch({ config: { secret: next } })).status, 200);
      await target.send('x');
      await target.delivery('x', 'delivered');
      for (const secret of [target.made.config.secret, next]) new Webhook(secret).verify(only(target).body, webhookHeaders(only(target)));
    });
  });

  describe('enrichment and transformation', { concurrency: 8 }, () => {
    it('enrichment takes the place of what the source sent under its names', async () => {
      const target = await scene.target(undefined, { enrich: { brand: 'ours', nested: { a: 1 }, gone: null } });
      await target.send('x', { brand: 'theirs', nested: { b: 2 }, gone: 'here', kept: 1 });
      await target.delivery('x', 'delivered');
      const { data } = only(target).json as Json;
      assert.deepEqual(data, { id: `${target.type}-x`, name: target.type, brand: 'ours', nested: { a: 1 }, gone: null, kept: 1 });
      assert.equal((await scene.event(`${target.type}-x`, 'delivered')).brand, 'theirs', 'what was sent stays as it was');
    });

    it('a transform makes what it wants of the merged event', async () => {
      const transform = '{"order": id, "amount": $sum(body.lines.price), "brand": brand}';
      const target = await scene.target(undefined, { kind: 'graphql', transform, enrich: { brand: 'testBrand' } });
      await target.send('x', { body: { lines: [{ price: 2 }, { price: 3.5 }] } });
      await target.delivery('x', 'delivered');
      assert.deepEqual((only(target).json as Json).variables.input, { order: `${target.type}-x`, amount: 5.5, brand: 'testBrand' });
    });

    it('a transform that fails parks the delivery with its reason, others go on; replayed after it was mended it arrives', async () => {
      const target = await scene.target(undefined, { transform: '{"half": $number(body) / 2}' });
      await target.send('bad', { body: 'no number' });
      await target.send('good', { body: '8' });
      await target.delivery('good', 'delivered');
      const parked = await target.delivery('bad', 'parked');
      assert.match(parked.reason, /transform.*number/i);
      assert.deepEqual(parked.attempts, [], 'nothing was sent');
      assert.equal((await scene.event(`${target.type}-bad`, 'dead')).state, 'dead');
      const { body: trace } = await scene.call('GET', `/v1/trace/${target.type}-bad`);
      assert.deepEqual([trace.entries.at(-1).what, trace.state], ['parked', 'dead']);

      assert.equal((await target.patch({ transform: '{"text": body}' })).status, 200);
      assert.equal((await scene.call('POST', '/v1/deliveries/replay', { filter: { target: target.id, state: 'parked' } })).body.count, 1);
      await target.delivery('bad', 'delivered');
      const bodies = target.received().map(({ json }) => json as Json);
      assert.deepEqual(
        bodies.map(({ data }) => data),
        [{ half: 4 }, { text: 'no number' }],
      );
    });

    it('a transform that makes no object, runs for ever or takes all memory parks its delivery and harms nobody', async () => {
      const endless = await scene.target(undefined, { transform: '($f := function($n) { $f($n + 1) }; {"a": $f(1)})' });
      const hungry = await scene.target(undefined, { transform: '{"a": [1..10000000]}' });
      const text = await scene.target(undefined, { transform: '"text"' });
      const nothing = await scene.target(undefined, { transform: 'nothing.here' });
      const well = await scene.target(undefined, { transform: '{"id": id}' });
      const broken = [endless, hungry, text, nothing];
      for (const target of [...broken, well]) await target.send('x');
      for (const target of broken) {
        const parked = await target.delivery('x', 'parked');
        assert.match(parked.reason, /transform/);
        assert.equal(target.received().length, 0);
      }
      await well.delivery('x', 'delivered');
      assert.equal((await scene.call('GET', '/readyz')).status, 200);
    });

    it('what is no JSONata is refused when it is set', async () => {
      const body = { name: 'no-jsonata', kind: 'webhook', config: { url: scene.receiver.url }, transform: '{"a": ' };
      const { status, body: problem } = await scene.call('POST', '/v1/targets', body);
      assert.deepEqual([status, problem.type, problem.errors[0].at], [400, '/problems/bad-body', '/transform']);
    });
  });

  describe('tracing', { concurrency: 8 }, () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';

    it('the trace of the request that brought the event in is continued to the target, also on a replay', async () => {
      for (const kind of ['graphql', 'webhook']) {
        const target = await scene.target(undefined, { kind });
        const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=value' };
        await scene.send({ id: `${target.type}-x`, name: target.type }, headers);
        const { id } = await target.delivery('x', 'delivered');
        await scene.call('POST', `/v1/deliveries/${id}/replay`);
        await received(target, 2);
        for (const request of target.received()) {
          assert.match(String(request.headers.traceparent), new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
          assert.equal(request.headers.tracestate, 'vendor=value');
        }
      }
    });

    it('a request without a trace, or with a garbled one, begins its own', async () => {
      const target = await scene.target();
      await scene.send({ id: `${target.type}-1`, name: target.type });
      await scene.send({ id: `${target.type}-2`, name: target.type }, { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` });
      await scene.send({ id: `${target.type}-3`, name: target.type }, { traceparent: 'garbled' });
      await received(target, 3);
      const ids = target
        .received()
        .map(({ headers }) => /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(String(headers.traceparent))?.[1]);
      assert.ok(!ids.includes(undefined) && !ids.includes('0'.repeat(32)));
      assert.equal(new Set(ids).size, 3);
    });

    it('the request id of the sender leads to what became of its events', async () => {
      const target = await scene.target();
      const answer = await scene.send(
        [1, 2].map((number) => ({ id: `${target.type}-${number}`, name: target.type })),
        { 'x-request-id': 'my-request-17' },
      );
      assert.equal(answer.headers.get('x-request-id'), 'my-request-17');
      const { status, body } = await scene.call('GET', '/v1/trace/my-request-17');
      assert.deepEqual([status, body.kind, body.entries.length], [200, 'request', 2]);
    });
  });
});
