import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Database } from '../../database/database.ts';
import type { PersonRow } from '../../database/tables.ts';
import { givenServer, operatorPassword } from './identity.fixture.ts';
import { roles } from './permissions.ts';

/** A person with ada's password, in a tenant of its own where one is named. */
const givenPerson = async ({ build, read, write }: Database, username: string, role: PersonRow['role'], tenantId?: string) => {
  const ada = await read.selectFrom('people').selectAll().where('usernameKey', '=', 'ada').executeTakeFirstOrThrow();
  if (tenantId !== undefined) {
    const tenant = {
      id: tenantId,
      slug: tenantId,
      name: tenantId,
      state: 'active' as const,
      confirmEmail: 0,
      signUp: 'open' as const,
      createdAt: 0,
      updatedAt: 0,
    };
    await write([build.insertInto('tenants').values(tenant).compile()].map(({ sql, parameters }) => ({ sql, parameters })));
  }
  const person = { ...ada, id: `per_${username}`, username, usernameKey: username, role, tenantId: tenantId ?? ada.tenantId };
  const { sql, parameters } = build.insertInto('people').values(person).compile();
  await write([{ sql, parameters }]);
  return { method: 'password', username, password: operatorPassword };
};

test('nobody gives a service more than it may do itself', async (context) => {
  const { call, signIn, database, operatorToken } = await givenServer(context);
  const admin = (await signIn(await givenPerson(database, 'bob', 'admin'))).body.accessToken;
  const refused = await call('POST', '/v1/services', { token: admin, body: { name: 'x', scopes: ['events:send', 'operate'] } });
  assert.equal(refused.status, 403);
  assert.match(refused.body.detail, /operate/);

  const made = (await call('POST', '/v1/services', { token: admin, body: { name: 'x', scopes: ['events:send'] } })).body;
  assert.equal((await call('PATCH', `/v1/services/${made.id}`, { token: admin, body: { scopes: ['operate'] } })).status, 403);
  assert.equal((await call('PATCH', `/v1/services/${made.id}`, { token: admin, body: { scopes: [...roles.admin] } })).status, 200);

  const mighty = (await call('POST', '/v1/services', { token: await operatorToken(), body: { name: 'y', scopes: ['operate'] } })).body;
  assert.equal((await call('POST', `/v1/services/${mighty.id}/secrets`, { token: admin })).status, 403);
  assert.equal((await call('PATCH', `/v1/services/${mighty.id}`, { token: admin, body: { name: 'z' } })).status, 200);
});

test('services need the scope, and a member does not have it', async (context) => {
  const { call, signIn, database } = await givenServer(context);
  const member = (await signIn(await givenPerson(database, 'eve', 'member'))).body.accessToken;
  const { status, body } = await call('GET', '/v1/services', { token: member });
  assert.equal(status, 403);
  assert.equal(body.scope, 'services:manage');
  assert.equal((await call('GET', '/v1/services')).status, 401);
});

test('the services of another tenant are not there', async (context) => {
  const { call, signIn, database, givenService } = await givenServer(context);
  const { made, session } = await givenService(['events:send']);
  const token = (await signIn(await givenPerson(database, 'mallory', 'admin', 'ten_other'))).body.accessToken;
  assert.deepEqual((await call('GET', '/v1/services', { token })).body.items, []);
  const path = `/v1/services/${made.id}`;
  assert.equal((await call('GET', path, { token })).status, 404);
  assert.equal((await call('PATCH', path, { token, body: { name: 'mine' } })).status, 404);
  assert.equal((await call('POST', `${path}/secrets`, { token })).status, 404);
  assert.equal((await call('DELETE', `${path}/secrets/${made.secretId}`, { token })).status, 404);
  assert.equal((await call('DELETE', path, { token })).status, 404);
  assert.equal((await call('GET', '/v1/me', { token: session.accessToken })).status, 200);
});

test('a changed scope counts at once, also for tokens that are out and for refreshed ones', async (context) => {
  const { call, operatorToken, givenService } = await givenServer(context);
  const { made, session } = await givenService(['events:send', 'services:manage']);
  const token = session.accessToken;
  assert.equal((await call('GET', '/v1/services', { token })).status, 200);
  const admin = await operatorToken();
  const changed = await call('PATCH', `/v1/services/${made.id}`, { token: admin, body: { scopes: ['events:send'], name: 'till' } });
  assert.equal(changed.status, 200);
  assert.equal(changed.body.name, 'till');
  assert.deepEqual(changed.body.scopes, ['events:send']);
  assert.equal((await call('GET', '/v1/services', { token })).status, 403);
  const refreshed = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
  assert.deepEqual((await call('GET', '/v1/me', { token: refreshed.body.accessToken })).body.scopes, ['events:send']);
  await call('PATCH', `/v1/services/${made.id}`, { token: admin, body: { scopes: ['services:manage'] } });
  assert.equal((await call('GET', '/v1/services', { token })).status, 200);
});

test('of many secrets asked for at once a service gets no more than two', async (context) => {
  const { call, operatorToken, givenService } = await givenServer(context);
  const { made } = await givenService([]);
  const token = await operatorToken();
  const answers = await Promise.all(Array.from({ length: 8 }, () => call('POST', `/v1/services/${made.id}/secrets`, { token })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(7).fill(409)]);
  assert.equal((await call('GET', `/v1/services/${made.id}`, { token })).body.secrets.length, 2);
});

test('a service that signs in while its secret is removed does not keep the session', async (context) => {
  const { call, signIn, operatorToken, givenService } = await givenServer(context);
  const { made } = await givenService([]);
  const token = await operatorToken();
  const credentials = { method: 'secret', authId: made.authId, secret: made.secret };
  const [removed, ...opened] = await Promise.all([
    call('DELETE', `/v1/services/${made.id}/secrets/${made.secretId}`, { token }),
    ...Array.from({ length: 8 }, () => signIn(credentials)),
  ]);
  assert.equal(removed.status, 204);
  for (const { status, body } of opened) {
    assert.ok(status === 201 || status === 401, String(status));
    if (status === 201) assert.equal((await call('GET', '/v1/me', { token: body.accessToken })).status, 401);
  }
});

test('a repeated request makes no second service and does not show the secret again', async (context) => {
  const { call, operatorToken } = await givenServer(context);
  const token = await operatorToken();
  const options = { token, body: { name: 'shop', scopes: [] }, headers: { 'idempotency-key': 'once' } };
  const first = await call('POST', '/v1/services', options);
  assert.equal(first.status, 201);
  const second = await call('POST', '/v1/services', options);
  assert.equal(second.status, 409);
  assert.equal(second.body.type, '/problems/already-created');
  assert.equal(second.body.id, first.body.id);
  assert.ok(!second.text.includes(first.body.secret));
  assert.equal((await call('POST', '/v1/services', { ...options, body: { name: 'other', scopes: [] } })).status, 422);
  assert.equal((await call('GET', '/v1/services', { token })).body.items.length, 1);
});

test('services are listed page by page, newest first, without anything secret', async (context) => {
  const { call, operatorToken } = await givenServer(context);
  const token = await operatorToken();
  const made: { id: string; secret: string }[] = [];
  for (const name of ['a', 'b', 'c']) made.push((await call('POST', '/v1/services', { token, body: { name, scopes: [] } })).body);
  const first = await call('GET', '/v1/services?limit=2', { token });
  assert.deepEqual(
    first.body.items.map((one: { name: string }) => one.name),
    ['c', 'b'],
  );
  const rest = await call('GET', `/v1/services?limit=2&cursor=${first.body.nextCursor}`, { token });
  assert.deepEqual(
    rest.body.items.map((one: { name: string }) => one.name),
    ['a'],
  );
  for (const { secret } of made) assert.ok(!(first.text + rest.text).includes(secret));
  assert.equal(first.body.items[0].secrets[0].lastUsedAt, null);
});

test('wrong bodies are refused by name', async (context) => {
  const { call, operatorToken } = await givenServer(context);
  const token = await operatorToken();
  for (const [body, at] of [
    [{ scopes: [] }, '/name'],
    [{ name: '', scopes: [] }, '/name'],
    [{ name: 'x', scopes: ['everything'] }, '/scopes/0'],
    [{ name: 'x', scopes: [], owner: 'me' }, '/owner'],
    [{ name: 'x\r\nSet-Cookie: a=b', scopes: [] }, '/name'],
  ] as const) {
    const { status, body: problem } = await call('POST', '/v1/services', { token, body });
    assert.equal(status, 400);
    assert.equal(problem.errors[0].at, at);
  }
});

test('a secret tells when it last signed in; refreshing is no use of it', async (context) => {
  const { call, signIn, operatorToken, givenService, clock } = await givenServer(context);
  const { made, session } = await givenService([]);
  const token = await operatorToken();
  const seen = async () => (await call('GET', `/v1/services/${made.id}`, { token })).body;
  const before = await seen();
  assert.deepEqual(Object.keys(before).sort(), ['authId', 'createdAt', 'id', 'name', 'scopes', 'secrets', 'updatedAt']);
  assert.deepEqual(Object.keys(before.secrets[0]).sort(), ['createdAt', 'id', 'lastUsedAt']);
  assert.equal(before.secrets[0].id, made.secretId);
  clock.turn(1_000);
  await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
  await signIn({ method: 'secret', authId: made.authId, secret: 'wrong' });
  assert.deepEqual(await seen(), before);
  await signIn({ method: 'secret', authId: made.authId, secret: made.secret });
  const [used] = (await seen()).secrets;
  assert.ok(Date.parse(used.lastUsedAt) >= Date.parse(before.secrets[0].lastUsedAt) + 1_000);
});

test('a change that is not later by the clock than the one before counts all the same', async (context) => {
  const { call, operatorToken, givenService, database, clock } = await givenServer(context);
  const { made, session } = await givenService(['services:manage']);
  const ahead = clock.now() + 60_000;
  const { sql, parameters } = database.build.updateTable('services').set({ updatedAt: ahead }).where('id', '=', made.id).compile();
  await database.write([{ sql, parameters }]);
  const admin = await operatorToken();
  for (const scopes of [['services:manage'], []])
    assert.equal((await call('PATCH', `/v1/services/${made.id}`, { token: admin, body: { scopes } })).status, 200);
  assert.equal((await call('GET', '/v1/services', { token: session.accessToken })).status, 403);
  const row = await database.read.selectFrom('services').select('updatedAt').where('id', '=', made.id).executeTakeFirstOrThrow();
  assert.equal(row.updatedAt, ahead + 2);
});
