import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../../foundation/log.ts';
import { operatorPassword } from '../identity.fixture.ts';
import { givenPeople, password, soon } from './people.fixture.ts';
import { createRemovalStore } from './removal-store.ts';
import { createRemovals, type RemovalStep } from './removals.ts';

const email = 'grace@example.org';

test('a deleted account is gone at once with its sessions, and its name stays taken', async (context) => {
  const { call, signIn, signUp, givenPerson } = await givenPeople(context);
  const { token, refreshToken } = await givenPerson('grace', { email });
  assert.equal((await call('DELETE', '/v1/me', { token, body: { password } })).status, 204);
  assert.equal((await call('GET', '/v1/me', { token })).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken } })).status, 401);
  assert.equal((await signIn({ method: 'password', username: 'grace', password })).status, 401);
  assert.equal((await call('DELETE', '/v1/me', { token, body: { password } })).status, 401);
  for (const username of ['grace', 'GRACE']) {
    const again = await signUp({ username });
    assert.deepEqual([again.status, again.body.type], [409, '/problems/conflict']);
  }
});

test('another process refuses the sessions of a deleted account, too', async (context) => {
  const people = await givenPeople(context);
  const { token } = await people.givenPerson('grace');
  const elsewhere = await people.another();
  assert.ok(await elsewhere.authenticate(`Bearer ${token}`, '127.0.0.1'));
  await people.call('DELETE', '/v1/me', { token, body: { password } });
  await assert.rejects((await people.another()).authenticate(`Bearer ${token}`, '127.0.0.1'), /ended/);
});

test('everything that the account owned goes, and the trace keeps ids only', async (context) => {
  const { call, givenPerson, traceOf, database, clock, identity, stopWorkers, startWorkers } = await givenPeople(context);
  const { id, token } = await givenPerson('grace', { email, displayName: 'Grace Hopper' });
  await call('PATCH', '/v1/me', { token, body: { displayName: 'G. Hopper' } });
  await stopWorkers();
  await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  await soon(async () => (await database.read.selectFrom('mails').select('id').executeTakeFirst())?.id);
  const tenantId = await identity.defaultTenantId();
  const at = clock.now();
  const { build } = database;
  const device = { id: 'dev_1', tenantId, personId: id, deviceId: 'phone', name: 'Grace’s phone', createdAt: at, lastUsedAt: at };
  const traced = {
    tenantId,
    subject: 'dev_1',
    kind: 'device',
    at,
    what: 'paired',
    who: id,
    place: '192.0.2.7',
    detailJson: '{"name":"phone"}',
  };
  await database.write([
    build.insertInto('devices').values(device).compile(),
    build
      .insertInto('pairings')
      .values({
        ...{ id: 'pair_1', tenantId, personId: id, deviceId: 'phone', name: null, pinHash: 'x', triesLeft: 5, createdAt: at },
        expiresAt: at,
        usedAt: null,
      })
      .compile(),
    build.insertInto('traceEntries').values(traced).compile(),
  ]);

  await call('DELETE', '/v1/me', { token, body: { password } });
  startWorkers();
  await soon(async () => ((await database.read.selectFrom('devices').select('id').executeTakeFirst()) === undefined ? true : undefined));
  clock.turn(10_001);
  await stopWorkers();
  startWorkers();
  await soon(async () =>
    (await database.read.selectFrom('removals').select('subject').executeTakeFirst()) === undefined ? true : undefined,
  );

  for (const table of ['devices', 'pairings', 'mailTokens', 'mails', 'refreshTokens', 'deviceAuthorizations'] as const) {
    assert.deepEqual(await database.read.selectFrom(table).selectAll().execute(), [], table);
  }
  assert.deepEqual(await database.read.selectFrom('people').select('username').execute(), [{ username: 'ada' }]);
  const sessions = await database.read.selectFrom('sessions').selectAll().where('callerId', '=', id).execute();
  assert.ok(
    sessions.every(({ address, revokedAt, refreshExpiresAt }) => address === '' && revokedAt !== null && refreshExpiresAt <= clock.now()),
  );
  const entries = [...(await traceOf(id)), ...(await traceOf('dev_1'))];
  assert.deepEqual(
    entries.map(({ what }) => what),
    ['signed-up', 'signed-in', 'changed', 'deleted', 'paired'],
  );
  for (const { place, detailJson, who } of entries) assert.deepEqual([place, detailJson, who], [null, null, id]);
  const names = JSON.stringify(await database.read.selectFrom('takenNames').selectAll().execute());
  assert.ok(!names.includes('grace'));
});

test('answers that are kept for a day to be repeated go with the person whom they tell about', async (context) => {
  const { call, signUp, signIn, operatorToken, database } = await givenPeople(context);
  const once = (key: string) => ({ headers: { 'idempotency-key': key } });
  const token = await operatorToken();
  const kept = async () =>
    (await database.read.selectFrom('idempotencyKeys').select('idempotencyKey').execute()).map((row) => row.idempotencyKey);
  await signUp({ username: 'grace', email }, once('by-herself'));
  await signUp({ username: 'hopper' }, once('by-somebody-else'));
  const body = { username: 'barbara', password, role: 'member', email };
  const made = await call('POST', '/v1/tenant/people', { token, body, ...once('by-an-admin') });
  assert.equal((await kept()).length, 3);
  const grace = (await signIn({ method: 'password', username: 'grace', password })).body.accessToken;
  assert.equal((await call('DELETE', '/v1/me', { token: grace, body: { password } })).status, 204);
  assert.equal((await call('DELETE', `/v1/tenant/people/${made.body.id}`, { token })).status, 204);
  const left = await soon(async () => ((await kept()).length > 1 ? undefined : await kept()));
  assert.deepEqual(left, ['by-somebody-else']);
});

test('a session that was opened while its account was being deleted ends as well', async (context) => {
  const { call, givenPerson, database, clock, stopWorkers, startWorkers } = await givenPeople(context);
  const { id, token } = await givenPerson('grace');
  const session = await database.read.selectFrom('sessions').selectAll().where('callerId', '=', id).executeTakeFirstOrThrow();
  await call('DELETE', '/v1/me', { token, body: { password } });
  // What another process had begun before, and ended after.
  const late = { ...session, id: 'ses_late', revokedAt: null, createdAt: clock.now() };
  await database.write([database.build.insertInto('sessions').values(late).compile()]);
  clock.turn(10_001);
  await stopWorkers();
  startWorkers();
  const read = () => database.read.selectFrom('sessions').selectAll().where('id', '=', 'ses_late').executeTakeFirstOrThrow();
  const ended = await soon(async () => ((await read()).revokedAt === null ? undefined : await read()));
  assert.equal(ended.address, '');
});

test('that the account was deleted is told to the administrator of its tenant', async (context) => {
  const { call, givenPerson, trace, identity } = await givenPeople(context);
  const { id, token } = await givenPerson('grace');
  await call('DELETE', '/v1/me', { token, body: { password } });
  const tenantId = await identity.defaultTenantId();
  const admin = { id: 'per_admin', kind: 'person', tenantId, sessionId: 'ses_1', scopes: new Set(['people:manage'] as const) } as const;
  const seen = await soon(async () => {
    const { entries } = await trace.get(admin, id);
    return entries.every(({ where, detail }) => where === undefined && detail === undefined) ? entries : undefined;
  });
  assert.deepEqual(
    seen.map(({ what, who }) => [what, who]),
    [
      ['signed-up', id],
      ['signed-in', id],
      ['deleted', id],
    ],
  );
});

test('what a removal could not end goes on after a crash, also when a step fails once, and others are not held up', async (context) => {
  const { database, clock, stopWorkers } = await givenPeople(context);
  await stopWorkers();
  const store = createRemovalStore(database);
  const left = new Map([
    ['per_1', 3],
    ['per_2', 2],
  ]);
  let failures = 1;
  const files: RemovalStep = {
    name: 'files',
    async removeSome({ id }) {
      if (id === 'per_1' && failures-- > 0) throw new Error('the disk is away');
      left.set(id, Math.max(0, (left.get(id) ?? 0) - 1));
      return left.get(id) === 0;
    },
  };
  const open = () => createRemovals({ database, store, steps: [files], clock, log: silentLog });
  const before = open();
  for (const id of left.keys()) await database.write(before.writes({ id, tenantId: 'ten_1' }));
  // As after kill -9: only what is in the database is known.
  clock.turn(10_001);
  const worker = open().startWorker();
  context.after(() => worker.stop());
  await soon(() => (left.get('per_2') === 0 ? true : undefined));
  await worker.stop();
  const again = open().startWorker();
  context.after(() => again.stop());
  await soon(async () => ((await database.read.selectFrom('removals').selectAll().executeTakeFirst()) === undefined ? true : undefined));
  assert.deepEqual([...left.values()], [0, 0]);
});

test('the last operator stays, so that somebody looks after the instance', async (context) => {
  const { call, operatorToken, givenPerson, database } = await givenPeople(context);
  const token = await operatorToken();
  const kept = await call('DELETE', '/v1/me', { token, body: { password: operatorPassword } });
  assert.deepEqual([kept.status, kept.body.type], [409, '/problems/conflict']);
  assert.equal((await call('GET', '/v1/me', { token })).status, 200);
  const { id, token: other } = await givenPerson('grace');
  await database.write([database.build.updateTable('people').set({ role: 'operator' }).where('id', '=', id).compile()]);
  const answers = await Promise.all([
    call('DELETE', '/v1/me', { token, body: { password: operatorPassword } }),
    call('DELETE', '/v1/me', { token: other, body: { password } }),
  ]);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 409]);
});

test('deleting an account while it is busy harms nothing: no 5xx, and nothing of it comes back', async (context) => {
  const { call, signIn, givenPerson, database } = await givenPeople(context);
  const { id, token, refreshToken } = await givenPerson('grace', { email });
  const answers = await Promise.all([
    ...Array.from({ length: 3 }, () => call('DELETE', '/v1/me', { token, body: { password } })),
    ...Array.from({ length: 3 }, (_, index) => call('PATCH', '/v1/me', { token, body: { displayName: `Grace ${index}` } })),
    ...Array.from({ length: 3 }, () => signIn({ method: 'password', username: 'grace', password })),
    call('POST', '/v1/me/password', { token, body: { current: password, next: 'purple elephants never forget' } }),
    call('POST', '/v1/sessions/refresh', { body: { refreshToken } }),
    call('GET', '/v1/sessions', { token }),
    call('POST', '/v1/password-resets', { body: { username: 'grace' } }),
  ]);
  assert.deepEqual(
    answers.filter(({ status }) => status >= 500),
    [],
  );
  if (!answers.slice(0, 3).some(({ status }) => status === 204)) return; // the changed password was faster
  assert.equal(await database.read.selectFrom('people').select('id').where('id', '=', id).executeTakeFirst(), undefined);
  const live = await database.read.selectFrom('sessions').select('id').where('callerId', '=', id).where('revokedAt', 'is', null).execute();
  assert.deepEqual(live, []);
});
