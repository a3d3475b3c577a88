import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, givenOperator, givenService, givenTarget } from '../support/given.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** JSON that a program which parses and prints it again would change. */
const texts: readonly (readonly [string, string])[] = [
  ['an integer beyond 2^53', '12345678901234567890'],
  ['a decimal with its zeros', '1.10'],
  ['a number beyond all doubles', '1e400'],
  ['a number below all doubles', '-1E-400'],
  ['minus zero', '-0'],
  ['more digits than a double has', '0.1000000000000000055511151231257827'],
  ['an escaped NUL', String.raw`"\u0000"`],
  ['a lone surrogate, escaped', String.raw`"\ud800 \udfff"`],
  ['an emoji', '"😀 👩‍👩‍👧"'],
  ['an emoji, escaped', String.raw`"\ud83d\ude00"`],
  ['needless escapes', String.raw`"\/\u0041\u00e9"`],
  ['quotes, backslashes and brackets', String.raw`"\\\"}]{[,:\\"`],
  ['a line separator', '"\u2028"'],
  ['a name twice', '{"a":1,"a":2}'],
  ['names of the prototype', '{"__proto__":{"isAdmin":true},"constructor":{"prototype":1},"toString":null}'],
  ['numbers as names', '{"2":"b","1":"a","":0}'],
  ['white space', '{ "a" : [ 1 ,\n\t2 ] }'],
  ['nothing', 'null'],
];

describe('events come out exactly as they went in', () => {
  let server: TestServer;
  let graphql: Receiver;
  let enriched: Receiver;
  let webhook: Receiver;
  let token: string;

  before(async () => {
    server = await startServer();
    graphql = await startReceiver();
    enriched = await startReceiver();
    webhook = await startReceiver();
    const operator = await givenOperator(server);
    token = (await givenService(server, operator, ['events:send', 'events:read'])).token;
    await givenTarget(server, operator, { config: { url: graphql.url } });
    await givenTarget(server, operator, { config: { url: enriched.url }, enrich: { brand: 'testBrand' } });
    await givenTarget(server, operator, { kind: 'webhook', config: { url: webhook.url } });
  });
  after(async () => {
    await server.stop();
    for (const receiver of [graphql, enriched, webhook]) await receiver.stop();
  });

  const send = (body: string, type = 'application/json') =>
    call(server, 'POST', '/v1/events', { token, body, headers: { 'content-type': type } });
  const bodyAt = async (receiver: Receiver, id: string): Promise<string> => {
    const isIt = (body: string) => body.includes(`"id":"${id}"`);
    await receiver.waitFor((received) => received.some(({ body }) => isIt(body)), 30_000);
    return receiver.received.find(({ body }) => isIt(body))?.body ?? '';
  };

  for (const [index, [name, text]] of texts.entries()) {
    it(`${name}: ${text.slice(0, 40).replaceAll(/\s/g, ' ')}`, async () => {
      const id = `exact-${index}`;
      const event = `{"id":"${id}","name":"t","body":${text},"data":[${text}],"further":${text}}`;
      assert.equal((await send(event)).status, 202);
      const members = [`"body":${text}`, `"data":[${text}]`, `"further":${text}`];
      const one = await call(server, 'GET', `/v1/events/${id}`, { token });
      const list = await call(server, 'GET', '/v1/events?limit=1', { token });
      for (const shown of [one.text, list.text]) for (const member of members) assert.ok(shown.includes(member), `${member} in ${shown}`);
      assert.ok((await bodyAt(graphql, id)).includes(`"input":${event}`), 'to a GraphQL target, to the letter');
      assert.ok((await bodyAt(webhook, id)).endsWith(`"data":${event}}`), 'to a webhook, to the letter');
      const merged = await bodyAt(enriched, id);
      for (const member of [...members, '"brand":"testBrand"']) assert.ok(merged.includes(member), `${member} in ${merged}`);
    });
  }

  it('in arrays and in NDJSON, too', async () => {
    const event = (id: string) => `{"id":"${id}","name":"t","body":{"n":12345678901234567890,"m":1.10,"t":"\\u0000"}}`;
    assert.equal((await send(`[ ${event('in-array-1')} ,\n${event('in-array-2')}]`)).status, 202);
    assert.equal((await send(`${event('in-line-1')}\n${event('in-line-2')}\n`, 'application/x-ndjson')).status, 202);
    for (const id of ['in-array-1', 'in-array-2', 'in-line-1', 'in-line-2']) {
      assert.ok((await bodyAt(graphql, id)).includes(`"input":${event(id)}`), id);
    }
  });

  it('a field named __proto__ is a field like any other, and harms nobody', async () => {
    assert.equal((await send('{"id":"proto","name":"t","__proto__":{"state":"hacked","sender":"me"}}')).status, 202);
    const { body, text } = await call(server, 'GET', '/v1/events/proto', { token });
    assert.ok(text.includes('"__proto__":{"state":"hacked","sender":"me"}'));
    assert.notEqual(body.state, 'hacked');
    assert.ok((await bodyAt(enriched, 'proto')).includes('"__proto__":{"state":"hacked","sender":"me"}'));
    const next = await call(server, 'GET', '/v1/version');
    assert.deepEqual(Object.keys(next.body).sort(), ['name', 'version']);
  });

  it('fields that the server adds are its own, whatever the source sends under their names', async () => {
    const forged = { id: 'forged', name: 't', sender: 'me', receivedAt: 'never', state: 'delivered', deliveries: 7 };
    assert.equal((await send(JSON.stringify(forged))).status, 202);
    const { body } = await call(server, 'GET', '/v1/events/forged', { token });
    assert.match(body.sender, /^svc_/);
    assert.match(body.receivedAt, /^\d{4}-/);
    assert.ok(Array.isArray(body.deliveries));
    assert.deepEqual(JSON.parse(await bodyAt(graphql, 'forged')).variables.input, forged, 'targets get them as they were sent');
  });

  it('of a field that is there twice the last one counts, as for every JSON reader', async () => {
    assert.equal((await send('{"id":"x","id":"twice","name":"a","name":"b","body":1,"body":2}')).status, 202);
    const { body } = await call(server, 'GET', '/v1/events/twice', { token });
    assert.deepEqual([body.id, body.name, body.body], ['twice', 'b', 2]);
  });
});
