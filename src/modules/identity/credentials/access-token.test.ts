import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import { createSigner } from 'fast-jwt';
import type { Caller } from '../../../foundation/caller.ts';
import { createTurnableClock } from '../identity.fixture.ts';
import type { SigningKey } from '../sessions/signing-keys.ts';
import { createAccessTokens } from './access-token.ts';

const ttlMs = 900_000;
const caller: Caller = {
  id: 'svc_1',
  kind: 'service',
  tenantId: 'ten_1',
  sessionId: 'ses_1',
  scopes: new Set(['events:send', 'trace:read']),
};

const newKey = (id: string, expiresAt: number): SigningKey => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' });
  const publicJwk = { kty: jwk.kty ?? '', crv: jwk.crv ?? '', x: jwk.x ?? '', kid: id, use: 'sig', alg: 'EdDSA' } as const;
  return {
    id,
    publicJwk,
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    createdAt: 0,
    retiresAt: expiresAt,
    expiresAt,
  };
};

const given = () => {
  const clock = createTurnableClock();
  const key = newKey('key_1', clock.now() + 86_400_000);
  const list = [key];
  const keys = { current: () => list.at(-1) ?? key, all: () => list };
  const open = (issuer: string | undefined, lifeMs = ttlMs) => createAccessTokens({ keys, clock, issuer, ttlMs: lifeMs });
  const tokens = open('https://entrepot.example');
  const claims = () => {
    const iat = Math.floor(clock.now() / 1000);
    return {
      iss: 'https://entrepot.example',
      aud: 'entrepot',
      sub: 'svc_1',
      kind: 'service',
      tid: 'ten_1',
      scope: 'events:send',
      sid: 'ses_1',
      jti: 'x',
      iat,
      exp: iat + 900,
    };
  };
  /** A token that our key signs, with whatever header and claims. */
  const forge = (body: object, header: object = { alg: 'EdDSA', typ: 'at+jwt', kid: 'key_1' }) => {
    const input = `${toPart(header)}.${toPart(body)}`;
    return `${input}.${sign(null, Buffer.from(input), createPrivateKey(key.privateKeyPem)).toString('base64url')}`;
  };
  return { clock, key, list, open, tokens, claims, forge };
};

const toPart = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const fromPart = (part: string | undefined): Record<string, unknown> => JSON.parse(Buffer.from(part ?? '', 'base64url').toString());

test('a token proves who it was issued to, with the claims that others can read', () => {
  const { tokens, clock } = given();
  const { token, expiresAt } = tokens.issue(caller);
  assert.deepEqual(tokens.verify(token).caller, caller);
  assert.ok(Math.abs(expiresAt - clock.now() - ttlMs) < 2_000);
  const [header, body] = token.split('.');
  assert.deepEqual(fromPart(header), { alg: 'EdDSA', typ: 'at+jwt', kid: 'key_1' });
  const { jti, iat, exp, ...rest } = fromPart(body);
  assert.equal(typeof jti, 'string');
  assert.equal(Number(exp) - Number(iat), 900);
  assert.deepEqual(rest, {
    iss: 'https://entrepot.example',
    aud: 'entrepot',
    sub: 'svc_1',
    kind: 'service',
    tid: 'ten_1',
    scope: 'events:send trace:read',
    sid: 'ses_1',
  });
});

test('without an issuer in the settings a token names the address that its session was opened at, and is ours by its session', () => {
  const { open, tokens } = given();
  const anywhere = open(undefined);
  const issuerOf = (token: string) => fromPart(token.split('.')[1]).iss;
  const { token } = anywhere.issue(caller, { issuer: 'http://127.0.0.1:8080', clientId: 'auth_1' });
  assert.equal(issuerOf(token), 'http://127.0.0.1:8080');
  assert.equal(fromPart(token.split('.')[1]).client_id, 'auth_1');
  assert.deepEqual(anywhere.verify(token).caller, caller);
  assert.equal(issuerOf(anywhere.issue(caller).token), 'entrepot');
  assert.equal(issuerOf(tokens.issue(caller, { issuer: 'http://127.0.0.1:8080' }).token), 'https://entrepot.example');

  const foreign = (claims: object) => ['e30', toPart(claims), 'x'].join('.');
  assert.ok(anywhere.namesOurIssuer(foreign({ aud: 'entrepot', sid: 'ses_1' })));
  for (const claims of [{}, { iss: 'https://elsewhere.example', aud: 'entrepot' }, { aud: 'entrepot', sid: 'x' }, { sid: 'ses_1' }]) {
    assert.ok(!anywhere.namesOurIssuer(foreign(claims)), JSON.stringify(claims));
  }
});

test('a token with our header and claims is good, so that what follows fails for the reason it names', () => {
  const { tokens, forge, claims } = given();
  assert.equal(tokens.verify(forge(claims())).caller.id, 'svc_1');
});

test('forged, foreign, malformed and mistimed tokens are all refused as bad-token', () => {
  const { tokens, forge, claims, key, open } = given();
  const good = tokens.issue(caller).token;
  const [header = '', body = '', signature = ''] = good.split('.');
  const now = Math.floor(Date.now() / 1000);
  const publicPem = createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' })
    .export({ type: 'spki', format: 'pem' })
    .toString();
  const hs256 = createSigner({ algorithm: 'HS256', key: Buffer.from(publicPem.replaceAll('-----', '#####')), kid: 'key_1' });
  const stranger = newKey('key_1', 0);
  const strangers = createSigner({
    algorithm: 'EdDSA',
    key: stranger.privateKeyPem,
    kid: 'key_1',
    header: { alg: 'EdDSA', typ: 'at+jwt' },
  });
  const without = (name: string) => Object.fromEntries(Object.entries(claims()).filter(([claim]) => claim !== name));
  const bad: Record<string, string> = {
    'alg none': `${toPart({ alg: 'none', typ: 'at+jwt', kid: 'key_1' })}.${toPart(claims())}.`,
    'our header without a signature': `${header}.${body}.`,
    'HS256 with the public key': hs256(claims()),
    'a stranger with our key id': strangers(claims()),
    'an unknown key id': forge(claims(), { alg: 'EdDSA', typ: 'at+jwt', kid: 'key_9' }),
    'another type of token': forge(claims(), { alg: 'EdDSA', typ: 'JWT', kid: 'key_1' }),
    'another issuer': open('https://elsewhere.example').issue(caller).token,
    'another audience': forge({ ...claims(), aud: 'somebody' }),
    'an expired one': forge({ ...claims(), iat: now - 1000, exp: now - 1 }),
    'from the future': forge({ ...claims(), iat: now + 60, exp: now + 900 }),
    'not valid yet': forge({ ...claims(), nbf: now + 60 }),
    'without expiry': forge(without('exp')),
    'without time of issue': forge(without('iat')),
    'without session': forge(without('sid')),
    'another body': `${header}.${toPart({ ...claims(), sub: 'svc_2' })}.${signature}`,
    'another signature': `${header}.${body}.${signature.slice(0, -4)}AAAA`,
    'more text': `${good}A`,
    'another part': `${good}.x`,
    empty: '',
    dots: '..',
    'no dots': 'abc',
    'text that is no base64url': '%%%.%%%.%%%',
    'a number as expiry that is text': forge({ ...claims(), exp: 'never' }),
  };
  for (const [name, token] of Object.entries(bad)) {
    assert.throws(() => tokens.verify(token), { kind: 'bad-token' }, name);
  }
});

test('a token ends when it says, by our clock', () => {
  const { tokens, clock } = given();
  const { token } = tokens.issue(caller);
  clock.turn(ttlMs - 2_000);
  tokens.verify(token);
  clock.turn(2_000);
  assert.throws(() => tokens.verify(token), { kind: 'bad-token' });
});

test('a lifetime made shorter in the settings holds for tokens that are out', () => {
  const { tokens, open, clock } = given();
  const { token } = tokens.issue(caller);
  clock.turn(61_000);
  tokens.verify(token);
  assert.throws(() => open('https://entrepot.example', 60_000).verify(token), { kind: 'bad-token' });
});

test('tokens of the key before stay good after a new one signs', () => {
  const { tokens, list, clock } = given();
  const before = tokens.issue(caller).token;
  list.push(newKey('key_2', clock.now() + 86_400_000));
  const after = tokens.issue(caller).token;
  assert.notEqual(before.split('.')[0], after.split('.')[0]);
  assert.equal(tokens.verify(before).caller.id, 'svc_1');
  assert.equal(tokens.verify(after).caller.id, 'svc_1');
});

test('a session id that is no text makes nobody stumble: the token is just not ours', () => {
  const { open } = given();
  for (const sid of [{ toString: 1, valueOf: 1 }, ['ses_1'], 7, null]) {
    assert.equal(open(undefined).namesOurIssuer(`${toPart({})}.${toPart({ aud: 'entrepot', sid })}.x`), false, JSON.stringify(sid));
  }
});
