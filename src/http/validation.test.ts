import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, startSampleServer } from './sample-server.ts';

const pay = (url: string, body: unknown) => ask(`${url}/v1/payments`, { as: 'sender', json: body });

test('each wrong, missing and unknown member is named at its own pointer', async (t) => {
  const { url } = await startSampleServer(t);
  const { status, json } = await pay(url, { data: { amount: '1', note: 'x', 'a/b~c': 1 }, tags: [1, 'ok', 2, 'ok'], extra: true });
  assert.deepEqual([status, json.type], [400, '/problems/bad-body']);
  const errors = json.errors as { in: string; at: string; why: string }[];
  assert.ok(errors.every((error) => error.in === 'body'));
  assert.deepEqual(Object.fromEntries(errors.map(({ at, why }) => [at, why])), {
    '/kind': 'is missing',
    '/extra': 'is not known here',
    '/data/amount': 'must be a number',
    '/data/note': 'must have at least 2 characters',
    '/data/a~1b~0c': 'is not known here',
    '/tags': 'may have at most 3 items',
    '/tags/0': 'must be a string',
    '/tags/2': 'must be a string',
  });
});

test('of a choice of values all are listed', async (t) => {
  const { url } = await startSampleServer(t);
  const { json } = await pay(url, { kind: 'gift', data: { amount: 1 } });
  assert.deepEqual(json.errors, [{ in: 'body', at: '/kind', why: 'must be one of "payment", "refund"' }]);
  assert.equal(json.detail, '`/kind` in the body must be one of "payment", "refund".');
});

test('of a choice of forms only the faults of the one that was meant are told', async (t) => {
  const { url } = await startSampleServer(t);
  const signIn = async (json: unknown) => (await ask(`${url}/v1/sessions`, { json })).json.errors;
  assert.deepEqual(await signIn({ method: 'secret', authId: 'a' }), [{ in: 'body', at: '/secret', why: 'is missing' }]);
  assert.deepEqual(await signIn({ method: 'password', username: 'a', password: 'b', authId: 'c' }), [
    { in: 'body', at: '/authId', why: 'is not known here' },
  ]);
  assert.deepEqual(await signIn({ method: 'telepathy' }), [{ in: 'body', at: '/method', why: 'must be one of "password", "secret"' }]);
  assert.deepEqual(await signIn([]), [{ in: 'body', at: '', why: 'must be an object' }]);
});

test('values of a body are not coerced, those of query and path are', async (t) => {
  const { url } = await startSampleServer(t);
  assert.equal((await pay(url, { kind: 'payment', data: { amount: '12' } })).status, 400);
  const { json } = await ask(`${url}/v1/things?isNew=true&tag=a&limit=7`, { as: 'reader' });
  assert.deepEqual(JSON.parse((json.items as { id: string }[])[0]?.id ?? ''), { isNew: true, tag: ['a'], limit: 7 });
  assert.equal((await ask(`${url}/v1/things/12`, { as: 'reader' })).json.id, 12);
});

test('wrong and unknown query names and wrong path parts are named', async (t) => {
  const { url } = await startSampleServer(t);
  const errors = async (path: string) => (await ask(url + path, { as: 'operator' })).json.errors;
  assert.deepEqual(await errors('/v1/things?limit=201'), [{ in: 'query', at: '/limit', why: 'may be at most 200' }]);
  assert.deepEqual(await errors('/v1/things?limit=many'), [{ in: 'query', at: '/limit', why: 'must be a whole number' }]);
  assert.deepEqual(await errors('/v1/things?limit=1&limit=2'), [{ in: 'query', at: '/limit', why: 'must be a whole number' }]);
  assert.deepEqual(await errors('/v1/things?sort=up&__proto__=1'), [
    { in: 'query', at: '/sort', why: 'is not known here' },
    { in: 'query', at: '/__proto__', why: 'is not known here' },
  ]);
  assert.deepEqual(await errors('/v1/version?x=1'), [{ in: 'query', at: '/x', why: 'is not known here' }]);
  assert.deepEqual(await errors('/v1/things/abc'), [{ in: 'path', at: '/id', why: 'must be a whole number' }]);
});

test('of a huge wrong body only a few faults are told', async (t) => {
  const { url } = await startSampleServer(t);
  const some = await pay(url, { kind: 'payment', data: { amount: 1 }, tags: Array.from({ length: 5000 }, () => 1) });
  assert.equal((some.json.errors as unknown[]).length, 100);
  const many = await pay(url, { kind: 'payment', data: { amount: 1 }, tags: Array.from({ length: 500_000 }, () => 1) });
  assert.deepEqual([many.status, (many.json.errors as unknown[]).length], [400, 1]);
});

test('a route that checks its body itself gets whatever came', async (t) => {
  const { url } = await startSampleServer(t);
  assert.deepEqual((await ask(`${url}/v1/echo`, { json: [1, 'two'] })).json.body, [1, 'two']);
});
