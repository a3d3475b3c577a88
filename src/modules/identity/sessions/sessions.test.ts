import assert from 'node:assert/strict';
import { test } from 'node:test';
import { givenServer, operatorPassword } from '../identity.fixture.ts';

test('a service is made, trades its secret for a session, calls, refreshes, rotates its secret and is removed', async (context) => {
  const { call, signIn, operatorToken } = await givenServer(context);
  const admin = await operatorToken();

  const made = await call('POST', '/v1/services', { token: admin, body: { name: 'shop', scopes: ['events:send', 'services:manage'] } });
  assert.equal(made.status, 201);
  assert.deepEqual(Object.keys(made.body).sort(), ['authId', 'id', 'secret', 'secretId']);
  const { id, authId, secretId, secret } = made.body;

  const opened = await signIn({ method: 'secret', authId, secret });
  assert.equal(opened.status, 201);
  assert.equal(opened.body.tokenType, 'Bearer');
  const me = await call('GET', '/v1/me', { token: opened.body.accessToken });
  assert.deepEqual(
    { ...me.body, tenantId: 'x' },
    { id, kind: 'service', displayName: 'shop', tenantId: 'x', scopes: ['events:send', 'services:manage'] },
  );

  const refreshed = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: opened.body.refreshToken } });
  assert.equal(refreshed.status, 200);
  assert.equal(refreshed.body.id, opened.body.id);
  assert.notEqual(refreshed.body.refreshToken, opened.body.refreshToken);
  assert.equal((await call('GET', '/v1/me', { token: refreshed.body.accessToken })).status, 200);

  const added = await call('POST', `/v1/services/${id}/secrets`, { token: admin });
  assert.equal(added.status, 201);
  assert.deepEqual(Object.keys(added.body).sort(), ['id', 'secret']);
  const third = await call('POST', `/v1/services/${id}/secrets`, { token: admin });
  assert.equal(third.status, 409);
  const byNew = await signIn({ method: 'secret', authId, secret: added.body.secret });
  assert.equal(byNew.status, 201);

  assert.equal((await call('DELETE', `/v1/services/${id}/secrets/${secretId}`, { token: admin })).status, 204);
  assert.equal((await call('GET', '/v1/me', { token: refreshed.body.accessToken })).status, 401);
  assert.equal((await call('GET', '/v1/me', { token: byNew.body.accessToken })).status, 200);
  assert.equal((await signIn({ method: 'secret', authId, secret })).status, 401);

  const seen = await call('GET', `/v1/services/${id}`, { token: admin });
  assert.deepEqual(
    seen.body.secrets.map((one: { id: string }) => one.id),
    [added.body.id],
  );
  assert.ok(seen.body.secrets[0].lastUsedAt);

  assert.equal((await call('DELETE', `/v1/services/${id}`, { token: admin })).status, 204);
  assert.equal((await call('GET', '/v1/me', { token: byNew.body.accessToken })).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: byNew.body.refreshToken } })).status, 401);
  assert.equal((await call('GET', `/v1/services/${id}`, { token: admin })).status, 404);
});

test('a person signs in by user name in any case, and sees itself', async (context) => {
  const { call, signIn } = await givenServer(context);
  const session = await signIn({ method: 'password', username: 'ADA', password: operatorPassword });
  assert.equal(session.status, 201);
  const me = await call('GET', '/v1/me', { token: session.body.accessToken });
  assert.equal(me.body.username, 'ada');
  assert.equal(me.body.role, 'operator');
  assert.deepEqual(me.body.roles, []);
  assert.ok(me.body.scopes.includes('operate'));
});

test('wrong and unknown get the same answer, whatever the method', async (context) => {
  const { signIn, givenService } = await givenServer(context);
  const { made } = await givenService([]);
  const answers = await Promise.all([
    signIn({ method: 'password', username: 'ada', password: 'wrong wrong wrong' }),
    signIn({ method: 'password', username: 'nobody', password: 'wrong wrong wrong' }),
    signIn({ method: 'secret', authId: made.authId, secret: 'wrong' }),
    signIn({ method: 'secret', authId: 'auth_nobody', secret: 'wrong' }),
    signIn({ method: 'secret', authId: made.id, secret: made.secret }),
  ]);
  const shown = answers.map(({ status, headers, body }) =>
    JSON.stringify([status, headers.get('www-authenticate'), body.detail, body.type]),
  );
  assert.equal(new Set(shown).size, 1);
  assert.equal(answers[0]?.status, 401);
  assert.equal(answers[0]?.headers.get('www-authenticate'), 'Bearer');
});

test('what is stored about a secret or refresh token does not sign in', async (context) => {
  const { database, call, signIn, givenService } = await givenServer(context);
  const { made } = await givenService([]);
  const stored = await database.read.selectFrom('serviceSecrets').select('secretHash').execute();
  for (const { secretHash } of stored)
    assert.equal((await signIn({ method: 'secret', authId: made.authId, secret: secretHash })).status, 401);
  const tokens = await database.read.selectFrom('refreshTokens').select('tokenHash').execute();
  for (const { tokenHash } of tokens) {
    assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: tokenHash } })).status, 401);
  }
});

test('bodies that fit no method are refused by name', async (context) => {
  const { signIn, call } = await givenServer(context);
  for (const body of [
    { method: 'magic', username: 'ada', password: 'x' },
    { username: 'ada', password: 'x' },
    { method: 'password', username: 'ada' },
    { method: 'password', username: 'ada', password: 17 },
    { method: 'secret', authId: 'a', secret: 'b', more: 1 },
    { method: 'password', username: 'a\u0000b', password: 'x' },
    { method: 'password', username: 'ada', password: 'x'.repeat(1024 * 1024) },
    [],
  ]) {
    const { status, body: problem } = await signIn(body);
    assert.equal(status, 400, JSON.stringify(body).slice(0, 80));
    assert.ok(problem.errors.length > 0);
  }
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: 1 } })).status, 400);
});

test('ten wrong secrets lock the name for that address, also for the right one, and nobody else', async (context) => {
  const { signIn, givenService } = await givenServer(context);
  const { made } = await givenService([]);
  const wrong = { method: 'secret', authId: made.authId, secret: 'wrong' };
  for (let tries = 0; tries < 10; tries += 1) assert.equal((await signIn(wrong, { from: '192.0.2.1' })).status, 401);
  const right = { ...wrong, secret: made.secret };
  const locked = await signIn(right, { from: '192.0.2.1' });
  assert.equal(locked.status, 429);
  assert.ok(Number(locked.headers.get('retry-after')) > 800);
  assert.match(locked.headers.get('ratelimit-policy') ?? '', /"sign-in";q=10;w=900/);
  assert.equal((await signIn(right, { from: '192.0.2.2' })).status, 201);
});

test('a refresh token works once; its second use ends the session and everything it gave', async (context) => {
  const { call, givenService } = await givenServer(context);
  const { session } = await givenService([]);
  const { session: other } = await givenService([]);
  const refreshed = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
  assert.equal(refreshed.status, 200);
  const again = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
  assert.equal(again.status, 401);
  assert.equal(again.body.type, '/problems/bad-refresh-token');
  for (const token of [session.accessToken, refreshed.body.accessToken]) assert.equal((await call('GET', '/v1/me', { token })).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: refreshed.body.refreshToken } })).status, 401);
  assert.equal((await call('GET', '/v1/me', { token: other.accessToken })).status, 200);
});

test('of many uses of one refresh token at once exactly one wins', async (context) => {
  const { call, givenService } = await givenServer(context);
  const { session } = await givenService([]);
  const body = { refreshToken: session.refreshToken };
  const answers = await Promise.all(Array.from({ length: 12 }, () => call('POST', '/v1/sessions/refresh', { body })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(11).fill(401)]);
});

test('a refresh from another address is refused and leaves the session alone', async (context) => {
  const { call, givenService } = await givenServer(context);
  const { session } = await givenService([], { from: '192.0.2.1' });
  const body = { refreshToken: session.refreshToken };
  assert.equal((await call('POST', '/v1/sessions/refresh', { body, from: '192.0.2.2' })).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body, from: '192.0.2.1' })).status, 200);
});

test('without binding a session is refreshed from anywhere', async (context) => {
  const { call, givenService } = await givenServer(context, { sessionBinding: 'off' });
  const { session } = await givenService([], { from: '192.0.2.1' });
  assert.equal(
    (await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken }, from: '192.0.2.2' })).status,
    200,
  );
});

test('a refresh token ends when it says', async (context) => {
  const { clock, call, givenService } = await givenServer(context, { refreshTokenTtlMs: 60_000 });
  const { session } = await givenService([]);
  clock.turn(60_001);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } })).status, 401);
});

test('a caller lists its own sessions page by page and ends them; those of others are not there', async (context) => {
  const { call, signIn, givenService, operatorToken } = await givenServer(context);
  const { made, session } = await givenService([]);
  const credentials = { method: 'secret', authId: made.authId, secret: made.secret };
  const second = (await signIn(credentials)).body;
  const third = (await signIn(credentials)).body;
  const token = third.accessToken;

  const first = await call('GET', '/v1/sessions?limit=2', { token });
  assert.deepEqual(
    first.body.items.map((one: { id: string; isCurrent: boolean }) => [one.id, one.isCurrent]),
    [
      [third.id, true],
      [second.id, false],
    ],
  );
  assert.match(first.headers.get('link') ?? '', /rel="next"/);
  const rest = await call('GET', `/v1/sessions?limit=2&cursor=${first.body.nextCursor}`, { token });
  assert.deepEqual(
    rest.body.items.map((one: { id: string }) => one.id),
    [session.id],
  );
  assert.equal(rest.body.nextCursor, undefined);
  assert.equal((await call('GET', '/v1/sessions?cursor=nonsense', { token })).status, 400);
  assert.equal((await call('GET', '/v1/sessions?limit=0', { token })).status, 400);

  assert.equal((await call('DELETE', `/v1/sessions/${second.id}`, { token })).status, 204);
  assert.equal((await call('GET', '/v1/me', { token: second.accessToken })).status, 401);
  assert.equal((await call('DELETE', `/v1/sessions/${second.id}`, { token })).status, 404);
  assert.equal((await call('DELETE', `/v1/sessions/${session.id}`, { token: await operatorToken() })).status, 404);
  assert.equal((await call('GET', '/v1/me', { token: session.accessToken })).status, 200);

  assert.equal((await call('DELETE', '/v1/sessions/current', { token })).status, 204);
  assert.equal((await call('GET', '/v1/me', { token })).status, 401);
  assert.equal((await call('DELETE', '/v1/sessions/current', { token })).status, 401);
  assert.equal((await call('DELETE', '/v1/sessions/current')).status, 401);
});

test('a browser keeps its refresh token in a cookie that no script reads', async (context) => {
  const { call, signIn } = await givenServer(context);
  const session = await signIn({ method: 'password', username: 'ada', password: operatorPassword, cookie: true });
  assert.equal(session.status, 201);
  assert.equal(session.body.refreshToken, undefined);
  const [setCookie = ''] = session.headers.getSetCookie();
  assert.match(setCookie, /; Max-Age=\d+; Path=\/v1\/sessions; HttpOnly; Secure; SameSite=Strict$/);
  const cookie = setCookie.split(';')[0] ?? '';

  const refreshed = await call('POST', '/v1/sessions/refresh', { headers: { cookie } });
  assert.equal(refreshed.status, 200);
  assert.equal(refreshed.body.refreshToken, undefined);
  const next = refreshed.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  assert.notEqual(next, cookie);

  const signedOut = await call('DELETE', '/v1/sessions/current', { headers: { cookie: next } });
  assert.equal(signedOut.status, 204);
  assert.match(signedOut.headers.getSetCookie()[0] ?? '', /Max-Age=0/);
  assert.equal((await call('GET', '/v1/me', { token: refreshed.body.accessToken })).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh')).status, 401);
});

test('signing in again under one Idempotency-Key opens no second session, and shows no token again', async (context) => {
  const { call, signIn } = await givenServer(context);
  const body = { method: 'password', username: 'ada', password: operatorPassword };
  for (const cookie of [false, true]) {
    const headers = { 'idempotency-key': `cookie-${cookie}` };
    const wrong = await signIn({ ...body, cookie, password: 'wrong wrong wrong' }, { headers });
    assert.equal(wrong.status, 401);
    const opened = await signIn({ ...body, cookie }, { headers });
    assert.equal(opened.status, 201);
    const again = await signIn({ ...body, cookie }, { headers });
    assert.deepEqual([again.status, again.body.type, again.body.id], [409, '/problems/already-created', opened.body.id]);
    assert.equal(again.headers.get('set-cookie'), null);
    const { items } = (await call('GET', '/v1/sessions', { token: opened.body.accessToken })).body;
    assert.equal(items.length, cookie ? 2 : 1);
  }
});

test('what callers do stands in their trace, also being refused', async (context) => {
  const { database, call, signIn, givenService } = await givenServer(context);
  const { made, session } = await givenService([]);
  await signIn({ method: 'secret', authId: made.authId, secret: 'wrong' });
  await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
  await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
  const entries = await database.read.selectFrom('traceEntries').selectAll().where('subject', '=', made.id).orderBy('seq').execute();
  assert.deepEqual(
    entries.map((entry) => entry.what),
    ['created', 'signed-in', 'refused', 'refreshed', 'revoked'],
  );
  assert.doesNotMatch(JSON.stringify(entries), new RegExp(`${made.secret}|${session.refreshToken}|${session.accessToken}`));
});

test('nothing secret lies in the database in plain', async (context) => {
  const { database, givenService } = await givenServer(context);
  const { made, session } = await givenService([]);
  for (const table of ['people', 'services', 'serviceSecrets', 'sessions', 'refreshTokens', 'traceEntries'] as const) {
    const rows = JSON.stringify(await database.read.selectFrom(table).selectAll().execute());
    for (const secret of [made.secret, session.refreshToken, session.accessToken, operatorPassword])
      assert.ok(!rows.includes(secret), table);
  }
});

test('anybody reads the public keys and verifies tokens with them', async (context) => {
  const { call, operatorToken } = await givenServer(context);
  const { status, body, headers } = await call('GET', '/.well-known/jwks.json');
  assert.equal(status, 200);
  assert.match(headers.get('cache-control') ?? '', /max-age=300/);
  assert.deepEqual(Object.keys(body.keys[0]).sort(), ['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  const [header = '', claims = '', signature = ''] = (await operatorToken()).split('.');
  assert.equal(JSON.parse(Buffer.from(header, 'base64url').toString()).kid, body.keys[0].kid);
  const key = await crypto.subtle.importKey('jwk', body.keys[0], 'Ed25519', false, ['verify']);
  const isRight = await crypto.subtle.verify('Ed25519', key, Buffer.from(signature, 'base64url'), Buffer.from(`${header}.${claims}`));
  assert.equal(isRight, true);
});
