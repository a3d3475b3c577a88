import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { callsTo, givenServer, serve } from '../identity.fixture.ts';

const password = 'correct horse battery staple';
const acme = { name: 'Acme', admin: { username: 'wile', password, email: 'wile@example.com' } };

/** The tenant Acme with an admin who is signed in. */
const givenAcme = async (context: TestContext) => {
  const server = await givenServer(context);
  const operator = await server.operatorToken();
  const made = await server.call('POST', '/v1/tenants', { token: operator, body: acme });
  assert.equal(made.status, 201, made.text);
  const signInAsAdmin = () => server.signIn({ method: 'password', username: 'wile', password });
  const session = (await signInAsAdmin()).body;
  return { ...server, operator, tenant: made.body, admin: String(session.accessToken), session, signInAsAdmin };
};

/** A service of Acme's, and its open session. */
const givenServiceOf = async ({ call, signIn, admin }: Awaited<ReturnType<typeof givenAcme>>) => {
  const { authId, secret } = (await call('POST', '/v1/services', { token: admin, body: { name: 'till', scopes: ['events:send'] } })).body;
  const credentials = { method: 'secret', authId, secret };
  return { credentials, token: String((await signIn(credentials)).body.accessToken) };
};

test('a tenant is made together with its admin, who looks after it and nothing else', async (context) => {
  const { call, tenant, admin, operator } = await givenAcme(context);
  const { id, createdAt, admin: made, ...rest } = tenant;
  assert.deepEqual(rest, { name: 'Acme', slug: 'acme', state: 'active', confirmEmail: false, signUp: 'open' });
  assert.match(id, /^ten_/);
  assert.match(createdAt, /^\d{4}-.*Z$/);
  const me = (await call('GET', '/v1/me', { token: admin })).body;
  assert.deepEqual([me.id, me.tenantId, me.role, me.email], [made.id, id, 'admin', 'wile@example.com']);
  assert.equal((await call('GET', '/v1/tenants', { token: admin })).status, 403);
  assert.equal((await call('GET', `/v1/tenants/${id}`, { token: admin })).status, 403);
  const { admin: _admin, ...seen } = tenant;
  assert.deepEqual((await call('GET', `/v1/tenants/${id}`, { token: operator })).body, seen);
  assert.equal((await call('GET', '/v1/tenants/ten_nowhere', { token: operator })).status, 404);
});

test('a slug is made from the name, and is given once', async (context) => {
  const { call, operatorToken } = await givenServer(context);
  const token = await operatorToken();
  const make = (body: object) => call('POST', '/v1/tenants', { token, body });
  assert.equal((await make({ name: '  Société Générale & Co. ' })).body.slug, 'societe-generale-co');
  assert.equal((await make({ name: 'Other', slug: 'societe-generale-co' })).status, 409);
  assert.equal((await make({ name: 'x'.repeat(128) })).body.slug, 'x'.repeat(63));
  const nameless = (await make({ name: '東京' })).body;
  assert.equal(nameless.slug, nameless.id.replace('_', '-'));
  const made = await Promise.all(Array.from({ length: 6 }, () => make({ name: 'Twins' })));
  assert.deepEqual(made.map(({ status }) => status).sort(), [201, 409, 409, 409, 409, 409]);
});

test('where the name of the admin is taken no tenant is left behind, and the other way round', async (context) => {
  const { call, operator, database } = await givenAcme(context);
  const nameTaken = await call('POST', '/v1/tenants', { token: operator, body: { ...acme, name: 'Other', slug: 'other' } });
  assert.deepEqual([nameTaken.status, nameTaken.body.detail], [409, 'The user name of the admin is taken.']);
  const slugTaken = await call('POST', '/v1/tenants', {
    token: operator,
    body: { ...acme, admin: { ...acme.admin, username: 'road-runner' } },
  });
  assert.deepEqual([slugTaken.status, slugTaken.body.detail], [409, 'The slug `acme` is taken.']);
  assert.equal((await call('GET', '/v1/tenants', { token: operator })).body.items.length, 2);
  const people = await database.read.selectFrom('people').select('usernameKey').orderBy('usernameKey').execute();
  assert.deepEqual(people, [{ usernameKey: 'ada' }, { usernameKey: 'wile' }]);
});

test('a repeated request makes no second tenant', async (context) => {
  const { call, operatorToken } = await givenServer(context);
  const options = { token: await operatorToken(), body: acme, headers: { 'idempotency-key': 'once' } };
  const first = await call('POST', '/v1/tenants', options);
  const second = await call('POST', '/v1/tenants', options);
  assert.deepEqual([first.status, second.status, second.body], [201, 201, first.body]);
  assert.ok(!second.text.includes(password));
});

test('wrong bodies are refused by name', async (context) => {
  const { call, operatorToken } = await givenServer(context);
  const token = await operatorToken();
  for (const [body, at] of [
    [{}, '/name'],
    [{ name: '' }, '/name'],
    [{ name: 'a\r\nb' }, '/name'],
    [{ name: 'a\u202eb' }, '/name'],
    [{ name: 'x', slug: 'UPPER' }, '/slug'],
    [{ name: 'x', slug: '-x' }, '/slug'],
    [{ name: 'x', slug: 'a'.repeat(64) }, '/slug'],
    [{ name: 'x', state: 'suspended' }, '/state'],
    [{ name: 'x', admin: { username: 'wile' } }, '/admin/password'],
    [{ name: 'x', admin: { username: 'wile', password: 'short' } }, '/admin/password'],
    [{ name: 'x', admin: { username: 'wile', password: 'password1234' } }, '/admin/password'],
    [{ name: 'x', admin: { username: 'wi\u0000le', password } }, '/admin/username'],
    [{ name: 'x', admin: { username: 'wile', password, email: 'a@b\r\nbcc: c@d' } }, '/admin/email'],
    [{ name: 'x', admin: { username: 'wile', password, role: 'operator' } }, '/admin/role'],
  ] as const) {
    const { status, body: problem } = await call('POST', '/v1/tenants', { token, body });
    assert.equal(status, 400, JSON.stringify(body));
    assert.equal(problem.errors[0].at, at);
  }
  assert.equal((await call('GET', '/v1/tenants', { token })).body.items.length, 1);
});

test('tenants are listed page by page, newest first', async (context) => {
  const { call, operatorToken } = await givenServer(context);
  const token = await operatorToken();
  for (const name of ['a', 'b']) await call('POST', '/v1/tenants', { token, body: { name } });
  const first = (await call('GET', '/v1/tenants?limit=2', { token })).body;
  const rest = (await call('GET', `/v1/tenants?limit=2&cursor=${first.nextCursor}`, { token })).body;
  assert.deepEqual(
    [...first.items, ...rest.items].map(({ slug }: { slug: string }) => slug),
    ['b', 'a', 'default'],
  );
  assert.equal(rest.nextCursor, undefined);
  assert.equal((await call('GET', '/v1/tenants?cursor=x', { token })).status, 400);
});

test('a policy is changed field by field, and a quota that is null is that of the settings again', async (context) => {
  const { call, tenant, operator: token } = await givenAcme(context);
  const change = (body: object) => call('PATCH', `/v1/tenants/${tenant.id}`, { token, body });
  const changed = await change({ confirmEmail: true, signUp: 'closed', quotaPerson: 0, quotaTenant: 1_099_511_627_776, name: 'Acme Ltd' });
  assert.equal(changed.status, 200);
  const { admin: _admin, ...before } = tenant;
  const policy = { confirmEmail: true, signUp: 'closed', quotaPerson: 0, quotaTenant: 1_099_511_627_776, name: 'Acme Ltd' };
  assert.deepEqual(changed.body, { ...before, ...policy });
  const { quotaPerson: _gone, ...kept } = changed.body;
  assert.deepEqual((await change({ quotaPerson: null })).body, kept);
  assert.deepEqual((await change({})).body, kept);
  assert.equal((await change({ slug: 'acme-2' })).body.slug, 'acme-2');
  assert.equal((await change({ slug: 'default' })).status, 409);
  for (const [body, at] of [
    [{ quotaPerson: '1GiB' }, '/quotaPerson'],
    [{ quotaTenant: -1 }, '/quotaTenant'],
    [{ quotaTenant: 1.5 }, '/quotaTenant'],
    [{ name: null }, '/name'],
    [{ state: 'closed' }, '/state'],
    [{ id: 'ten_x' }, '/id'],
  ] as const) {
    const refused = await change(body);
    assert.deepEqual([refused.status, refused.body.errors[0].at], [400, at]);
  }
  assert.equal((await call('PATCH', '/v1/tenants/ten_nowhere', { token, body: {} })).status, 404);
});

test('a suspended tenant is refused at once, with the tokens that are out, and goes on where it was when it is active again', async (context) => {
  const acmes = await givenAcme(context);
  const { call, signIn, signInAsAdmin, tenant, admin, session, operator } = acmes;
  const service = await givenServiceOf(acmes);
  const turn = (state: string) => call('PATCH', `/v1/tenants/${tenant.id}`, { token: operator, body: { state } });
  const refresh = () => call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });

  assert.equal((await turn('suspended')).body.state, 'suspended');
  for (const token of [admin, service.token]) {
    const refused = await call('GET', '/v1/me', { token });
    assert.deepEqual([refused.status, refused.body.type], [401, '/problems/bad-token']);
  }
  assert.equal((await refresh()).status, 401);
  for (const body of [{ method: 'password', username: 'wile', password }, service.credentials]) {
    const refused = await signIn(body);
    assert.deepEqual([refused.status, refused.body.type], [403, '/problems/tenant-suspended']);
  }
  for (const body of [
    { method: 'password', username: 'wile', password: 'wrong wrong wrong' },
    { ...service.credentials, secret: 'wrong' },
  ])
    assert.equal((await signIn(body)).status, 401, 'who does not know the secret is not told');
  assert.equal((await call('GET', '/v1/me', { token: operator })).status, 200);

  assert.equal((await turn('active')).body.state, 'active');
  for (const token of [admin, service.token]) assert.equal((await call('GET', '/v1/me', { token })).status, 200);
  assert.equal((await refresh()).status, 200);
  assert.equal((await signInAsAdmin()).status, 201);
});

test('signing in to a suspended tenant with the right password is no failed guess, however often', async (context) => {
  const { call, signInAsAdmin, tenant, operator } = await givenAcme(context);
  await call('PATCH', `/v1/tenants/${tenant.id}`, { token: operator, body: { state: 'suspended' } });
  for (let tries = 0; tries < 12; tries += 1) assert.equal((await signInAsAdmin()).status, 403);
});

/** Waits until `isSo`; false when it does not become so for long. */
const eventually = async (isSo: () => Promise<boolean>) => {
  for (let looks = 0; looks < 400; looks += 1) {
    if (await isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
};

test('another replica refuses a suspended tenant within five seconds, and lets it in again', async (context) => {
  const acmes = await givenAcme(context);
  const { call, tenant, admin, operator, signInAsAdmin } = acmes;
  const identity = await acmes.another();
  const workers = identity.startWorkers();
  context.after(() => Promise.all(workers.map((worker) => worker.stop())));
  const replica = callsTo(await serve(context, acmes, identity));
  const seenThere = async () => (await replica.call('GET', '/v1/me', { token: admin })).status;
  assert.equal(await seenThere(), 200);
  await call('PATCH', `/v1/tenants/${tenant.id}`, { token: operator, body: { state: 'suspended' } });
  const refused = await replica.signIn({ method: 'password', username: 'wile', password });
  assert.equal(refused.status, 403, 'signing in asks the database');
  assert.ok(await eventually(async () => (await seenThere()) === 401));
  await call('PATCH', `/v1/tenants/${tenant.id}`, { token: operator, body: { state: 'active' } });
  assert.equal((await signInAsAdmin()).status, 201);
  assert.ok(await eventually(async () => (await seenThere()) === 200));
});

test('a tenant that was suspended before a start is refused after it', async (context) => {
  const acmes = await givenAcme(context);
  await acmes.call('PATCH', `/v1/tenants/${acmes.tenant.id}`, { token: acmes.operator, body: { state: 'suspended' } });
  const restarted = await acmes.another();
  await assert.rejects(restarted.authenticate(`Bearer ${acmes.admin}`, '127.0.0.1'), { kind: 'bad-token' });
});

test('the tenant of the operators is never suspended, and keeps its slug', async (context) => {
  const { call, identity, operatorToken } = await givenServer(context);
  const token = await operatorToken();
  const path = `/v1/tenants/${await identity.defaultTenantId()}`;
  assert.equal((await call('PATCH', path, { token, body: { state: 'suspended' } })).status, 409);
  assert.equal((await call('PATCH', path, { token, body: { slug: 'main' } })).status, 409);
  const changed = await call('PATCH', path, { token, body: { slug: 'default', state: 'active', name: 'Home', signUp: 'closed' } });
  assert.deepEqual([changed.status, changed.body.name, changed.body.signUp], [200, 'Home', 'closed']);
  assert.equal((await call('GET', '/v1/me', { token })).body.username, 'ada');
});
