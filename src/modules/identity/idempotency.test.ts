import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { hashOf } from '../../foundation/secret.ts';
import { idempotencyContract } from '../../http/idempotency.contract.ts';
import { createIdempotency } from './idempotency.ts';
import { createIdempotencyKeyStore } from './idempotency-store.ts';
import { createTurnableClock, givenDatabase, givenSeal } from './identity.fixture.ts';

const given = async (context: TestContext) => {
  const clock = createTurnableClock();
  const database = await givenDatabase(context, clock);
  const store = createIdempotencyKeyStore(database);
  return { clock, database, store, idempotency: createIdempotency({ database, store, seal: givenSeal(), clock }) };
};

idempotencyContract('database', async (context) => (await given(context)).idempotency);

const claim = { callerId: 'svc_1', key: 'k', digest: 'd' };
const hourMs = 60 * 60 * 1000;

test('the same request under the same key gets the same answer for a day, then the key is free', async (context) => {
  const { idempotency, clock } = await given(context);
  assert.deepEqual(await idempotency.begin(claim), { state: 'new' });
  await idempotency.finish(claim, { status: 201, body: '{"id":"x"}' });
  assert.deepEqual(await idempotency.begin(claim), { state: 'done', status: 201, body: '{"id":"x"}' });
  clock.turn(23 * hourMs);
  assert.equal((await idempotency.begin(claim)).state, 'done');
  assert.equal(await idempotency.isAnswered(claim), true);
  clock.turn(hourMs);
  assert.equal(await idempotency.isAnswered(claim), false);
  assert.deepEqual(await idempotency.begin(claim), { state: 'new' });
});

test('an answer without a body comes again without a body', async (context) => {
  const { idempotency } = await given(context);
  await idempotency.begin(claim);
  await idempotency.finish(claim, { status: 204 });
  assert.deepEqual(await idempotency.begin(claim), { state: 'done', status: 204 });
});

test('a key held by a process that died is taken over after a minute, by one', async (context) => {
  const { idempotency, clock } = await given(context);
  await idempotency.begin(claim);
  clock.turn(59_000);
  assert.deepEqual(await idempotency.begin(claim), { state: 'running' });
  clock.turn(2_000);
  assert.deepEqual(await idempotency.begin({ ...claim, digest: 'other' }), { state: 'other-request' });
  const found = await Promise.all([idempotency.begin(claim), idempotency.begin(claim), idempotency.begin(claim)]);
  assert.deepEqual(found.map(({ state }) => state).sort(), ['new', 'running', 'running']);
});

test('keys whose time is over are cleaned away in small pieces, others stay', async (context) => {
  const { idempotency, clock, database, store } = await given(context);
  for (const key of ['a', 'b', 'c']) await idempotency.begin({ ...claim, key });
  clock.turn(25 * hourMs);
  await idempotency.begin(claim);
  const [removed] = await database.write([store.removeExpiredKeys({ before: clock.now(), limit: 2 })]);
  assert.equal(removed?.changes, 2);
  await database.write([store.removeExpiredKeys({ before: clock.now(), limit: 2 })]);
  const left = await database.read.selectFrom('idempotencyKeys').select('idempotencyKey').execute();
  assert.deepEqual(left, [{ idempotencyKey: 'k' }]);
});

test('what is kept tells neither what was sent nor what was answered, and cannot be found out by trying', async (context) => {
  const { idempotency, database } = await given(context);
  const digest = hashOf('POST /v1/people with a password');
  await idempotency.begin({ ...claim, digest });
  await idempotency.finish({ ...claim, digest }, { status: 201, body: '{"id":"per_1","email":"grace@example.org"}' });
  const kept = JSON.stringify(await database.read.selectFrom('idempotencyKeys').selectAll().execute());
  for (const text of [digest, 'grace', 'example.org']) assert.ok(!kept.includes(text), text);
});
