import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { soon } from '../accounts/people.fixture.ts';
import { givenServer } from '../identity.fixture.ts';

const password = 'correct horse battery staple';

/** Signs in as anybody of a tenant; all have one password. */
const given = async (context: TestContext) => {
  const server = await givenServer(context);
  const operator = await server.operatorToken();
  const make = (token: string, username: string, fields: object = {}) =>
    server.call('POST', '/v1/tenant/people', { token, body: { username, password, role: 'member', ...fields } });
  const signInAs = async (username: string, secret = password) =>
    (await server.signIn({ method: 'password', username, password: secret })).body;
  /** A person of the tenant `default`, signed in. */
  const person = async (username: string, role: string) => {
    const made = await make(operator, username, { role });
    assert.equal(made.status, 201, made.text);
    const session = await signInAs(username);
    return { id: String(made.body.id), path: `/v1/tenant/people/${made.body.id}`, token: String(session.accessToken), session };
  };
  const status = async (token: string, path = '/v1/me') => (await server.call('GET', path, { token })).status;
  return { ...server, operator, make, signInAs, person, status };
};

test('who looks after a tenant makes people, sees, changes and removes them', async (context) => {
  const { call, person, signInAs, status } = await given(context);
  const admin = await person('root', 'admin');
  const body = {
    username: 'Grace',
    password,
    email: 'grace@example.com',
    displayName: 'Grace Hopper',
    role: 'member',
    roles: ['Mentor/Coach'],
  };
  const made = await call('POST', '/v1/tenant/people', { token: admin.token, body });
  assert.equal(made.status, 201);
  const { id, createdAt, ...rest } = made.body;
  assert.match(id, /^per_/);
  assert.match(createdAt, /Z$/);
  const { password: _password, ...wanted } = body;
  assert.deepEqual(rest, { ...wanted, state: 'active' });

  const path = `/v1/tenant/people/${id}`;
  assert.deepEqual((await call('GET', path, { token: admin.token })).body, made.body);
  const session = await signInAs('grace');
  assert.equal(await status(session.accessToken), 200);

  const changes = { displayName: null, email: null, roles: null, role: 'viewer' };
  const changed = await call('PATCH', path, { token: admin.token, body: changes });
  assert.deepEqual(changed.body, { id, username: 'Grace', role: 'viewer', roles: [], state: 'active', createdAt });

  assert.equal((await call('DELETE', path, { token: admin.token })).status, 204);
  assert.equal(await status(session.accessToken), 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } })).status, 401);
  assert.equal((await call('GET', path, { token: admin.token })).status, 404);
  assert.equal((await call('DELETE', path, { token: admin.token })).status, 404);
  assert.equal((await call('POST', '/v1/tenant/people', { token: admin.token, body })).status, 409, 'the name stays taken');
});

test('the people of a tenant are listed page by page, those of other tenants are not there', async (context) => {
  const { call, operator, make, signInAs, person } = await given(context);
  const member = await person('bob', 'member');
  await call('POST', '/v1/tenants', { token: operator, body: { name: 'Acme', admin: { username: 'wile', password } } });
  const elsewhere = String((await signInAs('wile')).accessToken);
  assert.equal((await make(elsewhere, 'road-runner')).status, 201);

  const names = async (token: string) => {
    const first = (await call('GET', '/v1/tenant/people?limit=1', { token })).body;
    const second = (await call('GET', `/v1/tenant/people?limit=1&cursor=${first.nextCursor}`, { token })).body;
    assert.equal(second.nextCursor, undefined);
    return [...first.items, ...second.items].map(({ username }: { username: string }) => username);
  };
  assert.deepEqual(await names(operator), ['bob', 'ada']);
  assert.deepEqual(await names(elsewhere), ['road-runner', 'wile']);
  assert.equal((await call('GET', '/v1/tenant/people?cursor=x', { token: operator })).status, 400);
  for (const [method, body] of [['GET'], ['PATCH', { role: 'viewer' }], ['DELETE']] as const)
    assert.equal((await call(method, member.path, { token: elsewhere, body })).status, 404);
  assert.equal((await call('GET', '/v1/me', { token: member.token })).body.role, 'member');
});

test('of many who want one user name at once exactly one gets it, in whichever tenant', async (context) => {
  const { call, operator, make, signInAs } = await given(context);
  await call('POST', '/v1/tenants', { token: operator, body: { name: 'Acme', admin: { username: 'wile', password } } });
  const elsewhere = String((await signInAs('wile')).accessToken);
  const answers = await Promise.all(['grace', 'GRACE', 'Grace', 'gRACE'].flatMap((name) => [make(operator, name), make(elsewhere, name)]));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(7).fill(409)]);
});

test('a changed role counts at once, for tokens that are out and for refreshed ones', async (context) => {
  const { call, operator, person, status } = await given(context);
  const { path, token, session } = await person('bob', 'member');
  const turn = (role: string) => call('PATCH', path, { token: operator, body: { role } });
  assert.equal(await status(token, '/v1/tenant/people'), 403);
  await turn('admin');
  assert.equal(await status(token, '/v1/tenant/people'), 200);
  await turn('viewer');
  assert.equal(await status(token, '/v1/tenant/people'), 403);
  const refreshed = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
  const { role, scopes } = (await call('GET', '/v1/me', { token: refreshed.body.accessToken })).body;
  assert.deepEqual([role, scopes], ['viewer', ['files:read', 'events:read', 'records:read', 'trace:read']]);
});

test('a changed role counts on another replica within five seconds, for the person and its devices', async (context) => {
  const server = await given(context);
  const { call, operator, person, signIn } = server;
  const bob = await person('bob', 'member');
  const { pin } = (await call('POST', '/v1/devices/pairings', { token: bob.token, body: { deviceId: 'phone' } })).body;
  const device = (await signIn({ method: 'pin', deviceId: 'phone', pin })).body.accessToken;
  const replica = await server.another();
  const workers = replica.startWorkers();
  context.after(() => Promise.all(workers.map((worker) => worker.stop())));
  const maySend = async () => {
    const callers = await Promise.all([bob.token, device].map((token) => replica.authenticate(`Bearer ${token}`, '127.0.0.1')));
    return callers.map((caller) => caller?.scopes.has('events:send'));
  };
  assert.deepEqual(await maySend(), [true, true]);
  await call('PATCH', bob.path, { token: operator, body: { role: 'viewer' } });
  await soon(async () => ((await maySend()).includes(true) ? undefined : true));
});

test('what a service was given it keeps when its maker may do less', async (context) => {
  const { call, operator, person, signIn } = await given(context);
  const admin = await person('root', 'admin');
  const body = { name: 'till', scopes: ['events:send', 'targets:manage'] };
  const { authId, secret } = (await call('POST', '/v1/services', { token: admin.token, body })).body;
  await call('PATCH', admin.path, { token: operator, body: { role: 'viewer' } });
  const session = (await signIn({ method: 'secret', authId, secret })).body;
  assert.deepEqual((await call('GET', '/v1/me', { token: session.accessToken })).body.scopes, body.scopes);
});

test('nobody makes, raises or touches somebody who may do more than itself', async (context) => {
  const { call, operator, make, person, database } = await given(context);
  const admin = await person('root', 'admin');
  const bob = await person('bob', 'member');
  const ada = await database.read.selectFrom('people').select('id').where('usernameKey', '=', 'ada').executeTakeFirstOrThrow();
  const asAdmin = (method: string, path: string, body?: object) => call(method, path, { token: admin.token, body });

  assert.equal((await make(admin.token, 'eve', { role: 'operator' })).status, 403);
  assert.equal((await asAdmin('PATCH', bob.path, { role: 'operator' })).status, 403);
  assert.equal((await asAdmin('PATCH', admin.path, { role: 'operator' })).status, 403);
  const operatorPath = `/v1/tenant/people/${ada.id}`;
  for (const body of [{ role: 'viewer' }, { password: 'another good password' }, { email: 'eve@example.com' }])
    assert.equal((await asAdmin('PATCH', operatorPath, body)).status, 403);
  assert.equal((await asAdmin('DELETE', operatorPath)).status, 403);
  assert.equal((await asAdmin('PATCH', bob.path, { role: 'admin' })).status, 200);

  const { authId, secret } = (await call('POST', '/v1/services', { token: operator, body: { name: 'hr', scopes: ['people:manage'] } }))
    .body;
  const service = (await call('POST', '/v1/sessions', { body: { method: 'secret', authId, secret } })).body.accessToken;
  assert.equal((await make(service, 'eve', { role: 'admin' })).status, 403, 'nor a service that may only manage people');
  assert.equal((await call('PATCH', bob.path, { token: service, body: { password: 'another good password' } })).status, 403);
});

test('operators belong to the tenant default, and one always stays', async (context) => {
  const { call, operator, person, status } = await given(context);
  const me = (await call('GET', '/v1/me', { token: operator })).body;
  const adaPath = `/v1/tenant/people/${me.id}`;
  assert.equal((await call('PATCH', adaPath, { token: operator, body: { role: 'admin' } })).status, 409);
  assert.equal((await call('DELETE', adaPath, { token: operator })).status, 409);
  assert.equal((await call('PATCH', adaPath, { token: operator, body: { role: 'operator', displayName: 'Ada' } })).status, 200);

  const second = await person('second', 'operator');
  const answers = await Promise.all([
    call('PATCH', adaPath, { token: second.token, body: { role: 'member' } }),
    call('DELETE', second.path, { token: operator }),
  ]);
  const statuses = answers.map((answer) => answer.status);
  assert.equal(statuses.filter((one) => one < 300).length, 1, statuses.join());
  const stays = statuses[0] === 200 ? second.token : operator;
  assert.equal(await status(stays, '/v1/tenants'), 200);
});

test('a password that an admin sets ends the sessions of the person and is the one that counts', async (context) => {
  const { call, operator, person, status, signIn } = await given(context);
  const bob = await person('bob', 'member');
  const eve = await person('eve', 'member');
  const next = 'another good password';
  assert.equal((await call('PATCH', bob.path, { token: operator, body: { password: next } })).status, 200);
  assert.equal(await status(bob.token), 401);
  assert.equal(await status(eve.token), 200);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: bob.session.refreshToken } })).status, 401);
  assert.equal((await signIn({ method: 'password', username: 'bob', password })).status, 401);
  assert.equal((await signIn({ method: 'password', username: 'bob', password: next })).status, 201);
});

test('who removes a person ends the sessions of its devices, and has all that it owned removed', async (context) => {
  const { call, operator, person, database, clock } = await given(context);
  const bob = await person('bob', 'member');
  const eve = await person('eve', 'member');
  const { build, read, write } = database;
  const tenantId = (await call('GET', '/v1/me', { token: bob.token })).body.tenantId;
  const at = clock.now();
  for (const { id: personId } of [bob, eve]) {
    const ofDevice = { id: `ses_${personId}`, tenantId, callerId: `dev_${personId}`, callerKind: 'device', personId } as const;
    const times = { createdAt: at, lastUsedAt: at, refreshExpiresAt: at + 1e9, revokedAt: null };
    const { sql, parameters } = build
      .insertInto('sessions')
      .values({ ...ofDevice, ...times, address: '192.0.2.1' })
      .compile();
    await write([{ sql, parameters }]);
  }
  assert.equal((await call('DELETE', bob.path, { token: operator })).status, 204);
  const live = await read
    .selectFrom('sessions')
    .select('personId')
    .where('callerKind', '=', 'device')
    .where('revokedAt', 'is', null)
    .execute();
  assert.deepEqual(live, [{ personId: eve.id }]);
  assert.deepEqual(await read.selectFrom('removals').select(['subject', 'kind']).execute(), [{ subject: bob.id, kind: 'person' }]);
});

test('wrong bodies are refused by name, a user name cannot be changed', async (context) => {
  const { call, operator, make, person } = await given(context);
  for (const [fields, at] of [
    [{ username: 'x' }, '/username'],
    [{ username: 'gr\u0430ce' }, '/username'],
    [{ password: 'short' }, '/password'],
    [{ password: 'x'.repeat(1024 * 1024) }, '/password'],
    [{ role: 'king' }, '/role'],
    [{ roles: 'Mentor' }, '/roles'],
    [{ roles: ['a\nb'] }, '/roles/0'],
    [{ roles: [''] }, '/roles/0'],
    [{ roles: Array.from({ length: 65 }, (_, index) => `role-${index}`) }, '/roles'],
    [{ displayName: 'a\u0000b' }, '/displayName'],
    [{ email: 'nobody' }, '/email'],
    [{ state: 'active' }, '/state'],
  ] as const) {
    const { status, body } = await make(operator, 'grace', fields);
    assert.equal(status, 400, JSON.stringify(fields).slice(0, 80));
    assert.equal(body.errors[0].at, at);
  }
  const bob = await person('bob', 'member');
  for (const [body, at] of [
    [{ username: 'robert' }, '/username'],
    [{ password: 'password1234' }, '/password'],
    [{ password: null }, '/password'],
    [{ role: null }, '/role'],
    [{ email: 'nobody' }, '/email'],
    [{ displayName: '\u202eevil' }, '/displayName'],
  ] as const) {
    const refused = await call('PATCH', bob.path, { token: operator, body });
    assert.deepEqual([refused.status, refused.body.errors[0].at], [400, at]);
  }
});

test('a repeated request makes no second person', async (context) => {
  const { call, operator } = await given(context);
  const options = { token: operator, body: { username: 'bob', password, role: 'member' }, headers: { 'idempotency-key': 'once' } };
  const first = await call('POST', '/v1/tenant/people', options);
  const second = await call('POST', '/v1/tenant/people', options);
  assert.deepEqual([first.status, second.status, second.body], [201, 201, first.body]);
});
