import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, eventually, givenOperator, givenService, givenTarget, type Json } from '../support/given.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

describe('reading what came in', () => {
  let server: TestServer;
  let receiver: Receiver;
  let operator: string;
  let shop: Awaited<ReturnType<typeof givenService>>;
  let till: Awaited<ReturnType<typeof givenService>>;
  /** A time between the first three events and the others. */
  let middle: string;

  const list = async (query: string, token = operator): Promise<Json> => {
    const { status, body, text } = await call(server, 'GET', `/v1/events?${query}`, { token });
    assert.equal(status, 200, text);
    return body;
  };
  const ids = async (query: string): Promise<string[]> => (await list(query)).items.map(({ id }: Json) => id);
  const send = async (token: string, body: unknown, type = 'application/json') => {
    const { status, text } = await call(server, 'POST', '/v1/events', { token, body, headers: { 'content-type': type } });
    assert.equal(status, 202, text);
  };

  before(async () => {
    server = await startServer();
    receiver = await startReceiver({ answer: ({ body }) => ({ status: body.includes('"refuse"') ? 422 : 200 }) });
    operator = await givenOperator(server);
    shop = await givenService(server, operator, ['events:send', 'events:read']);
    till = await givenService(server, operator, ['events:send', 'events:read']);
    await givenTarget(server, operator, { kind: 'webhook', types: ['order.*', 'late'], config: { url: receiver.url } });
    const paused = await givenTarget(server, operator, {
      kind: 'webhook',
      types: ['late'],
      config: { url: receiver.url },
      state: 'paused',
    });
    assert.equal(paused.state, 'paused');

    await send(shop.token, { id: 'a', name: 'order.created', body: { text: 'Grüße, 100% of_it' } });
    await send(shop.token, { id: 'b', name: 'order.paid', body: 'refuse' });
    await send(till.token, { id: 'c', name: 'till.opened', body: { text: 'back\\slash' } });
    await sleep(5);
    middle = new Date().toISOString();
    await sleep(5);
    await send(till.token, { id: 'd', name: 'order.created', body: null });
    await send(till.token, { id: 'e', name: 'late' });
    await send(shop.token, { specversion: '1.0', id: 'f', source: '/cloud', type: 'order.created' }, 'application/cloudevents+json');
    await eventually(
      () => list(''),
      ({ items }) =>
        items.every(({ state, deliveries }: Json) => state !== 'accepted' && deliveries.every((one: Json) => one.state !== 'delivering')),
    );
    await eventually(
      () => ids('state=delivered'),
      (found) => found.length === 3,
    );
    await eventually(
      () => ids('state=dead'),
      (found) => found.length === 1,
    );
  });
  after(async () => {
    await server.stop();
    await receiver.stop();
  });

  it('the list has the newest first', async () => {
    assert.deepEqual(await ids(''), ['f', 'e', 'd', 'c', 'b', 'a']);
  });

  it('each event tells its state and that of its deliveries', async () => {
    const { items } = await list('');
    const shown = Object.fromEntries(
      items.map(({ id, state, deliveries }: Json) => [id, [state, ...deliveries.map((one: Json) => one.state)]]),
    );
    assert.deepEqual(shown, {
      a: ['delivered', 'delivered'],
      b: ['dead', 'dead'],
      c: ['no-target'],
      d: ['delivered', 'delivered'],
      e: ['waiting', ...shown.e.slice(1)],
      f: ['delivered', 'delivered'],
    });
    assert.deepEqual(shown.e.slice(1).sort(), ['delivered', 'waiting']);
  });

  it('it can be filtered by state', async () => {
    assert.deepEqual(await ids('state=delivered'), ['f', 'd', 'a']);
    assert.deepEqual(await ids('state=dead'), ['b']);
    assert.deepEqual(await ids('state=no-target'), ['c']);
    assert.deepEqual(await ids('state=waiting'), ['e']);
    assert.deepEqual(await ids('state=accepted'), []);
  });

  it('it can be filtered by type, source and sender', async () => {
    assert.deepEqual(await ids('type=order.created'), ['f', 'd', 'a']);
    assert.deepEqual(await ids('type=order'), []);
    assert.deepEqual(await ids('source=/cloud'), ['f']);
    assert.deepEqual(await ids(`source=${till.id}`), ['e', 'd', 'c']);
    assert.deepEqual(await ids(`sender=${shop.id}`), ['f', 'b', 'a']);
    assert.deepEqual(await ids(`sender=${shop.id}&type=order.created&state=delivered&source=/cloud`), ['f']);
  });

  it('it can be filtered by the time of receipt: from then on, and before then', async () => {
    assert.deepEqual(await ids(`from=${middle}`), ['f', 'e', 'd']);
    assert.deepEqual(await ids(`to=${middle}`), ['c', 'b', 'a']);
    const { receivedAt } = (await list('type=till.opened')).items[0];
    assert.ok((await ids(`from=${receivedAt}`)).includes('c'));
    assert.ok(!(await ids(`to=${receivedAt}`)).includes('c'));
    const elsewhere = encodeURIComponent(`${new Date(Date.parse(middle) + 3_600_000).toISOString().slice(0, -1)}+01:00`);
    assert.deepEqual(await ids(`from=${elsewhere}`), ['f', 'e', 'd'], 'in any time zone');
  });

  it('`q` searches id, type and body text, and means every character as it stands', async () => {
    assert.deepEqual(await ids('q=till.op'), ['c']);
    assert.deepEqual(await ids(`q=${encodeURIComponent('Grüße')}`), ['a']);
    assert.deepEqual(await ids(`q=${encodeURIComponent('100% of_it')}`), ['a']);
    assert.deepEqual(await ids(`q=${encodeURIComponent('1%it')}`), []);
    assert.deepEqual(await ids(`q=${encodeURIComponent('of.it')}`), []);
    assert.deepEqual(await ids(`q=${encodeURIComponent("' or 1=1 --")}`), []);
  });

  it('pages follow each other without gaps or repetitions, by cursor and by Link, whatever comes in meanwhile', async () => {
    const seen: string[] = [];
    let path: string | undefined = '/v1/events?limit=2&to=2999-01-01T00:00:00Z';
    let pages = 0;
    while (path !== undefined) {
      const answer: Awaited<ReturnType<typeof call>> = await call(server, 'GET', path, { token: operator });
      seen.push(...answer.body.items.map(({ id }: Json) => id));
      pages += 1;
      if (pages === 1) await send(shop.token, { id: 'meanwhile', name: 'unwanted' });
      const link = answer.headers.get('link');
      path = link === null ? undefined : /^<([^>]+)>; rel="next"$/.exec(link)?.[1];
      assert.equal(answer.body.nextCursor === undefined, path === undefined);
      if (path !== undefined) {
        const next = new URL(path, server.url).searchParams;
        assert.deepEqual([next.get('cursor'), next.get('limit'), next.get('to')], [answer.body.nextCursor, '2', '2999-01-01T00:00:00Z']);
      }
    }
    assert.deepEqual(seen, ['f', 'e', 'd', 'c', 'b', 'a']);
    assert.equal(pages, 3);
  });

  it('a wrong filter is refused, naming it', async () => {
    for (const [query, at] of [
      ['state=asleep', '/state'],
      ['from=yesterday', '/from'],
      ['limit=0', '/limit'],
      ['limit=201', '/limit'],
      ['limit=x', '/limit'],
      ['type=', '/type'],
      ['colour=red', '/colour'],
    ] as const) {
      const { status, body } = await call(server, 'GET', `/v1/events?${query}`, { token: operator });
      assert.deepEqual([status, body.type], [400, '/problems/bad-query'], query);
      assert.deepEqual([body.errors[0].in, body.errors[0].at], ['query', at]);
    }
    const cursor = await call(server, 'GET', '/v1/events?cursor=garbled', { token: operator });
    assert.deepEqual([cursor.status, cursor.body.type], [400, '/problems/bad-cursor']);
  });

  it('facts of our own are no events that came in', async () => {
    const facts = await eventually(
      () => call(server, 'GET', '/v1/deliveries?limit=200', { token: operator }),
      ({ body }) => body.items.length >= 5,
    );
    assert.equal(facts.status, 200);
    assert.deepEqual(await ids('type=delivery.dead'), []);
  });

  it('an event that is not there is 404', async () => {
    const { status, body } = await call(server, 'GET', '/v1/events/nowhere', { token: operator });
    assert.deepEqual([status, body.type], [404, '/problems/not-found']);
    assert.equal((await call(server, 'GET', '/v1/events/a?source=/cloud', { token: operator })).status, 404);
    assert.equal((await call(server, 'GET', '/v1/trace/nowhere', { token: operator })).status, 404);
  });
});
