import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secret } from '../foundation/secret.ts';
import { createEdgeCheck } from '../modules/identity/credentials/edge-key.ts';
import { ask, exchange, startSampleServer } from './sample-server.ts';

const keys = ['the-old-key-of-the-edge', 'the-new-key-of-the-edge'] as const;
const isThroughEdge = createEdgeCheck(keys.map((key) => new Secret(key)));
const through = { 'x-edge-key': keys[0] };

test('without an edge nobody needs a key', async (t) => {
  const { url } = await startSampleServer(t, { isThroughEdge: createEdgeCheck(undefined) });
  assert.equal((await ask(`${url}/v1/version`)).status, 200);
});

test('a request without a key of the edge is 403, whatever it asks for: pages, metrics, preflights, what does not exist', async (t) => {
  const { url } = await startSampleServer(t, { isThroughEdge, corsOrigins: ['https://app.example'] });
  for (const [method, path] of [
    ['GET', '/v1/version'],
    ['GET', '/'],
    ['GET', '/docs'],
    ['GET', '/openapi.json'],
    ['GET', '/metrics'],
    ['GET', '/problems/not-found'],
    ['GET', '/v1/things'],
    ['GET', '/nothing/here'],
    ['HEAD', '/v1/version'],
    ['PUT', '/v1/version'],
    ['OPTIONS', '/v1/things'],
    ['GET', '/healthz/x'],
    ['GET', `/${'x'.repeat(9000)}`],
  ] as const) {
    const headers = { origin: 'https://app.example', 'access-control-request-method': 'GET' };
    const { status, json, headers: given } = await ask(url + path, { method, headers });
    assert.equal(status, 403, `${method} ${path}`);
    if (method !== 'HEAD') assert.equal(json.type, '/problems/not-through-edge', `${method} ${path}`);
    assert.equal(given.get('x-content-type-options'), 'nosniff');
  }
});

test('it is refused before its token and its body are looked at', async (t) => {
  const { url } = await startSampleServer(t, { isThroughEdge, authenticate: () => assert.fail('the token was looked at') });
  const { status, json } = await ask(`${url}/v1/payments`, { method: 'POST', as: 'sender', body: '{broken' });
  assert.deepEqual([status, json.type], [403, '/problems/not-through-edge']);
});

test('what no route is looked for, and what is expected in vain, is 403 as well; what is no HTTP learns nothing but that', async (t) => {
  const { port } = await startSampleServer(t, { isThroughEdge });
  const first = async (request: string) => (await exchange(port, [request])).slice(9, 12);
  const end = 'Host: x\r\nConnection: close\r\n\r\n';
  assert.equal(await first(`GET /v1/things/%zz HTTP/1.1\r\n${end}`), '403');
  assert.equal(await first(`GET /v1/things/%zz HTTP/1.1\r\nX-Edge-Key: ${keys[1]}\r\n${end}`), '400');
  assert.equal(await first(`GET /v1/version HTTP/1.1\r\nExpect: tea\r\n${end}`), '403');
  assert.equal(await first(`GET /v1/version HTTP/1.1\r\nExpect: tea\r\nX-Edge-Key: ${keys[1]}\r\n${end}`), '417');
  assert.equal(await first(`GET /v1/version HTTP/1.1\r\nX-Edge-Key: ${keys[0]}\r\nX-Edge-Key: ${keys[0]}\r\n${end}`), '403');
  assert.equal(await first('NO HTTP AT ALL\r\n\r\n'), '400');
});

test('both keys are good while they are exchanged, and nothing that is like one', async (t) => {
  const { url } = await startSampleServer(t, { isThroughEdge });
  for (const key of keys) assert.equal((await ask(`${url}/v1/version`, { headers: { 'x-edge-key': key } })).status, 200);
  for (const key of ['', keys[0].slice(1), `${keys[0]}x`, keys[0].toUpperCase(), keys.join(','), keys.join(', ')]) {
    assert.equal((await ask(`${url}/v1/version`, { headers: { 'x-edge-key': key } })).status, 403, key);
  }
});

test('supervisors stand beside the edge and need no key', async (t) => {
  const { url } = await startSampleServer(t, { isThroughEdge });
  assert.equal((await ask(`${url}/healthz`)).status, 200);
  assert.equal((await ask(`${url}/readyz?from=probe`)).status, 200);
});

test('the key is seen by nothing behind the door, and stands in no log line', async (t) => {
  const seen: unknown[] = [];
  const { url, log } = await startSampleServer(t, { isThroughEdge }, (app) => {
    app.addHook('preHandler', async (request) => {
      seen.push(JSON.stringify(request.headers));
    });
  });
  assert.equal(
    (await ask(`${url}/v1/payments`, { as: 'sender', headers: through, json: { kind: 'payment', data: { amount: 1 } } })).status,
    201,
  );
  assert.equal((await ask(`${url}/v1/broken`, { headers: through })).status, 500);
  assert.equal(seen.length, 2);
  assert.doesNotMatch(seen.join(), /edge/);
  assert.doesNotMatch(JSON.stringify(log.lines), /key-of-the-edge/);
});
