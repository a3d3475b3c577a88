import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { IdempotencyStore } from './idempotency.ts';

/** What every store of idempotency keys must do. `open` gives an empty one, which ends with the test. */
export const idempotencyContract = (name: string, open: (context: TestContext) => Promise<IdempotencyStore>): void => {
  const claim = { callerId: 'svc_1', key: 'key-1', digest: 'digest-1' };

  test(`${name}: a key is new once, then running until it is finished`, async (context) => {
    const store = await open(context);
    assert.deepEqual(await store.begin(claim), { state: 'new' });
    assert.deepEqual(await store.begin(claim), { state: 'running' });
    await store.finish(claim, { status: 201, body: '{"id":"x"}' });
    assert.deepEqual(await store.begin(claim), { state: 'done', status: 201, body: '{"id":"x"}' });
    assert.deepEqual(await store.begin(claim), { state: 'done', status: 201, body: '{"id":"x"}' });
  });

  test(`${name}: of many at once just one gets the key`, async (context) => {
    const store = await open(context);
    const found = await Promise.all(Array.from({ length: 10 }, () => store.begin(claim)));
    assert.equal(found.filter(({ state }) => state === 'new').length, 1);
    assert.equal(found.filter(({ state }) => state === 'running').length, 9);
  });

  test(`${name}: a released key is new again`, async (context) => {
    const store = await open(context);
    await store.begin(claim);
    await store.release(claim);
    assert.deepEqual(await store.begin(claim), { state: 'new' });
  });

  test(`${name}: another request under the key is told from the first, while it runs and after`, async (context) => {
    const store = await open(context);
    const other = { ...claim, digest: 'digest-2' };
    await store.begin(claim);
    assert.deepEqual(await store.begin(other), { state: 'other-request' });
    await store.finish(claim, { status: 204 });
    assert.deepEqual(await store.begin(other), { state: 'other-request' });
    assert.deepEqual(await store.begin(claim), { state: 'done', status: 204 });
  });

  test(`${name}: a key is answered from the end of its first request on`, async (context) => {
    const store = await open(context);
    assert.equal(await store.isAnswered(claim), false);
    await store.begin(claim);
    assert.equal(await store.isAnswered(claim), false);
    await store.finish(claim, { status: 201 });
    assert.equal(await store.isAnswered(claim), true);
    assert.equal(await store.isAnswered({ ...claim, callerId: 'svc_2' }), false);
  });

  test(`${name}: the same key of another caller is another key`, async (context) => {
    const store = await open(context);
    await store.begin(claim);
    assert.deepEqual(await store.begin({ ...claim, callerId: 'svc_2' }), { state: 'new' });
  });
};
