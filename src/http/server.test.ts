import assert from 'node:assert/strict';
import { test } from 'node:test';
import helmet from '@fastify/helmet';
import fastify from 'fastify';
import type { Caller, Scope } from '../foundation/caller.ts';
import { Type } from '../foundation/schema.ts';
import { ask, startSampleServer } from './sample-server.ts';

test('an address where nothing is gives a problem that names the request', async (t) => {
  const { url } = await startSampleServer(t);
  const { status, headers, json } = await ask(`${url}/nothing-here?token=hush`);
  assert.equal(status, 404);
  assert.equal(headers.get('content-type'), 'application/problem+json');
  assert.equal(json.type, '/problems/not-found');
  assert.equal(json.instance, `urn:request:${headers.get('x-request-id')}`);
});

test('a known address with another method tells which methods it takes, with any body and without a session', async (t) => {
  const { url } = await startSampleServer(t);
  const { status, headers, json } = await ask(`${url}/v1/things/17`, {
    method: 'PUT',
    body: '{',
    headers: { 'content-type': 'application/json' },
  });
  assert.equal(status, 405);
  assert.equal(headers.get('allow'), 'GET, HEAD, PATCH');
  assert.equal(json.type, '/problems/method-not-allowed');
  assert.equal((await ask(`${url}/v1/live`, { method: 'HEAD' })).headers.get('allow'), 'GET');
});

test('an unknown address is 404 whatever the body', async (t) => {
  const { url } = await startSampleServer(t);
  assert.equal((await ask(`${url}/nope`, { method: 'POST', body: 'x', headers: { 'content-type': 'image/png' } })).status, 404);
});

test('HEAD answers like GET, without the body', async (t) => {
  const { url } = await startSampleServer(t);
  const got = await ask(`${url}/v1/version`);
  const { status, text, headers } = await ask(`${url}/v1/version`, { method: 'HEAD' });
  assert.deepEqual([status, text, headers.get('content-length')], [200, '', String(got.text.length)]);
});

test('a safe X-Request-Id is taken and echoed, an unsafe one is replaced', async (t) => {
  const { url, log } = await startSampleServer(t);
  const taken = await ask(`${url}/v1/version`, { headers: { 'x-request-id': 'mine-17' } });
  assert.equal(taken.headers.get('x-request-id'), 'mine-17');
  assert.equal(log.lines.at(-1)?.requestId, 'mine-17');
  const replaced = await ask(`${url}/v1/version`, { headers: { 'x-request-id': 'a b"c' } });
  assert.match(replaced.headers.get('x-request-id') ?? '', /^req_[0-9a-z]{26}$/);
  const long = await ask(`${url}/v1/version`, { headers: { 'x-request-id': 'x'.repeat(129) } });
  assert.match(long.headers.get('x-request-id') ?? '', /^req_/);
});

test('every answer carries just the headers that helmet sets', async (t) => {
  const reference = fastify();
  await reference.register(helmet);
  reference.get('/', async () => 'x');
  const wanted = (await reference.inject('/')).headers;
  const { url } = await startSampleServer(t);
  for (const path of ['/v1/version', '/nope', '/v1/broken']) {
    const { headers } = await ask(url + path);
    for (const [name, value] of Object.entries(wanted)) {
      if (['date', 'connection', 'content-length', 'content-type'].includes(name)) continue;
      assert.equal(headers.get(name), value, `${name} of ${path}`);
    }
    assert.equal(headers.get('cache-control'), 'no-store');
  }
  await reference.close();
});

test('without a token 401 with a challenge, with a wrong one the challenge says so, without the scope 403 names it', async (t) => {
  const { url } = await startSampleServer(t);
  const none = await ask(`${url}/v1/things`);
  assert.deepEqual([none.status, none.headers.get('www-authenticate'), none.json.type], [401, 'Bearer', '/problems/not-signed-in']);
  const wrong = await ask(`${url}/v1/things`, { as: 'nobody' });
  assert.deepEqual([wrong.status, wrong.headers.get('www-authenticate')], [401, 'Bearer error="invalid_token"']);
  const poor = await ask(`${url}/v1/things`, { as: 'sender' });
  assert.deepEqual([poor.status, poor.json.type, poor.json.scope], [403, '/problems/not-allowed', 'events:read']);
  assert.equal((await ask(`${url}/v1/things`, { as: 'reader' })).status, 200);
  assert.equal((await ask(`${url}/v1/things/1`, { as: 'sender' })).json.caller, 'svc_sender');
});

test('a route that does not say who may call it, or what it does, stops the start', async (t) => {
  await assert.rejects(
    startSampleServer(t, {}, (app) => app.get('/open', { schema: { summary: 'x' } }, async () => 1)),
    /GET \/open does not say who may call it/,
  );
  await assert.rejects(
    startSampleServer(t, {}, (app) => app.get('/mute', { config: { access: 'public' } }, async () => 1)),
    /GET \/mute does not say what it does/,
  );
});

test('an error shows nothing of itself to the client, and everything to the log', async (t) => {
  const { url, log } = await startSampleServer(t);
  const { status, text, json } = await ask(`${url}/v1/broken`);
  assert.deepEqual([status, json.type, text.includes('hunter2'), text.includes('.ts')], [500, '/problems/internal', false, false]);
  const line = log.lines.find(({ message }) => message === 'request.failed');
  assert.ok(line?.err instanceof Error);
  assert.match(String(line.err.stack), /hunter2/);
});

test("another library's statusCode never becomes the client's", async (t) => {
  const { url } = await startSampleServer(t);
  const { status, text } = await ask(`${url}/v1/foreign-error`);
  assert.deepEqual([status, text.includes('secret detail')], [500, false]);
});

test('what is away is 503 with Retry-After, without its address', async (t) => {
  const { url } = await startSampleServer(t);
  const { status, headers, text } = await ask(`${url}/v1/away`);
  assert.deepEqual([status, headers.get('retry-after'), text.includes('postgres')], [503, '3', false]);
});

test('while the server stops, new requests are refused with 503 and the connection ends; probes are answered', async (t) => {
  let isStopping = false;
  const { url } = await startSampleServer(t, { isStopping: () => isStopping });
  assert.equal((await ask(`${url}/v1/version`)).status, 200);
  isStopping = true;
  const { status, headers, json } = await ask(`${url}/v1/version`);
  assert.deepEqual([status, json.type, headers.get('retry-after'), headers.get('connection')], [503, '/problems/stopping', '1', 'close']);
  assert.equal((await ask(`${url}/healthz`)).status, 200);
});

test('other origins are let in only when they are named', async (t) => {
  const closed = await startSampleServer(t);
  assert.equal(
    (await ask(`${closed.url}/v1/version`, { headers: { origin: 'https://app.example' } })).headers.get('access-control-allow-origin'),
    null,
  );
  const { url } = await startSampleServer(t, { corsOrigins: ['https://app.example', 'https://b.example'] });
  const named = await ask(`${url}/v1/version`, { headers: { origin: 'https://app.example' } });
  assert.equal(named.headers.get('access-control-allow-origin'), 'https://app.example');
  assert.equal(
    (await ask(`${url}/v1/version`, { headers: { origin: 'https://evil.example' } })).headers.get('access-control-allow-origin'),
    null,
  );
  const preflight = await ask(`${url}/v1/payments`, {
    method: 'OPTIONS',
    headers: { origin: 'https://app.example', 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
  });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /POST/);
  const foreign = await ask(`${url}/v1/payments`, {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
  });
  assert.equal(foreign.headers.get('access-control-allow-origin'), null);
});

test('a route for people takes those with an account here, not devices, services, programs that were given less, or who is known elsewhere', async (t) => {
  const known = { id: 'x', tenantId: 'ten_1', sessionId: 'ses_1', scopes: new Set<Scope>() };
  const callers: Record<string, Caller> = {
    person: { ...known, kind: 'person' },
    device: { ...known, kind: 'device' },
    service: { ...known, kind: 'service' },
    elsewhere: { ...known, kind: 'person', isKnownElsewhere: true },
    limited: { ...known, kind: 'person', isLimited: true },
  };
  const authenticate = async (authorization = '') => callers[authorization.replace('Bearer ', '')];
  const { url } = await startSampleServer(t, { authenticate }, (app) => {
    app.get('/account', { config: { access: 'person' }, schema: { summary: 'Yours' } }, async () => ({}));
  });
  const statuses = await Promise.all(Object.keys(callers).map(async (as) => (await ask(`${url}/account`, { as })).status));
  assert.deepEqual(statuses, [200, 403, 403, 403, 403]);
});

test('X-Forwarded-For counts only from a trusted proxy, and only where it is an address', async (t) => {
  const address = async (url: string, forwarded: string) =>
    (await ask(`${url}/v1/things/1`, { as: 'reader', headers: { 'x-forwarded-for': forwarded } })).json.address;
  const { url } = await startSampleServer(t);
  assert.equal(await address(url, '203.0.113.7'), '127.0.0.1');
  const behind = await startSampleServer(t, { trustedProxies: ['127.0.0.0/8'] });
  assert.equal(await address(behind.url, '198.51.100.1, 203.0.113.7'), '203.0.113.7');
  assert.equal(await address(behind.url, '::ffff:203.0.113.8'), '203.0.113.8');
  assert.equal(await address(behind.url, 'not-an-address'), '127.0.0.1');
});

test('each request gives one wide log line with its route and caller, and neither query nor body nor token', async (t) => {
  const { url, log } = await startSampleServer(t);
  await ask(`${url}/v1/payments?x=hush-query`, { as: 'sender', json: { kind: 'payment', data: { amount: 1, note: 'hush-body' } } });
  const lines = log.lines.filter(({ message }) => message === 'request.handled');
  assert.equal(lines.length, 1);
  const { requestId, ms, bytesIn, bytesOut, ...line }: Record<string, unknown> = lines[0] ?? {};
  assert.deepEqual(line, {
    level: 'info',
    message: 'request.handled',
    method: 'POST',
    route: '/v1/payments',
    status: 400,
    caller: 'svc_sender',
    tenant: 'ten_1',
    address: '127.0.0.1',
    problem: 'bad-query',
  });
  assert.match(String(requestId), /^req_/);
  assert.ok(Number(ms) >= 0 && Number(bytesIn) > 0 && Number(bytesOut) > 0);
  assert.doesNotMatch(JSON.stringify(log.lines), /hush|Bearer/);
});

test('an answer keeps the members that its schema forgot', async (t) => {
  const { url } = await startSampleServer(t);
  assert.deepEqual((await ask(`${url}/v1/unknown-values`)).json, { id: 'x', more: { a: [1, null, { b: true }] } });
});

test('ids of 255 characters fit into a path, longer parts are refused', async (t) => {
  const routes = {
    config: { access: 'public' },
    schema: { summary: 'x', params: Type.Object({ id: Type.String({ maxLength: 255 }) }) },
  } as const;
  const { url, log } = await startSampleServer(t, {}, (app) =>
    app.get('/by-id/:id', routes, async (request) => ({ id: request.params.id })),
  );
  const id = '𝔘'.repeat(127);
  assert.equal((await ask(`${url}/by-id/${encodeURIComponent(id)}`)).json.id, id);
  assert.equal((await ask(`${url}/by-id/${'x'.repeat(256)}`)).status, 400);
  assert.deepEqual((await ask(`${url}/by-id/${'x'.repeat(5000)}`)).json.type, '/problems/uri-too-long');
  const broken = await ask(`${url}/by-id/%zz`);
  assert.deepEqual([broken.status, broken.json.type], [400, '/problems/bad-request']);
  assert.match(broken.headers.get('x-request-id') ?? '', /^req_/);
  assert.equal(log.lines.at(-1)?.requestId, broken.headers.get('x-request-id'));
});
