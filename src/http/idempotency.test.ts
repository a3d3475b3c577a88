import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idempotencyContract } from './idempotency.contract.ts';
import { ask, createMemoryIdempotency, startSampleServer } from './sample-server.ts';

idempotencyContract('memory', async () => createMemoryIdempotency());

const make = (url: string, body: unknown, key: string, { as = 'sender', path = '/v1/things' } = {}) =>
  ask(url + path, { as, json: body, headers: { 'idempotency-key': key } });

test('the same request under a key gives the same answer and makes nothing twice', async (t) => {
  const { url } = await startSampleServer(t);
  const first = await make(url, { a: 1 }, 'k1');
  const again = await make(url, { a: 1 }, 'k1');
  assert.deepEqual([first.status, first.text], [201, '{"id":"thing_1"}']);
  assert.deepEqual([again.status, again.text, again.headers.get('content-type')], [201, first.text, first.headers.get('content-type')]);
  assert.equal(again.headers.get('idempotency-replayed'), 'true');
  assert.equal((await make(url, { a: 1 }, 'k2')).text, '{"id":"thing_2"}');
  assert.equal((await make(url, { a: 1 }, 'k1', { as: 'operator' })).text, '{"id":"thing_3"}');
});

test('another body under the key is 422', async (t) => {
  const { url } = await startSampleServer(t);
  await make(url, { a: 1 }, 'k');
  const { status, json } = await make(url, { a: 2 }, 'k');
  assert.deepEqual([status, json.type], [422, '/problems/key-reused']);
});

test('a second request while the first runs is 409', async (t) => {
  const { url, release } = await startSampleServer(t);
  const both = [make(url, 'wait', 'k'), make(url, 'wait', 'k')];
  const { status, json, headers } = await Promise.race(both);
  assert.deepEqual([status, json.type, headers.get('retry-after')], [409, '/problems/in-progress', '1']);
  release();
  const statuses = (await Promise.all(both)).map((answer) => answer.status);
  assert.deepEqual(statuses.sort(), [201, 409]);
  assert.equal((await make(url, 'wait', 'k')).status, 201);
});

test('a refused first request leaves the key free', async (t) => {
  const { url } = await startSampleServer(t);
  assert.equal((await make(url, 'refuse', 'k')).json.type, '/problems/conflict');
  assert.equal((await make(url, 'fine', 'k')).status, 201);
});

test('an answer that shows a secret is not kept: the second use is 409 with the id', async (t) => {
  const store = createMemoryIdempotency();
  const kept: string[] = [];
  const finish: typeof store.finish = (claim, answer) => {
    kept.push(JSON.stringify(answer));
    return store.finish(claim, answer);
  };
  const { url } = await startSampleServer(t, { idempotency: { ...store, finish } });
  const first = await make(url, {}, 'k', { path: '/v1/secrets' });
  assert.deepEqual(first.json, { id: 'sec_1', secret: 'hush' });
  const { status, json, text } = await make(url, {}, 'k', { path: '/v1/secrets' });
  assert.deepEqual([status, json.type, json.id, text.includes('hush')], [409, '/problems/already-created', 'sec_1', false]);
  assert.doesNotMatch(kept.join(), /hush/);
});

test('a key must be 1 to 255 printable characters', async (t) => {
  const { url } = await startSampleServer(t);
  const { status, json } = await make(url, {}, 'x'.repeat(256));
  assert.equal(status, 400);
  assert.deepEqual(json.errors, [{ in: 'header', at: '/idempotency-key', why: 'must have 1 to 255 printable ASCII characters' }]);
  assert.equal((await make(url, {}, 'x'.repeat(255))).status, 201);
});

test('what was made is answered also when the key cannot be kept', async (t) => {
  const finish = () => Promise.reject(new Error('disk full'));
  const { url, log } = await startSampleServer(t, { idempotency: { ...createMemoryIdempotency(), finish } });
  assert.equal((await make(url, {}, 'k')).status, 201);
  assert.ok(log.lines.some(({ message }) => message === 'idempotency.not-kept'));
});
