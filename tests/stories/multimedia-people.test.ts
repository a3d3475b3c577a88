import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, eventually, type Json } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// Story A, as far as it is about people: whoever uses the archive makes an account, and takes it away again.

const grace = { username: 'grace', password: 'correct horse battery staple' };
const nextPassword = 'purple elephants never forget';

describe('the people of a multimedia archive', () => {
  let server: TestServer;
  let session: Json;

  before(async () => {
    server = await startServer();
  });
  after(() => server.stop());

  const signIn = (password = grace.password) => call(server, 'POST', '/v1/sessions', { body: { ...grace, method: 'password', password } });
  const me = (token: string) => call(server, 'GET', '/v1/me', { token });

  it('the server says that mails are printed', () => {
    assert.match(server.output(), /mail +is printed here, whole, and sent to nobody \(ENTREPOT_MAIL=log:/);
  });

  it('somebody signs up and is a member who may upload', async () => {
    const made = await call(server, 'POST', '/v1/people', { body: { ...grace, displayName: 'Grace Hopper', email: 'grace@example.org' } });
    assert.deepEqual([made.status, made.body.state], [201, 'active']);
    session = (await signIn()).body;
    const { body } = await me(session.accessToken);
    assert.deepEqual([body.id, body.role, body.displayName], [made.body.id, 'member', 'Grace Hopper']);
    assert.ok(body.scopes.includes('files:write') && !body.scopes.includes('people:manage'));
  });

  it('of twenty who want one name at once one gets it', async () => {
    const wanted = { username: 'wanted', password: grace.password };
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(server, 'POST', '/v1/people', { body: wanted })));
    assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(19).fill(409)]);
  });

  it('sees its sessions, and ends the one that it left open elsewhere', async () => {
    const elsewhere = (await signIn()).body;
    const listed = await call(server, 'GET', '/v1/sessions', { token: session.accessToken });
    assert.deepEqual(new Set(listed.body.items.map(({ id }: Json) => id)), new Set([session.id, elsewhere.id]));
    assert.equal((await call(server, 'DELETE', `/v1/sessions/${elsewhere.id}`, { token: session.accessToken })).status, 204);
    assert.equal((await me(elsewhere.accessToken)).status, 401);
  });

  it('changes its name', async () => {
    const changed = await call(server, 'PATCH', '/v1/me', { token: session.accessToken, body: { displayName: 'Amazing Grace' } });
    assert.deepEqual([changed.status, changed.body.displayName, changed.body.email], [200, 'Amazing Grace', 'grace@example.org']);
  });

  it('changes its password, which ends all other sessions', async () => {
    const elsewhere = (await signIn()).body;
    const body = { current: grace.password, next: nextPassword };
    const wrong = await call(server, 'POST', '/v1/me/password', {
      token: session.accessToken,
      body: { ...body, current: 'wrong wrong wrong' },
    });
    assert.deepEqual([wrong.status, wrong.body.type], [403, '/problems/wrong-password']);
    assert.equal((await call(server, 'POST', '/v1/me/password', { token: session.accessToken, body })).status, 204);
    assert.deepEqual([(await me(elsewhere.accessToken)).status, (await me(session.accessToken)).status], [401, 200]);
    assert.deepEqual([(await signIn()).status, (await signIn(nextPassword)).status], [401, 201]);
  });

  it('forgets it, and gets in again by the mail', async () => {
    assert.equal((await call(server, 'POST', '/v1/password-resets', { body: { username: 'Grace' } })).status, 202);
    const find = async () => /"token":"([\w-]+)","password"/.exec(server.output())?.[1] ?? '';
    const token = await eventually(find, (found) => found !== '');
    const body = { token, password: grace.password };
    assert.equal((await call(server, 'POST', '/v1/password-resets/complete', { body })).status, 204);
    assert.equal((await me(session.accessToken)).status, 401);
    session = (await signIn()).body;
  });

  it('deletes its account: access ends at once, the name stays taken, and the trace keeps ids only', async () => {
    const { id } = (await me(session.accessToken)).body;
    const remove = (password: string) => call(server, 'DELETE', '/v1/me', { token: session.accessToken, body: { password } });
    assert.equal((await remove('wrong wrong wrong')).body.type, '/problems/wrong-password');
    assert.equal((await remove(grace.password)).status, 204);
    assert.equal((await me(session.accessToken)).status, 401);
    assert.equal((await signIn()).status, 401);
    assert.equal((await call(server, 'POST', '/v1/people', { body: grace })).status, 409);

    const admin = await call(server, 'POST', '/v1/sessions', {
      body: { method: 'password', username: 'admin', password: 'correct-horse-battery' },
    });
    const look = () => call(server, 'GET', `/v1/trace/${id}`, { token: admin.body.accessToken });
    const { body } = await eventually(look, (answer) => answer.status === 200 && !/"where"|"detail"/.test(answer.text));
    assert.ok(body.entries.some(({ what }: Json) => what === 'deleted'));
  });

  it('what was still to be removed when the server was killed is removed after the next start', async () => {
    const username = 'shortlived';
    const made = await call(server, 'POST', '/v1/people', { body: { ...grace, username } });
    const { accessToken: token } = (await call(server, 'POST', '/v1/sessions', { body: { ...grace, method: 'password', username } })).body;
    assert.equal((await call(server, 'DELETE', '/v1/me', { token, body: { password: grace.password } })).status, 204);
    await server.kill('SIGKILL');
    server = await startServer({ dataFolder: server.dataFolder });
    const admin = await call(server, 'POST', '/v1/sessions', {
      body: { method: 'password', username: 'admin', password: 'correct-horse-battery' },
    });
    const look = () => call(server, 'GET', `/v1/trace/${made.body.id}`, { token: admin.body.accessToken });
    await eventually(look, (answer) => answer.status === 200 && !/"where"|"detail"/.test(answer.text));
    assert.equal((await call(server, 'GET', '/v1/me', { token })).status, 401);
  });
});
