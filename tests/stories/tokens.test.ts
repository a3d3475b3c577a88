import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { call, eventually, givenOperator, givenService, type Json } from '../support/given.ts';
import { operator, startServer, type TestServer } from '../support/start-server.ts';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part: string): Json => JSON.parse(Buffer.from(part, 'base64url').toString());
const partsOf = (token: string) => {
  const [header = '', payload = '', signature = ''] = token.split('.');
  return { header, payload, signature };
};

describe('access tokens', () => {
  let server: TestServer;
  /** Somebody else's server, which also gives tokens for a second only. */
  let elsewhere: TestServer;
  let service: Awaited<ReturnType<typeof givenService>>;
  let foreign: Awaited<ReturnType<typeof givenService>>;

  before(async () => {
    [server, elsewhere] = await Promise.all([startServer(), startServer({ env: { ENTREPOT_ACCESS_TOKEN_TTL: '1s' } })]);
    const admin = await givenOperator(server);
    service = await givenService(server, admin, ['events:send', 'events:read']);
    foreign = await givenService(elsewhere, await givenOperator(elsewhere), ['events:send', 'events:read']);
  });
  after(() => Promise.all([server.stop(), elsewhere.stop()]));

  const ask = (authorization: string, method = 'GET', path = '/v1/events') =>
    call(server, method, path, { headers: { authorization }, ...(method === 'POST' ? { body: { id: 'x', name: 'a' } } : {}) });
  const assertRefused = async (token: string, what: string) => {
    for (const [method, path] of [
      ['GET', '/v1/events'],
      ['POST', '/v1/events'],
      ['GET', '/v1/me'],
      ['GET', '/v1/events/live'],
    ] as const) {
      const { status, body, headers } = await ask(`Bearer ${token}`, method, path);
      assert.deepEqual([status, body?.type], [401, '/problems/bad-token'], `${what}: ${method} ${path}`);
      assert.equal(headers.get('www-authenticate'), 'Bearer error="invalid_token"');
      assert.equal(headers.get('content-type'), 'application/problem+json');
    }
  };

  it('a good one is let in, however the word Bearer is written', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) assert.equal((await ask(`${scheme} ${service.token}`)).status, 200);
  });

  it('none at all, or another scheme, is 401 with a plain challenge', async () => {
    const { status, body, headers } = await call(server, 'GET', '/v1/events');
    assert.deepEqual([status, body.type, headers.get('www-authenticate')], [401, '/problems/not-signed-in', 'Bearer']);
    for (const other of ['Basic YWRtaW46eA==', 'Bearer', 'Bearer ', service.token, 'Token x']) {
      const answer = await ask(other);
      assert.equal(answer.status, 401, other);
      assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer/);
    }
  });

  it('what is no token is refused, never a 500', async () => {
    const garbage = [
      'x',
      'a.b',
      'a.b.c',
      '..',
      'a.b.c.d',
      `${service.token}.`,
      '%00',
      '{}',
      `${encode({})}.${encode({})}.`,
      'é',
      'x'.repeat(8000),
    ];
    for (const token of garbage) await assertRefused(encodeURI(token), token.slice(0, 20));
  });

  it('a token whose claims or signature were changed is refused', async () => {
    const { header, payload, signature } = partsOf(service.token);
    const claims = decode(payload);
    const changed = { ...claims, scope: `${claims.scope} targets:manage operate`, exp: claims.exp + 1e6 };
    await assertRefused(`${header}.${encode(changed)}.${signature}`, 'other claims');
    await assertRefused(`${header}.${payload}.${signature.slice(0, -4)}AAAA`, 'other signature');
    await assertRefused(`${header}.${payload}.`, 'no signature');
  });

  it('a token that names another algorithm or another key is refused', async () => {
    const { header, payload } = partsOf(service.token);
    const { kid, typ } = decode(header);
    await assertRefused(`${encode({ alg: 'none', typ, kid })}.${payload}.`, 'alg none');
    const { keys } = (await call(server, 'GET', '/.well-known/jwks.json')).body;
    for (const secret of [keys[0].x, JSON.stringify(keys[0])]) {
      const signed = `${encode({ alg: 'HS256', typ, kid })}.${payload}`;
      await assertRefused(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`, 'the public key as a secret');
    }
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    for (const own of [
      { alg: 'EdDSA', typ, kid },
      { alg: 'EdDSA', typ, kid: 'mine' },
      { alg: 'EdDSA', typ, kid, jwk: publicKey.export({ format: 'jwk' }) },
    ]) {
      const signed = `${encode(own)}.${payload}`;
      await assertRefused(`${signed}.${sign(null, Buffer.from(signed), privateKey).toString('base64url')}`, 'a key of his own');
    }
  });

  it("another server's token is refused", async () => {
    await assertRefused(foreign.token, 'foreign');
  });

  it('a refresh token is no access token', async () => {
    await assertRefused(service.session.refreshToken, 'refresh token');
  });

  it('an expired token is refused, and the session goes on with its refresh token', async () => {
    const answer = await eventually(
      () => call(elsewhere, 'GET', '/v1/events', { token: foreign.token }),
      ({ status }) => status === 401,
    );
    assert.deepEqual([answer.body.type, answer.headers.get('www-authenticate')], ['/problems/bad-token', 'Bearer error="invalid_token"']);
    assert.ok(Date.parse(foreign.session.accessTokenExpiresAt) <= Date.now());
    const { body } = await call(elsewhere, 'POST', '/v1/sessions/refresh', { body: { refreshToken: foreign.session.refreshToken } });
    assert.equal((await call(elsewhere, 'GET', '/v1/me', { token: body.accessToken })).status, 200);
  });

  it('a session that was signed out is refused at once', async () => {
    const { authId, secret } = service;
    const { body } = await call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId, secret } });
    assert.equal((await ask(`Bearer ${body.accessToken}`)).status, 200);
    assert.equal((await call(server, 'DELETE', '/v1/sessions/current', { token: body.accessToken })).status, 204);
    await assertRefused(body.accessToken, 'signed out');
    assert.equal((await ask(`Bearer ${service.token}`)).status, 200, 'other sessions go on');
  });

  it('a changed scope counts at once, also for tokens that are out; a removed service is out at once', async () => {
    const admin = await givenOperator(server);
    const changed = await givenService(server, admin, ['events:send', 'events:read']);
    assert.equal((await ask(`Bearer ${changed.token}`)).status, 200);
    const patch = { token: admin, body: { scopes: ['events:send'] } };
    assert.equal((await call(server, 'PATCH', `/v1/services/${changed.id}`, patch)).status, 200);
    assert.equal((await ask(`Bearer ${changed.token}`)).body.scope, 'events:read');
    assert.equal((await call(server, 'DELETE', `/v1/services/${changed.id}`, { token: admin })).status, 204);
    await assertRefused(changed.token, 'removed');
  });

  it('a browser keeps its refresh token in a cookie that no script can read, and never sees it in a body', async () => {
    const signIn = { method: 'password', ...operator, cookie: true };
    const opened = await call(server, 'POST', '/v1/sessions', { body: signIn });
    const cookie = opened.headers.get('set-cookie') ?? '';
    assert.deepEqual([opened.status, opened.body.refreshToken], [201, undefined]);
    for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/v1/sessions'])
      assert.ok(cookie.includes(attribute), attribute);
    const [pair = ''] = cookie.split(';');
    const refreshed = await call(server, 'POST', '/v1/sessions/refresh', { headers: { cookie: pair } });
    assert.deepEqual([refreshed.status, refreshed.body.refreshToken, refreshed.body.id], [200, undefined, opened.body.id]);
    const [next = ''] = (refreshed.headers.get('set-cookie') ?? '').split(';');
    assert.notEqual(next, pair);
    const out = await call(server, 'DELETE', '/v1/sessions/current', { headers: { cookie: next } });
    assert.deepEqual([out.status, /Max-Age=0/.test(out.headers.get('set-cookie') ?? '')], [204, true]);
    await assertRefused(refreshed.body.accessToken, 'signed out by its cookie');
  });

  it('wrong credentials get the same answer whether the name exists or not', async () => {
    const signIn = async (body: unknown) => {
      const answer = await call(server, 'POST', '/v1/sessions', { body });
      return [answer.status, { ...answer.body, instance: '' }];
    };
    const unknown = await signIn({ method: 'secret', authId: 'auth_nobody', secret: 'x' });
    assert.equal(unknown[0], 401);
    assert.deepEqual(await signIn({ method: 'secret', authId: service.authId, secret: 'x' }), unknown);
    assert.deepEqual(await signIn({ method: 'password', username: operator.username, password: 'wrong-wrong-wrong' }), unknown);
    assert.deepEqual(await signIn({ method: 'password', username: 'nobody-here', password: 'wrong-wrong-wrong' }), unknown);
  });

  it('who fails ten times with a name is held off, also with the right secret, and told for how long', async () => {
    const guessed = await givenService(server, await givenOperator(server));
    const signIn = (secret: string) => call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId: guessed.authId, secret } });
    for (let failure = 0; failure < 10; failure += 1) assert.equal((await signIn('guess')).status, 401);
    for (const secret of ['guess', guessed.secret]) {
      const { status, body, headers } = await signIn(secret);
      assert.deepEqual([status, body.type], [429, '/problems/too-many']);
      assert.ok(Number(headers.get('retry-after')) > 0);
      assert.match(headers.get('ratelimit-policy') ?? '', /sign-in/);
      assert.match(headers.get('ratelimit') ?? '', /r=0/);
    }
    assert.equal((await ask(`Bearer ${guessed.token}`, 'GET', '/v1/me')).status, 200, 'sessions that are open go on');
  });
});
