import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, eventually, givenOperator, type Json } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const password = 'nobody will guess this one';

describe('tenants and their people', () => {
  let server: TestServer;
  let operator: string;
  /** Acme's first admin, and the only one of another tenant. */
  let admin: string;
  let stranger: string;
  let acme: Json;

  const ask = (token: string, method: string, path: string, body?: unknown, headers = {}) =>
    call(server, method, path, { token, body, headers });
  const signIn = (username: string, secret = password, headers = {}) =>
    call(server, 'POST', '/v1/sessions', { body: { method: 'password', username, password: secret }, headers });
  const tokenOf = async (username: string): Promise<string> => {
    const { status, body, text } = await signIn(username);
    assert.equal(status, 201, text);
    return body.accessToken;
  };
  const makeTenant = (name: string, username: string) => ask(operator, 'POST', '/v1/tenants', { name, admin: { username, password } });
  const makePerson = async (token: string, username: string, role: string) => {
    const { status, body, text } = await ask(token, 'POST', '/v1/tenant/people', { username, password, role });
    assert.equal(status, 201, text);
    return { id: String(body.id), path: `/v1/tenant/people/${body.id}`, token: await tokenOf(username) };
  };
  const traceOf = (token: string, id: string) => ask(token, 'GET', `/v1/trace/${id}`);
  const wordsOf = ({ body }: { body: Json }): string[] => body.entries.map(({ what }: Json) => what);

  before(async () => {
    server = await startServer();
    operator = await givenOperator(server);
    acme = (await makeTenant('Acme', 'wile')).body;
    await makeTenant('Elsewhere', 'stranger');
    [admin, stranger] = [await tokenOf('wile'), await tokenOf('stranger')];
  });
  after(() => server.stop());

  it('an operator makes a tenant, its admin fills it, and a changed role counts for the token that is out', async () => {
    const bob = await makePerson(admin, 'bob', 'viewer');
    const send = () => ask(bob.token, 'POST', '/v1/events', { id: 'bob-1', name: 'greeted' });
    assert.equal((await send()).status, 403);
    assert.equal((await ask(admin, 'PATCH', bob.path, { role: 'member' })).status, 200);
    assert.equal((await send()).status, 202);
    assert.equal((await ask(stranger, 'GET', '/v1/events/bob-1')).status, 404);
    assert.equal((await ask(stranger, 'PATCH', bob.path, { role: 'admin' })).status, 404);
    assert.equal((await ask(admin, 'DELETE', bob.path)).status, 204);
    assert.equal((await send()).status, 401);
  });

  it('names and slugs are given once, ids that are not there are not found, garbled cursors refused', async () => {
    assert.equal((await makeTenant('Acme', 'somebody')).status, 409);
    assert.equal((await makeTenant('Acme Two', 'wile')).status, 409);
    assert.equal((await ask(admin, 'POST', '/v1/tenant/people', { username: 'WILE', password, role: 'member' })).status, 409);
    const other = (await ask(operator, 'POST', '/v1/tenants', { name: 'Renamed' })).body;
    assert.equal((await ask(operator, 'PATCH', `/v1/tenants/${other.id}`, { slug: 'acme' })).status, 409);
    for (const method of ['GET', 'PATCH']) {
      const body = method === 'GET' ? undefined : {};
      assert.equal((await ask(operator, method, '/v1/tenants/ten_nowhere', body)).status, 404);
      assert.equal((await ask(admin, method, '/v1/tenant/people/per_nowhere', body)).status, 404);
    }
    for (const path of ['/v1/tenants', '/v1/tenant/people']) assert.equal((await ask(operator, 'GET', `${path}?cursor=x`)).status, 400);
  });

  it('the last operator stays', async () => {
    const { id } = (await ask(operator, 'GET', '/v1/me')).body;
    assert.equal((await ask(operator, 'PATCH', `/v1/tenant/people/${id}`, { role: 'member' })).status, 409);
    assert.equal((await ask(operator, 'DELETE', `/v1/tenant/people/${id}`)).status, 409);
  });

  it('of a suspended tenant nobody gets in, whatever it holds, and everything goes on afterwards', async () => {
    const tenant = (await makeTenant('Careless', 'careless')).body;
    const session = (await signIn('careless')).body;
    const token = session.accessToken;
    const { authId, secret } = (await ask(token, 'POST', '/v1/services', { name: 'shop', scopes: ['events:send'] })).body;
    const shop = (await call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId, secret } })).body.accessToken;
    const send = () => ask(shop, 'POST', '/v1/events', { id: 'careless-1', name: 'sold' });
    const turn = (state: string) => ask(operator, 'PATCH', `/v1/tenants/${tenant.id}`, { state });

    assert.equal((await turn('suspended')).status, 200);
    assert.equal((await send()).status, 401);
    assert.equal((await ask(token, 'GET', '/v1/me')).status, 401);
    assert.equal((await call(server, 'POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } })).status, 401);
    const newcomer = { username: 'newcomer', password, tenant: 'careless' };
    for (const refused of [await signIn('careless'), await call(server, 'POST', '/v1/people', { body: newcomer })])
      assert.deepEqual([refused.status, refused.body.type], [403, '/problems/tenant-suspended']);

    await turn('active');
    assert.equal((await send()).status, 202);
    assert.equal((await call(server, 'POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } })).status, 200);
    assert.equal((await ask(admin, 'GET', '/v1/me')).status, 200, 'others never noticed');
  });

  describe('the trace of callers', () => {
    it('tells who looks after the tenant what happened to a person, from its first day to its last', async () => {
      const grace = await makePerson(admin, 'grace', 'member');
      assert.equal((await signIn('grace', 'wrong wrong wrong')).status, 401);
      await ask(admin, 'PATCH', grace.path, { role: 'viewer', email: 'grace@example.com', displayName: 'Grace' });
      await ask(admin, 'PATCH', grace.path, { password: 'another very good one' });
      const changes = (await traceOf(admin, grace.id)).body.entries;
      assert.deepEqual(changes.find(({ what }: Json) => what === 'role-changed').detail, { from: 'member', to: 'viewer' });
      assert.deepEqual(changes.find(({ what }: Json) => what === 'changed').detail, { fields: ['email', 'displayName'] });
      await ask(admin, 'DELETE', grace.path);
      const trace = await eventually(
        () => traceOf(admin, grace.id),
        (answer) => wordsOf(answer).includes('refused'), // a refusal is written down without anybody waiting for it
      );
      assert.deepEqual(
        [trace.status, trace.body.kind, trace.body.state, wordsOf(trace).toSorted()],
        [200, 'person', 'deleted', ['changed', 'created', 'deleted', 'password-changed', 'refused', 'role-changed', 'signed-in']],
      );
      for (const personal of ['grace', 'Grace', 'example.com', password]) assert.ok(!trace.text.includes(`"${personal}`), personal);
      assert.equal((await traceOf(stranger, grace.id)).status, 404);
      assert.equal((await traceOf(operator, grace.id)).status, 404, 'not even the operator of another tenant');
    });

    it('shows a member its own, and not that of others', async () => {
      const [carl, dora] = [await makePerson(admin, 'carl', 'member'), await makePerson(admin, 'dora', 'member')];
      const own = await traceOf(carl.token, carl.id);
      assert.deepEqual([own.status, wordsOf(own)], [200, ['created', 'signed-in']]);
      assert.equal((await traceOf(carl.token, dora.id)).status, 404);
    });

    it('tells what happened to a service, its secrets too, to those who look after services', async () => {
      const made = (await ask(admin, 'POST', '/v1/services', { name: 'till', scopes: ['trace:read'] })).body;
      await ask(admin, 'POST', `/v1/services/${made.id}/secrets`);
      const { authId, secret } = made;
      const till = (await call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId, secret } })).body.accessToken;
      const words = ['created', 'rotated', 'signed-in'];
      for (const token of [admin, till]) assert.deepEqual(wordsOf(await traceOf(token, made.id)), words);
      const eve = await makePerson(admin, 'eve', 'viewer');
      for (const token of [eve.token, stranger]) assert.equal((await traceOf(token, made.id)).status, 404);
    });

    it('shows of a request only what its reader may see', async () => {
      const fred = await makePerson(admin, 'fred', 'member');
      const headers = { 'x-request-id': 'one-for-two' };
      await ask(fred.token, 'POST', '/v1/events', { id: 'fred-1', name: 'greeted' }, headers);
      assert.equal((await signIn('wile', password, headers)).status, 201);
      assert.deepEqual(wordsOf(await traceOf(fred.token, 'one-for-two')).includes('signed-in'), false);
      assert.deepEqual(wordsOf(await traceOf(admin, 'one-for-two')).includes('signed-in'), true);
    });

    it('is not hidden by an event that bears the id of the caller', async () => {
      const mallory = await makePerson(admin, 'mallory', 'member');
      assert.equal((await ask(mallory.token, 'POST', '/v1/events', { id: mallory.id, name: 'nothing-to-see' })).status, 202);
      assert.equal((await traceOf(admin, mallory.id)).body.kind, 'person');
    });

    it('of a tenant is for its admin and the operator', async () => {
      const path = `/v1/tenants/${acme.id}`;
      await ask(operator, 'PATCH', path, { signUp: 'closed' });
      await ask(operator, 'PATCH', path, { state: 'suspended' });
      await ask(operator, 'PATCH', path, { state: 'active' });
      for (const token of [admin, operator]) {
        const trace = await traceOf(token, acme.id);
        assert.deepEqual(
          [trace.status, trace.body.kind, trace.body.state, wordsOf(trace)],
          [200, 'tenant', 'active', ['created', 'changed', 'suspended', 'resumed']],
        );
      }
      const gina = await makePerson(admin, 'gina', 'viewer');
      for (const token of [gina.token, stranger]) assert.equal((await traceOf(token, acme.id)).status, 404);
    });
  });
});
