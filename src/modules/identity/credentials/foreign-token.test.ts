import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { exportSPKI } from 'jose';
import type { Scope } from '../../../foundation/caller.ts';
import { soon } from '../accounts/people.fixture.ts';
import { createPersonStore } from '../accounts/person-store.ts';
import { givenServer } from '../identity.fixture.ts';
import { startIssuer } from './issuer.fixture.ts';

const given = async (context: TestContext, { audience = 'entrepot', alg = 'RS256' } = {}) => {
  const issuer = await startIssuer(context, alg);
  const server = await givenServer(context, { trustedIssuers: [{ issuer: issuer.issuer, audience }] });
  const me = (token: string) => server.call('GET', '/v1/me', { token });
  const setTenant = (changes: Record<string, unknown>) =>
    server.database.transaction(async ({ query }) => {
      await query.updateTable('tenants').set(changes).where('slug', '=', 'default').execute();
    });
  return { ...server, issuer, me, setTenant };
};

test('somebody whom a trusted issuer vouches for is let in, and has an account from the first request on', async (context) => {
  const { issuer, me, call, operatorToken } = await given(context);
  const token = await issuer.token({ preferred_username: 'Grace', email: 'grace@navy.example', name: 'Grace Hopper' });
  const { status, body } = await me(token);
  assert.equal(status, 200);
  const { id, tenantId, scopes, ...rest } = body;
  assert.match(id, /^per_/);
  assert.ok(scopes.includes('events:send') && !scopes.includes('targets:manage'));
  const expected = {
    kind: 'person',
    username: 'Grace',
    email: 'grace@navy.example',
    displayName: 'Grace Hopper',
    role: 'member',
    roles: [],
  };
  assert.deepEqual(rest, expected);
  assert.equal((await me(await issuer.token({ name: 'Another Name' }))).body.id, id, 'whatever its next token says');
  const operator = await call('GET', '/v1/me', { token: await operatorToken() });
  assert.equal(operator.body.tenantId, tenantId, 'it belongs to the tenant default');
});

test('what it did first stands in its trace', async (context) => {
  const { issuer, me, trace } = await given(context);
  const { id, tenantId } = (await me(await issuer.token())).body;
  const admin = {
    id: 'per_admin',
    kind: 'person',
    tenantId,
    sessionId: 'ses_1',
    scopes: new Set<Scope>(['people:manage', 'trace:read']),
  } as const;
  const { entries } = await trace.get(admin, id);
  assert.deepEqual(
    entries.map(({ what, who, where, detail }) => ({ what, who, where, detail })),
    [{ what: 'signed-up', who: id, where: '127.0.0.1', detail: { issuer: issuer.issuer } }],
  );
});

test('every asymmetric algorithm is taken', async (context) => {
  for (const alg of ['PS256', 'ES256', 'ES384', 'EdDSA']) {
    const { issuer, me } = await given(context, { alg });
    assert.equal((await me(await issuer.token())).status, 200, alg);
  }
});

test('ten first requests at once make one person', async (context) => {
  const { issuer, me, database } = await given(context);
  const token = await issuer.token({ preferred_username: 'grace' });
  const answers = await Promise.all(Array.from({ length: 10 }, () => me(token)));
  assert.deepEqual(new Set(answers.map(({ status, body }) => `${status} ${body.id}`)).size, 1);
  assert.equal(answers[0]?.status, 200);
  assert.equal((await database.read.selectFrom('people').selectAll().where('role', '=', 'member').execute()).length, 1);
});

test('a user name that is taken, was taken once, or that nobody may have is replaced by the id', async (context) => {
  const { issuer, me, database } = await given(context);
  const nameOf = async (sub: string, preferred_username: unknown) => (await me(await issuer.token({ sub, preferred_username }))).body;
  for (const [sub, wanted] of [
    ['a', 'ADA'],
    ['b', 'ad\u0430'],
    ['c', 'x'],
    ['d', 'a b c'],
    ['e', 17],
    ['f', 'evil\u0000name'],
    ['g', 'x'.repeat(65)],
  ] as const) {
    const { id, username } = await nameOf(sub, wanted);
    assert.equal(username, id, String(wanted));
  }
  assert.equal((await nameOf('h', 'grace')).username, 'grace');
  assert.notEqual((await nameOf('i', 'Grace')).username, 'Grace');
  assert.equal((await database.read.selectFrom('people').selectAll().execute()).length, 10);
});

test('an address that the issuer does not vouch for, and texts that cannot be shown, are left out', async (context) => {
  const { issuer, me } = await given(context);
  const bad = [
    { email: 'x@y.example', email_verified: false },
    { email: 'x@y.example\r\nBcc: all@y.example' },
    { email: 'no address', name: 'a\u202eb' },
    { email: ['x@y.example'], name: 'x'.repeat(200) },
  ];
  for (const [index, claims] of bad.entries()) {
    const { status, body } = await me(await issuer.token({ sub: `u${index}`, ...claims }));
    assert.deepEqual([status, body.email, body.displayName], [200, undefined, undefined], JSON.stringify(claims));
  }
});

test('the same subject of two issuers is two people', async (context) => {
  const [one, other] = [await startIssuer(context), await startIssuer(context)];
  const server = await givenServer(context, { trustedIssuers: [one, other].map(({ issuer }) => ({ issuer, audience: 'entrepot' })) });
  const idOf = async (issuer: typeof one) => (await server.call('GET', '/v1/me', { token: await issuer.token() })).body.id;
  assert.notEqual(await idOf(one), await idOf(other));
  const crossed = await one.token({ iss: other.issuer });
  assert.equal((await server.call('GET', '/v1/me', { token: crossed })).status, 401, 'one issuer cannot speak for the other');
});

test('forged, mistimed and misdirected tokens of an issuer are all 401, never 5xx', async (context) => {
  const { issuer, me } = await given(context);
  const good = await issuer.token();
  assert.equal((await me(good)).status, 200);
  const [header = '', payload = '', signature = ''] = good.split('.');
  const toPart = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const stranger = await startIssuer(context);
  const now = Math.floor(Date.now() / 1000);
  const [key] = issuer.keys;
  assert.ok(key);
  const hs256 = (secret: string) => {
    const input = `${toPart({ alg: 'HS256', kid: key.kid })}.${payload}`;
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
  };
  const bad: Record<string, string> = {
    'alg none': `${toPart({ alg: 'none' })}.${payload}.`,
    'alg none with our key id': `${toPart({ alg: 'none', kid: key.kid })}.${payload}.${signature}`,
    'HS256 with the public key as PEM': hs256(await exportSPKI(key.pair.publicKey)),
    'HS256 with the public key as JWK': hs256(JSON.stringify(key.jwk)),
    'an unknown key id': await issuer.token({}, { kid: 'kid-9' }),
    "a stranger's key under a known id": await stranger.token({ iss: issuer.issuer }),
    'a key that it brings itself': await stranger.token({ iss: issuer.issuer }, { jwk: stranger.keys[0]?.jwk }),
    'an address of keys that it brings itself': await stranger.token({ iss: issuer.issuer }, { jku: `${stranger.issuer}/keys` }),
    'a certificate that it brings itself': await stranger.token({ iss: issuer.issuer }, { x5u: `${stranger.issuer}/keys` }),
    'a demand that we do not know': await issuer
      .token({}, { crit: ['exp'], exp: 1 })
      .catch(() => `${toPart({ alg: 'RS256', crit: ['x'], x: 1 })}.${payload}.${signature}`),
    'another audience': await issuer.token({ aud: 'somebody' }),
    'no audience': await issuer.token({ aud: undefined }),
    'an expired one': await issuer.token({ exp: now - 60 }),
    'without expiry': await issuer.token({ exp: undefined }),
    'not valid yet': await issuer.token({ nbf: now + 600 }),
    'from the future': await issuer.token({ iat: now + 600 }),
    'without subject': await issuer.token({ sub: undefined }),
    'an empty subject': await issuer.token({ sub: '' }),
    'a subject with a NUL byte': await issuer.token({ sub: 'a\u0000b' }),
    'a subject with half a character, which would be taken for another such': await issuer.token({ sub: 'a\ud800' }),
    'a subject without end': await issuer.token({ sub: 'x'.repeat(300) }),
    'a subject that is a number': await issuer.token({ sub: 17 }),
    'for another purpose': await issuer.token({}, { typ: 'logout+jwt' }),
    'another signature': `${header}.${payload}.${signature.slice(0, -4)}AAAA`,
    'another body': `${header}.${toPart({ iss: issuer.issuer, aud: 'entrepot', sub: 'user-2', exp: now + 60 })}.${signature}`,
    'no signature': `${header}.${payload}.`,
    'a part more': `${good}.x`,
  };
  for (const [name, token] of Object.entries(bad)) {
    const { status, body, headers } = await me(token);
    assert.deepEqual([status, body.type], [401, '/problems/bad-token'], name);
    assert.equal(headers.get('www-authenticate'), 'Bearer error="invalid_token"');
  }
  assert.equal(stranger.keyFetches(), 0, 'nobody is asked whom the settings do not trust');
});

test('a token of an issuer that is not trusted is 401', async (context) => {
  const { me } = await given(context);
  const stranger = await startIssuer(context);
  assert.equal((await me(await stranger.token())).status, 401);
  assert.equal(stranger.keyFetches(), 0);
});

test('an issuer may have an audience of its own for us', async (context) => {
  const { issuer, me } = await given(context, { audience: 'api' });
  assert.equal((await me(await issuer.token({ aud: ['other', 'api'] }))).status, 200);
  assert.equal((await me(await issuer.token({ aud: 'entrepot' }))).status, 401);
});

test('an issuer of plain OAuth, without OpenID, is found as well', async (context) => {
  const { issuer, me } = await given(context);
  issuer.be('no-openid');
  assert.equal((await me(await issuer.token())).status, 200);
});

test('keys are fetched at first use and once; while the issuer is away its people go on', async (context) => {
  const { issuer, me } = await given(context);
  assert.equal(issuer.keyFetches(), 0);
  const tokens = await Promise.all(['a', 'b', 'c'].map((sub) => issuer.token({ sub })));
  for (const answer of await Promise.all(tokens.map(me))) assert.equal(answer.status, 200);
  assert.equal(issuer.keyFetches(), 1);
  issuer.be('away');
  assert.equal((await me(await issuer.token({ sub: 'd' }))).status, 200);
});

test('a new key of the issuer counts at once, made-up key ids do not make us ask again and again', async (context) => {
  const { issuer, me, clock } = await given(context);
  assert.equal((await me(await issuer.token())).status, 200);
  for (let times = 0; times < 5; times += 1) assert.equal((await me(await issuer.token({}, { kid: `made-up-${times}` }))).status, 401);
  assert.equal(issuer.keyFetches(), 1);
  await issuer.addKey();
  clock.turn(30_000);
  const answers = await Promise.all([me(await issuer.token({ sub: 'x' })), me(await issuer.token({ sub: 'y' }))]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200],
  );
  assert.equal(issuer.keyFetches(), 2);
});

test('a key that the issuer took away counts no longer than some minutes', async (context) => {
  const { issuer, me, clock } = await given(context);
  const [leaked] = issuer.keys;
  assert.equal((await me(await issuer.token({}, {}, leaked))).status, 200);
  await issuer.addKey();
  issuer.keys.shift();
  clock.turn(600_000);
  await me(await issuer.token({ sub: 'z', exp: Math.floor(clock.now() / 1000) + 60 }, {}, leaked));
  const isRefused = async () => (await me(await issuer.token({ sub: `z${Math.random()}` }, {}, leaked))).status === 401;
  for (let tries = 0; tries < 100 && !(await isRefused()); tries += 1) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(await isRefused());
});

test('while no keys are known, as the issuer is away or talks nonsense, it is 503 with Retry-After and not 401', async (context) => {
  for (const mood of ['away', 'huge', 'garbage', 'other-issuer'] as const) {
    const { issuer, me, clock } = await given(context);
    issuer.be(mood);
    const { status, body, headers } = await me(await issuer.token());
    assert.deepEqual([status, body.type], [503, '/problems/unavailable'], mood);
    assert.ok(Number(headers.get('retry-after')) > 0);
    issuer.be('well');
    clock.turn(1_000);
    assert.equal((await me(await issuer.token())).status, 200, 'it is asked again');
  }
});

test('a changed role counts at once, also for a token that was seen before', async (context) => {
  const { issuer, me, database } = await given(context);
  const token = await issuer.token();
  const { id } = (await me(token)).body;
  await database.transaction(async ({ query }) => {
    await query.updateTable('people').set({ role: 'admin' }).where('id', '=', id).execute();
  });
  const { body } = await me(token);
  assert.deepEqual([body.role, body.scopes.includes('targets:manage')], ['admin', true]);
});

test('who was removed here stays out, and is not made anew by its next token', async (context) => {
  const { issuer, me, database } = await given(context);
  const token = await issuer.token();
  const { id } = (await me(token)).body;
  await database.transaction(async ({ query }) => {
    await query.deleteFrom('people').where('id', '=', id).execute();
  });
  for (const again of [token, await issuer.token({ name: 'New' })]) {
    const { status, body } = await me(again);
    assert.deepEqual([status, body.type], [403, '/problems/not-allowed']);
  }
  assert.equal(await createPersonStore(database).findPersonByUsername(id), undefined);
});

test('where signing up is closed nobody new comes in, and who is in goes on', async (context) => {
  const { issuer, me, setTenant } = await given(context);
  assert.equal((await me(await issuer.token())).status, 200);
  await setTenant({ signUp: 'closed' });
  assert.equal((await me(await issuer.token())).status, 200);
  const { status, body } = await me(await issuer.token({ sub: 'user-2' }));
  assert.deepEqual([status, body.type], [403, '/problems/sign-up-closed']);
});

test('people of a suspended tenant are refused at once, known or new', async (context) => {
  const { issuer, me, setTenant } = await given(context);
  const token = await issuer.token();
  assert.equal((await me(token)).status, 200);
  await setTenant({ state: 'suspended' });
  for (const one of [token, await issuer.token({ sub: 'user-2' })]) {
    const { status, body } = await me(one);
    assert.deepEqual([status, body.type], [403, '/problems/tenant-suspended']);
  }
});

test('a token that was seen before ends when it says', async (context) => {
  const { issuer, me, clock } = await given(context);
  const token = await issuer.token();
  assert.equal((await me(token)).status, 200);
  clock.turn(3_600_000 + 10_000);
  assert.equal((await me(token)).status, 401);
});

test('it has no session here: none is listed, none can be ended, and it cannot sign in by a password', async (context) => {
  const { issuer, call, signIn } = await given(context);
  const token = await issuer.token({ preferred_username: 'grace' });
  assert.deepEqual((await call('GET', '/v1/sessions', { token })).body, { items: [] });
  assert.equal((await call('DELETE', '/v1/sessions/current', { token })).status, 404);
  for (const password of ['x', ' ', 'correct horse battery']) {
    assert.equal((await signIn({ method: 'password', username: 'grace', password })).status, 401);
  }
});

test('it has no password here: it can neither prove one nor change one, and no mail gives it one', async (context) => {
  const { issuer, me, call, database } = await given(context);
  const token = await issuer.token({ preferred_username: 'grace', email: 'grace@navy.example' });
  const { id } = (await me(token)).body;
  for (const current of [' ', 'correct horse battery']) {
    const changed = await call('POST', '/v1/me/password', { token, body: { current, next: 'purple elephants never forget' } });
    assert.deepEqual([changed.status, changed.body.type], [403, '/problems/wrong-password']);
    assert.equal((await call('DELETE', '/v1/me', { token, body: { password: current } })).status, 403);
  }
  const other = { username: 'hopper', password: 'purple elephants never forget', email: 'hopper@navy.example' };
  await call('POST', '/v1/people', { body: other });
  for (const username of ['grace', 'hopper']) assert.equal((await call('POST', '/v1/password-resets', { body: { username } })).status, 202);
  const mailed = () => database.read.selectFrom('mailTokens').select('personId').execute();
  const found = await soon(async () => ((await mailed()).length > 0 ? await mailed() : undefined));
  assert.ok(found.every(({ personId }) => personId !== id));
  assert.equal((await me(token)).status, 200);
});
