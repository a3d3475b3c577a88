import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { call, eventually, givenOperator, givenService, givenTarget, type Json } from '../support/given.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

interface Message {
  readonly id: string;
  readonly event: string;
  readonly data: Json;
}

/** Somebody who watches: messages as they come, until the stream ends. */
interface Viewer {
  readonly messages: readonly Message[];
  readonly status: number;
  readonly headers: Headers;
  hasEnded(): boolean;
  close(): void;
}

const messageOf = (block: string): Message | undefined => {
  const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
  const data = fields.get('data');
  return data === undefined ? undefined : { id: fields.get('id') ?? '', event: fields.get('event') ?? '', data: JSON.parse(data) };
};

const watch = async (server: TestServer, token: string, query = '', lastEventId?: string): Promise<Viewer> => {
  const cut = new AbortController();
  const headers = { authorization: `Bearer ${token}`, ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }) };
  const response = await fetch(`${server.url}/v1/events/live${query}`, { headers, signal: cut.signal });
  const messages: Message[] = [];
  let hasEnded = false;
  let rest = '';
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      const blocks = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = blocks.pop() ?? '';
      messages.push(...blocks.map(messageOf).filter((message) => message !== undefined));
    }
  };
  read()
    .catch(() => undefined) // cut off by us or by the server; either way it has ended
    .finally(() => {
      hasEnded = true;
    });
  return { messages, status: response.status, headers: response.headers, hasEnded: () => hasEnded, close: () => cut.abort() };
};

/** A viewer that asks and then reads nothing. */
const watchWithoutReading = async (server: TestServer, token: string): Promise<Socket> => {
  const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
  socket.pause();
  await once(socket, 'connect');
  socket.write(`GET /v1/events/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`);
  return socket;
};

describe('watching events flow', () => {
  let server: TestServer;
  let receiver: Receiver;
  let token: string;

  before(async () => {
    server = await startServer();
    receiver = await startReceiver({ answer: ({ body }) => ({ status: body.includes('"refuse"') ? 422 : 200 }) });
    const operator = await givenOperator(server);
    token = (await givenService(server, operator, ['events:send', 'events:read'])).token;
    await givenTarget(server, operator, { name: 'hook', kind: 'webhook', types: ['order.*'], config: { url: receiver.url } });
  });
  after(async () => {
    await server.stop();
    await receiver.stop();
  });

  const send = async (body: unknown) => assert.equal((await call(server, 'POST', '/v1/events', { token, body })).status, 202);
  const shown = (viewer: Viewer, wanted: number) =>
    eventually(
      async () => viewer.messages,
      (messages) => messages.length >= wanted,
    );

  it('every step of an event is shown as it happens, with where the event stands', async () => {
    const viewer = await watch(server, token);
    assert.equal(viewer.status, 200);
    assert.match(viewer.headers.get('content-type') ?? '', /^text\/event-stream/);
    await send({ id: 'watched', name: 'order.created' });
    const messages = await shown(viewer, 4);
    assert.deepEqual(
      messages.map(({ event }) => event),
      ['accepted', 'routed', 'attempted', 'delivered'],
    );
    for (const { data } of messages) {
      assert.deepEqual([data.id, data.type], ['watched', 'order.created']);
      assert.match(data.source, /^svc_/);
      assert.ok(Date.parse(data.at));
    }
    assert.deepEqual(
      messages.map(({ data }) => data.target),
      [undefined, undefined, 'hook', 'hook'],
    );
    assert.deepEqual([messages[0]?.data.state, messages[1]?.data.state, messages[3]?.data.state], ['accepted', 'waiting', 'delivered']);
    viewer.close();
  });

  it('a viewer may ask for one type or one state', async () => {
    const ofType = await watch(server, token, '?type=order.paid');
    const ofState = await watch(server, token, '?state=dead');
    const withoutTarget = await watch(server, token, '?state=no-target&type=elsewhere');
    await send([
      { id: 'live-1', name: 'order.created' },
      { id: 'live-2', name: 'order.paid' },
      { id: 'live-3', name: 'order.created', body: 'refuse' },
      { id: 'live-4', name: 'elsewhere' },
      { id: 'live-5', name: 'nowhere' },
    ]);
    await shown(ofType, 4);
    await shown(ofState, 1);
    await shown(withoutTarget, 1);
    assert.deepEqual(new Set(ofType.messages.map(({ data }) => data.id)), new Set(['live-2']));
    assert.deepEqual(
      ofState.messages.map(({ event, data }) => [event, data.id, data.state]),
      [['dead', 'live-3', 'dead']],
    );
    assert.deepEqual(
      withoutTarget.messages.map(({ event, data }) => [event, data.id]),
      [['no-target', 'live-4']],
    );
    for (const viewer of [ofType, ofState, withoutTarget]) viewer.close();
  });

  it('a viewer whose connection broke goes on where it stopped, without gaps or repetitions', async () => {
    const first = await watch(server, token);
    await send({ id: 'before-break', name: 'order.created' });
    await shown(first, 4);
    first.close();
    const last = first.messages.find(({ event }) => event === 'routed')?.id ?? '';
    await send(Array.from({ length: 30 }, (_, index) => ({ id: `missed-${index}`, name: 'elsewhere' })));
    const second = await watch(server, token, '', last);
    await shown(second, 62);
    await send({ id: 'after-break', name: 'elsewhere' });
    await shown(second, 64);
    const steps = second.messages.map(({ event, data }) => `${data.id} ${event}`);
    assert.deepEqual(steps.slice(0, 2), ['before-break attempted', 'before-break delivered']);
    assert.equal(steps.filter((step) => step.startsWith('missed-')).length, 60);
    assert.deepEqual(steps.slice(-2), ['after-break accepted', 'after-break no-target']);
    assert.equal(new Set(second.messages.map(({ id }) => id)).size, second.messages.length);
    second.close();
    // Between a try and its outcome, which happen at the same moment.
    const tried = second.messages[0]?.id ?? '';
    const third = await watch(server, token, '', tried);
    await shown(third, 1);
    assert.deepEqual([third.messages[0]?.event, third.messages[0]?.id], ['delivered', second.messages[1]?.id]);
    third.close();
  });

  it('a viewer who signs out, loses the scope or whose tenant is suspended is shown nothing more', async () => {
    const operator = await givenOperator(server);
    const [leaving, losing] = [
      await givenService(server, operator, ['events:read']),
      await givenService(server, operator, ['events:read']),
    ];
    const admin = { username: 'wile', password: 'nobody will guess' };
    const { body: acme } = await call(server, 'POST', '/v1/tenants', { token: operator, body: { name: 'Acme', admin } });
    const { body: session } = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...admin } });
    const viewers = await Promise.all([leaving.token, losing.token, session.accessToken].map((one) => watch(server, one)));
    const staying = await watch(server, token);

    await call(server, 'DELETE', '/v1/sessions/current', { token: leaving.token });
    await call(server, 'PATCH', `/v1/services/${losing.id}`, { token: operator, body: { scopes: [] } });
    await call(server, 'PATCH', `/v1/tenants/${acme.id}`, { token: operator, body: { state: 'suspended' } });
    await eventually(
      async () => viewers.map((viewer) => viewer.hasEnded()),
      (ended) => ended.every(Boolean),
    );
    assert.ok(!staying.hasEnded());
    staying.close();
  });

  it('who asks with a garbled Last-Event-ID, an unknown state or an unknown name is refused', async () => {
    const ask = async (query: string, headers = {}) => {
      const { status, body } = await call(server, 'GET', `/v1/events/live${query}`, { token, headers });
      return [status, body.type];
    };
    assert.deepEqual(await ask('', { 'last-event-id': 'x' }), [400, '/problems/bad-request']);
    assert.deepEqual(await ask('?state=asleep'), [400, '/problems/bad-query']);
    assert.deepEqual(await ask('?sender=x'), [400, '/problems/bad-query']);
    assert.equal((await call(server, 'GET', '/v1/events/live')).status, 401);
  });

  it('a viewer that does not read is dropped; others and the sources do not notice', async () => {
    const slow = await watchWithoutReading(server, token);
    const quick = await watch(server, token, '?type=flood.last');
    // Enough to fill what the system keeps for a connection, and then what the server keeps for a viewer.
    const events = (round: number) =>
      Array.from({ length: 1000 }, (_, index) => ({ id: `flood-${round}-${index}`, name: `flood.${'x'.repeat(240)}` }));
    const isDropped = () => server.output().includes('live.viewer-dropped');
    for (let round = 0; round < 40 && !isDropped(); round += 1) await send(events(round));
    await eventually(async () => isDropped(), Boolean);
    await send({ id: 'flood-last', name: 'flood.last' });
    await shown(quick, 2);
    assert.ok(!quick.hasEnded());
    quick.close();
    slow.destroy();
  });

  it('a server with viewers stops at once: their streams end in good order', async () => {
    const viewers = await Promise.all([watch(server, token), watch(server, token, '?state=dead')]);
    const slow = await watchWithoutReading(server, token);
    assert.equal(await server.kill('SIGTERM'), 0);
    await eventually(async () => viewers.every((viewer) => viewer.hasEnded()), Boolean);
    slow.destroy();
  });
});
