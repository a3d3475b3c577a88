import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { startIssuer } from '../../src/modules/identity/credentials/issuer.fixture.ts';
import { type CallOptions, call, eventually } from '../support/given.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const edgeKeys = ['the-key-of-the-edge-1', 'the-key-of-the-edge-2'] as const;

describe('callers whom others vouch for, through the edge', () => {
  let server: TestServer;
  let issuer: Awaited<ReturnType<typeof startIssuer>>;
  let users: Receiver;
  const ends: (() => void)[] = [];

  before(async () => {
    issuer = await startIssuer({ after: (end) => void ends.push(end) });
    users = await startReceiver({
      answer({ headers }) {
        if (headers.authorization === 'Bearer unknown') return { status: 401 };
        if (headers.authorization === 'Bearer forbidden') return { status: 403 };
        if (headers.authorization === 'Bearer broken') return { status: 500 };
        return { body: { userId: 'user-17', scopes: 'events:send events:read' } };
      },
    });
    server = await startServer({
      env: {
        ENTREPOT_EDGE_KEYS: edgeKeys.join(','),
        ENTREPOT_TRUSTED_ISSUERS: `${issuer.issuer};aud=intake`,
        ENTREPOT_USER_SERVICE: new URL('/check', users.url).href,
      },
    });
  });
  after(async () => {
    await server.stop();
    await users.stop();
    for (const end of ends) end();
  });

  const ask = (method: string, path: string, options: CallOptions = {}) =>
    call(server, method, path, { ...options, headers: { 'x-edge-key': edgeKeys[0] } });
  const setTenant = (change: string) => {
    const data = new DatabaseSync(join(server.dataFolder, 'entrepot.db'), { timeout: 5_000 });
    data.exec(`UPDATE "tenants" SET ${change} WHERE "slug" = 'default'`);
    data.close();
  };

  it('who goes around the edge is refused at every door, and each key of the edge opens', async () => {
    for (const path of ['/', '/docs', '/openapi.json', '/v1/version', '/v1/me', '/nowhere', '/.well-known/jwks.json']) {
      const { status, body } = await call(server, 'GET', path);
      assert.deepEqual([status, body.type], [403, '/problems/not-through-edge'], path);
    }
    assert.equal((await call(server, 'GET', '/healthz')).status, 200);
    for (const key of edgeKeys) assert.equal((await call(server, 'GET', '/docs', { headers: { 'x-edge-key': key } })).status, 200);
  });

  it('a person of the trusted issuer sends an event and reads it back as its sender', async () => {
    const token = await issuer.token({ aud: 'intake', preferred_username: 'grace' });
    const { body: me } = await ask('GET', '/v1/me', { token });
    assert.equal(me.username, 'grace');
    assert.equal((await ask('POST', '/v1/events', { token, body: { id: 'by-grace', name: 'order.made' } })).status, 202);
    assert.equal((await ask('GET', '/v1/events/by-grace', { token })).body.sender, me.id);
    const other = await ask('GET', '/v1/me', { token: await issuer.token({ aud: 'entrepot' }) });
    assert.deepEqual([other.status, other.body.type], [401, '/problems/bad-token'], 'a token for somebody else');
  });

  it('who the user service vouches for sends as who it is there; what it refuses is refused with its code', async () => {
    const token = 'opaque-token';
    assert.equal((await ask('POST', '/v1/events', { token, body: { id: 'by-17', name: 'order.made' } })).status, 202);
    assert.equal((await ask('GET', '/v1/events/by-17', { token })).body.sender, 'user-17');
    const refused = await ask('GET', '/v1/services', { token });
    assert.deepEqual([refused.status, refused.body.scope], [403, 'services:manage']);
    const answers = await Promise.all(['unknown', 'forbidden', 'broken'].map((one) => ask('GET', '/v1/me', { token: one })));
    assert.deepEqual(
      answers.map(({ status }) => status),
      [401, 403, 503],
    );
    assert.ok(Number(answers[2]?.headers.get('retry-after')) > 0);
    assert.ok(
      users.received.every(({ headers }) => headers['x-edge-key'] === undefined),
      'the key of the edge is handed to nobody',
    );
  });

  it('closed sign-up keeps new people of the issuer out, a suspended tenant everybody', async () => {
    const known = await issuer.token({ aud: 'intake' });
    assert.equal((await ask('GET', '/v1/me', { token: known })).status, 200);
    setTenant(`"signUp" = 'closed'`);
    const closed = await ask('GET', '/v1/me', { token: await issuer.token({ aud: 'intake', sub: 'user-2' }) });
    assert.deepEqual([closed.status, closed.body.type], [403, '/problems/sign-up-closed']);
    assert.equal((await ask('GET', '/v1/me', { token: known })).status, 200);

    setTenant(`"state" = 'suspended'`);
    const suspended = await ask('GET', '/v1/me', { token: known });
    assert.deepEqual([suspended.status, suspended.body.type], [403, '/problems/tenant-suspended']);
    await eventually(
      () => ask('GET', '/v1/me', { token: 'opaque-token' }),
      ({ body }) => body.type === '/problems/tenant-suspended',
    );
    setTenant(`"state" = 'active', "signUp" = 'open'`);
    assert.equal((await ask('GET', '/v1/me', { token: known })).status, 200);
  });
});
