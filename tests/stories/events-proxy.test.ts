import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, eventually, givenOperator, givenService, givenTarget, type Json } from '../support/given.ts';
import { type Received, type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const count = 40;
const eventOf = (number: number) => ({
  id: `order-${number}`,
  name: 'order.created',
  body: { number, total: 12.5 },
  timestamp: '2026-11-02T09:00:00.000Z',
});
const inputOf = ({ json }: Received): Json => (json as Json).variables.input;
const idsOf = (received: readonly Received[]) => new Set(received.map((one) => inputOf(one).id));

describe('events proxy: a source sends each event once, a slow and faulty GraphQL API gets every one', () => {
  let server: TestServer;
  let receiver: Receiver;
  let operator: string;
  let source: Awaited<ReturnType<typeof givenService>>;
  let session: Json;
  let target: Json;

  before(async () => {
    server = await startServer();
    receiver = await startReceiver({ failureShare: 0.1 });
  });
  after(async () => {
    await server.stop();
    await receiver.stop();
  });

  const flowOf = async (): Promise<Json> => {
    const { body } = await call(server, 'GET', '/v1/flow', { token: operator });
    return { stages: body.stages, target: body.targets.find(({ id }: Json) => id === target.id) };
  };
  const deliveries = async (query: string): Promise<Json[]> =>
    (await call(server, 'GET', `/v1/deliveries?target=${target.id}&limit=200&${query}`, { token: operator })).body.items;
  const post = (events: unknown) => call(server, 'POST', '/v1/events', { token: session.accessToken, body: events });

  it('the operator signs in, makes a service for the source and a target for the API', async () => {
    operator = await givenOperator(server);
    source = await givenService(server, operator, ['events:send']);
    target = await givenTarget(server, operator, {
      name: 'crm',
      config: { url: receiver.url },
      enrich: { brand: 'testBrand' },
      rate: { requests: 25, intervalMs: 500 },
      retry: { minDelayMs: 20, maxDelayMs: 100 },
    });
    assert.equal(target.state, 'active');
  });

  it('the source trades authId and secret for an access and a refresh token', async () => {
    const { authId, secret } = source;
    const answer = await call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId, secret } });
    assert.equal(answer.status, 201);
    assert.equal(answer.body.tokenType, 'Bearer');
    session = answer.body;
    const wrong = await call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId, secret: `${secret}x` } });
    assert.equal(wrong.status, 401);
    assert.equal(wrong.body.type, '/problems/bad-credentials');
  });

  it('it posts each event exactly once and gets a 2xx that says the event is durable', async () => {
    for (let number = 0; number < count / 2; number += 1) {
      const answer = await post(eventOf(number));
      assert.equal(answer.status, 202);
      assert.deepEqual(
        { ...answer.body, receivedAt: typeof answer.body.receivedAt },
        { id: `order-${number}`, status: 'accepted', duplicate: false, receivedAt: 'string' },
      );
    }
  });

  it('it refreshes its session half way, gets a new pair of tokens, and goes on', async () => {
    const refreshed = await call(server, 'POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
    assert.equal(refreshed.status, 200);
    assert.equal(refreshed.body.id, session.id);
    assert.notEqual(refreshed.body.refreshToken, session.refreshToken);
    assert.notEqual(refreshed.body.accessToken, session.accessToken);
    session = { ...refreshed.body, usedRefreshToken: session.refreshToken };
    for (let number = count / 2; number < count; number += 1) assert.equal((await post(eventOf(number))).status, 202);
  });

  it('the target gets every event, enriched with the brand, although one request in ten fails', async () => {
    await receiver.waitFor((received) => idsOf(received).size === count, 30_000);
    const flow = await eventually(flowOf, (one) => one.target.delivered === count);
    assert.deepEqual([flow.stages.accepted.count, flow.stages.routed.count, flow.stages.delivered.count], [count, count, count]);
    assert.deepEqual([flow.target.waiting, flow.target.retrying, flow.target.dead], [0, 0, 0]);
    assert.deepEqual(flow.target.rate, { requests: 25, intervalMs: 500 });
    for (const one of receiver.received) {
      const { number } = inputOf(one).body;
      assert.deepEqual(inputOf(one), { ...eventOf(number), brand: 'testBrand' });
    }
    assert.ok(receiver.received.length > count, 'some were tried again');
  });

  it('the trace of every single event is complete and in order', async () => {
    const wordsOf = (entries: Json[]) => entries.map(({ what }) => what).join(' ');
    const traces: Json[] = [];
    for (let number = 0; number < count; number += 1) {
      const { status, body } = await call(server, 'GET', `/v1/trace/order-${number}`, { token: operator });
      assert.equal(status, 200);
      assert.deepEqual([body.id, body.kind, body.state], [`order-${number}`, 'event', 'delivered']);
      assert.match(wordsOf(body.entries), /^accepted routed (attempted retrying )*attempted delivered$/);
      assert.equal(body.entries[0].who, source.id);
      assert.equal(body.entries.at(-1).where, 'crm');
      const times = body.entries.map(({ at }: Json) => at);
      assert.deepEqual(times, times.toSorted());
      const sent = receiver.received.filter((one) => inputOf(one).id === `order-${number}`);
      assert.equal(body.entries.filter(({ what }: Json) => what === 'attempted').length, sent.length, 'an attempt for each request');
      traces.push(body);
    }
    const retried = traces.find(({ entries }) => entries.length > 4);
    assert.equal(retried.entries[2].detail.outcome, 'failed');
    assert.equal(retried.entries[2].detail.status, 500);
    assert.match(retried.entries[2].detail.reason, /500/);
    assert.ok(Date.parse(retried.entries[3].detail.nextAt));
  });

  it('every try and retry of a delivery carries the same key, so that the target can tell repetitions', async () => {
    const keys = new Map<string, Set<unknown>>();
    for (const one of receiver.received) {
      const id = inputOf(one).id;
      keys.set(id, (keys.get(id) ?? new Set()).add(one.headers['idempotency-key']));
    }
    for (const [id, ofEvent] of keys) assert.equal(ofEvent.size, 1, id);
    assert.equal(new Set([...keys.values()].map((one) => [...one][0])).size, count);
  });

  it('while the target is paused its deliveries wait; resumed they go', async () => {
    const paused = await call(server, 'POST', `/v1/targets/${target.id}/pause`, { token: operator });
    assert.deepEqual([paused.status, paused.body.state], [200, 'paused']);
    const before = receiver.received.length;
    assert.equal((await post([eventOf(100), eventOf(101)])).status, 202);
    const flow = await eventually(flowOf, (one) => one.target.waiting === 2);
    assert.equal(flow.target.state, 'paused');
    assert.equal(typeof flow.target.oldestWaitingMs, 'number');
    const seen = await call(server, 'GET', '/v1/events/order-100', { token: operator });
    assert.equal(seen.body.state, 'waiting');
    assert.equal(receiver.received.length, before);

    const resumed = await call(server, 'POST', `/v1/targets/${target.id}/resume`, { token: operator });
    assert.deepEqual([resumed.status, resumed.body.state], [200, 'active']);
    await receiver.waitFor((received) => idsOf(received).has('order-100') && idsOf(received).has('order-101'), 30_000);
    await eventually(flowOf, (one) => one.target.waiting + one.target.retrying === 0);
  });

  it('what the target refuses for good is dead at once, with its reason, and shows in the flow', async () => {
    receiver.answerWith(() => ({ status: 422, body: { errors: [{ message: 'the total is wrong' }] } }));
    await post([eventOf(200), eventOf(201), eventOf(202)]);
    const dead = await eventually(
      () => deliveries('state=dead'),
      (items) => items.length === 3,
    );
    for (const one of dead) {
      assert.match(one.reason, /the total is wrong/);
      assert.deepEqual(
        one.attempts.map(({ outcome }: Json) => outcome).filter((outcome: string) => outcome === 'refused'),
        ['refused'],
      );
    }
    const flow = await flowOf();
    assert.deepEqual([flow.stages.dead.count, flow.target.dead], [3, 3]);
    assert.equal((await call(server, 'GET', '/v1/events/order-200', { token: operator })).body.state, 'dead');
    assert.equal((await call(server, 'GET', '/v1/events?state=dead', { token: operator })).body.items.length, 3);
  });

  it('when the target is mended, dead letters are replayed one by one and in bulk', async () => {
    receiver.answerWith(() => ({ body: { data: { processEvent: { id: '1' } } } }));
    const [first] = await deliveries('state=dead');
    const one = await call(server, 'POST', `/v1/deliveries/${first.id}/replay`, { token: operator });
    assert.deepEqual([one.status, one.body], [202, { count: 1 }]);
    await eventually(
      () => call(server, 'GET', `/v1/deliveries/${first.id}`, { token: operator }),
      ({ body }) => body.state === 'delivered',
    );

    const filter = { state: 'dead', target: target.id };
    const many = await call(server, 'POST', '/v1/deliveries/replay', { token: operator, body: { filter } });
    assert.deepEqual([many.status, many.body], [202, { count: 2 }]);
    const flow = await eventually(flowOf, ({ target: { dead, waiting, retrying } }) => dead + waiting + retrying === 0);
    assert.equal(flow.target.delivered, count + 5);
    assert.equal(flow.stages.dead.count, 0);

    const { body: trace } = await call(server, 'GET', `/v1/trace/${first.id}`, { token: operator });
    assert.deepEqual([trace.kind, trace.state], ['delivery', 'delivered']);
    const words = trace.entries.map(({ what }: Json) => what);
    assert.match(words.join(' '), /attempted dead replayed (attempted retrying )*attempted delivered$/);
  });

  it('a refresh token that is used a second time kills the whole session', async () => {
    const reuse = await call(server, 'POST', '/v1/sessions/refresh', { body: { refreshToken: session.usedRefreshToken } });
    assert.equal(reuse.status, 401);
    assert.equal(reuse.body.type, '/problems/bad-refresh-token');
    const refused = await post(eventOf(300));
    assert.equal(refused.status, 401);
    assert.match(refused.headers.get('www-authenticate') ?? '', /^Bearer/);
    const next = await call(server, 'POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
    assert.equal(next.status, 401);
  });
});

describe('events proxy by settings alone: a target without any API call', () => {
  let first: Receiver;
  let second: Receiver;
  let server: TestServer;
  let sender: string;
  let operator: string;

  const start = async (env: Readonly<Record<string, string>>, dataFolder?: string) => {
    server = await startServer(dataFolder === undefined ? { env } : { env, dataFolder });
    operator = await givenOperator(server);
    sender = (await givenService(server, operator)).token;
  };
  const restart = async (env: Readonly<Record<string, string>>) => {
    assert.equal(await server.kill('SIGTERM'), 0);
    await start(env, server.dataFolder);
  };
  const targets = async (): Promise<Json[]> => (await call(server, 'GET', '/v1/targets', { token: operator })).body.items;
  const post = (event: unknown) => call(server, 'POST', '/v1/events', { token: sender, body: event });

  before(async () => {
    first = await startReceiver();
    second = await startReceiver();
    await start({ ENTREPOT_TARGET_GRAPHQL_URL: first.url });
  });
  after(async () => {
    await server.stop();
    await first.stop();
    await second.stop();
  });

  it('ENTREPOT_TARGET_GRAPHQL_URL alone proxies every event with the brand, one request in two seconds, ten attempts', async () => {
    assert.equal((await post(eventOf(1))).status, 202);
    await first.waitFor(1, 30_000);
    assert.deepEqual(inputOf(first.received[0] as Received), { ...eventOf(1), brand: 'testBrand' });
    const [target, ...others] = await targets();
    assert.deepEqual(others, []);
    assert.deepEqual(target.rate, { requests: 1, intervalMs: 2000 });
    assert.equal(target.retry.attempts, 10);
    assert.equal(target.config.url, first.url);
  });

  it('a restart with other settings changes that target and makes no second one; what waited goes the new way', async () => {
    const [before] = await targets();
    await call(server, 'POST', `/v1/targets/${before.id}/pause`, { token: operator });
    assert.equal((await post(eventOf(2))).status, 202);
    await restart({
      ENTREPOT_TARGET_GRAPHQL_URL: second.url,
      ENTREPOT_TARGET_RATE: '50/1s',
      ENTREPOT_TARGET_RETRIES: '3',
      ENTREPOT_TARGET_ENRICH: '{"shop":{"id":17}}',
    });
    const [target, ...others] = await targets();
    assert.deepEqual(others, []);
    assert.equal(target.id, before.id);
    assert.equal(target.config.url, second.url);
    assert.deepEqual(target.rate, { requests: 50, intervalMs: 1000 });
    assert.equal(target.retry.attempts, 4);
    assert.deepEqual(target.enrich, { shop: { id: 17 } });
    assert.equal(target.state, 'paused', 'who paused it by hand resumes it by hand');

    await call(server, 'POST', `/v1/targets/${target.id}/resume`, { token: operator });
    assert.equal((await post(eventOf(3))).status, 202);
    await second.waitFor(2, 30_000);
    const inputs = second.received.map(inputOf).sort((one, other) => one.body.number - other.body.number);
    assert.deepEqual(inputs, [
      { ...eventOf(2), shop: { id: 17 } },
      { ...eventOf(3), shop: { id: 17 } },
    ]);
    assert.equal(first.received.length, 1);
  });

  it('a restart without those settings keeps the target as it was, since events may wait for it', async () => {
    const [before] = await targets();
    await restart({});
    assert.deepEqual(await targets(), [before]);
    assert.equal((await post(eventOf(4))).status, 202);
    await second.waitFor(3, 30_000);
  });

  it('enrichment can be switched off', async () => {
    await restart({ ENTREPOT_TARGET_GRAPHQL_URL: second.url, ENTREPOT_TARGET_RATE: '50/1s', ENTREPOT_TARGET_ENRICH: '{}' });
    assert.equal((await post(eventOf(5))).status, 202);
    await second.waitFor(4, 30_000);
    assert.deepEqual(inputOf(second.received[3] as Received), eventOf(5));
  });
});
