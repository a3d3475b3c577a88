import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Database } from '../../../database/database.ts';
import { createIds } from '../../../foundation/ids.ts';
import { createSeal, Secret, WrongSecretKey } from '../../../foundation/secret.ts';
import { createTrace } from '../../trace/trace.ts';
import { createTurnableClock, givenDatabase, givenSeal } from '../identity.fixture.ts';
import { createSigningKeyStore } from './signing-key-store.ts';
import { createSigningKeys } from './signing-keys.ts';

const dayMs = 24 * 60 * 60 * 1000;

const given = async (context: TestContext) => {
  const clock = createTurnableClock();
  const database = await givenDatabase(context, clock);
  const open = (over: Database = database, seal = givenSeal()) =>
    createSigningKeys({
      database: over,
      store: createSigningKeyStore(over),
      seal,
      clock,
      ids: createIds(clock.now),
      accessTokenTtlMs: 900_000,
      trace: createTrace({ database: over }),
    });
  return { clock, database, open };
};

test('the first start makes a key, and the next start goes on with it', async (context) => {
  const { open } = await given(context);
  const first = await open();
  const second = await open();
  assert.equal(first.all().length, 1);
  assert.equal(second.current().id, first.current().id);
});

test('processes that start together agree on one key', async (context) => {
  const { open } = await given(context);
  const opened = await Promise.all([open(), open(), open()]);
  assert.equal(new Set(opened.map((keys) => keys.current().id)).size, 1);
});

test('a new key is published a day before it signs, and the old one is published until its tokens have expired', async (context) => {
  const { clock, open } = await given(context);
  const keys = await open();
  const first = keys.current().id;

  clock.turn(29 * dayMs + 1_000);
  await keys.reload();
  assert.equal(keys.all().length, 2);
  assert.equal(keys.current().id, first);

  clock.turn(dayMs);
  await keys.reload();
  const second = keys.current().id;
  assert.notEqual(second, first);
  assert.deepEqual(
    keys.all().map((key) => key.id),
    [first, second],
  );

  clock.turn(dayMs);
  await keys.reload();
  assert.deepEqual(
    keys.all().map((key) => key.id),
    [second],
  );
});

test('after a long time without any server there is a key that signs at once', async (context) => {
  const { clock, open } = await given(context);
  const first = (await open()).current().id;
  clock.turn(90 * dayMs);
  const keys = await open();
  assert.notEqual(keys.current().id, first);
  assert.ok(keys.current().expiresAt > clock.now());
});

test('the private key is not in the database in plain, and another secret key does not open it', async (context) => {
  const { database, open } = await given(context);
  const keys = await open();
  const [row] = await database.read.selectFrom('signingKeys').selectAll().execute();
  assert.ok(row);
  assert.doesNotMatch(JSON.stringify(row), /PRIVATE|"d"/);
  assert.equal('d' in keys.current().publicJwk, false);
  await assert.rejects(open(database, createSeal(new Secret('another'))), WrongSecretKey);
});

const byHand = { tenantId: 'ten_1', place: 'command line' };

test('a gentle rotation publishes the new key at once, signs with it when every server knows it, and lets the old one verify', async (context) => {
  const { clock, open } = await given(context);
  const [here, there] = [await open(), await open()];
  const old = here.current().id;
  const { id } = await here.rotate('gently', byHand);
  assert.deepEqual([here.current().id, here.all().map((key) => key.id)], [old, [old, id]]);
  await there.reload();
  clock.turn(5_001);
  for (const keys of [here, there]) assert.equal(keys.current().id, id);
  clock.turn(900_000);
  await there.reload();
  assert.deepEqual(
    there.all().map((key) => key.id),
    [old, id],
  );
  clock.turn(dayMs);
  await there.reload();
  assert.deepEqual(
    there.all().map((key) => key.id),
    [id],
  );
});

test('a rotation now takes the keys before away, here at once and elsewhere at the next look', async (context) => {
  const { database, open } = await given(context);
  const [here, there] = [await open(), await open()];
  const { id } = await here.rotate('now', byHand);
  await there.reload();
  for (const keys of [here, there]) {
    assert.deepEqual(
      keys.all().map((key) => key.id),
      [id],
    );
    assert.equal(keys.current().id, id);
  }
  assert.equal((await database.read.selectFrom('signingKeys').selectAll().execute()).length, 1);
});

test('a key that was published for the next month is taken away with a leaked one, and a rotation is traced', async (context) => {
  const { clock, database, open } = await given(context);
  const keys = await open();
  clock.turn(29 * dayMs + 1_000);
  await keys.reload();
  assert.equal(keys.all().length, 2);
  const { id } = await keys.rotate('now', byHand);
  assert.deepEqual(
    keys.all().map((key) => key.id),
    [id],
  );
  const [entry] = await database.read.selectFrom('traceEntries').selectAll().where('subject', '=', id).execute();
  assert.deepEqual([entry?.what, entry?.kind, entry?.place], ['rotated', 'key', 'command line']);
});
