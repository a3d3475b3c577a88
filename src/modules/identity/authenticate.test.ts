import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Caller } from '../../foundation/caller.ts';
import { Problem } from '../../foundation/problem.ts';
import { createAuthenticate } from './authenticate.ts';
import { ownTokens } from './credentials/own-token.ts';
import { createTurnableClock } from './identity.fixture.ts';
import { createDenials } from './sessions/denials.ts';

const given = (maxRemembered = 100) => {
  const clock = createTurnableClock();
  const denials = createDenials();
  let verified = 0;
  const verify = (token: string) => {
    verified += 1;
    if (!token.startsWith('good')) throw new Problem('bad-token', 'not good');
    const caller: Caller = { id: `svc_${token}`, kind: 'service', tenantId: 'ten_1', sessionId: `ses_${token}`, scopes: new Set() };
    return { caller, issuedAt: clock.now(), expiresAt: clock.now() + 1_000 };
  };
  let isKeyThere = true;
  const accessTokens = { verify, namesOurKey: () => isKeyThere, namesOurIssuer: (token: string) => token.startsWith('good') };
  const authenticate = createAuthenticate({ credentials: [ownTokens({ accessTokens, denials, clock, maxRemembered })] });
  const takeKeyAway = () => {
    isKeyThere = false;
  };
  return {
    clock,
    denials,
    takeKeyAway,
    authenticate: (authorization?: string) => authenticate(authorization, '192.0.2.1'),
    verified: () => verified,
  };
};

test('who sends no bearer token is nobody', async () => {
  const { authenticate } = given();
  assert.equal(await authenticate(), undefined);
  assert.equal(await authenticate('Basic Zm9vOmJhcg=='), undefined);
  assert.equal(await authenticate('Bearer'), undefined);
});

test('the name of the scheme is read in any case', async () => {
  const { authenticate } = given();
  assert.equal((await authenticate('bearer good'))?.id, 'svc_good');
  assert.equal((await authenticate('BEARER good'))?.id, 'svc_good');
});

test('a signature is checked once, until the token expires', async () => {
  const { authenticate, clock, verified } = given();
  for (let times = 0; times < 5; times += 1) await authenticate('Bearer good');
  assert.equal(verified(), 1);
  clock.turn(1_001);
  await authenticate('Bearer good');
  assert.equal(verified(), 2);
});

test('a token that was good a moment ago is refused when its session has ended', async () => {
  const { authenticate, denials, clock } = given();
  await authenticate('Bearer good');
  denials.endSession('ses_good', clock.now());
  await assert.rejects(authenticate('Bearer good'), { kind: 'bad-token' });
});

test('scopes that changed count for a token that was seen before', async () => {
  const { authenticate, denials, clock } = given();
  await authenticate('Bearer good');
  denials.changeScopes('svc_good', new Set(['trace:read']), clock.now());
  assert.deepEqual([...((await authenticate('Bearer good'))?.scopes ?? [])], ['trace:read']);
});

test('a token that was seen before is looked at again when its key was taken away', async () => {
  const { authenticate, takeKeyAway, verified } = given();
  await authenticate('Bearer good');
  takeKeyAway();
  await authenticate('Bearer good');
  assert.equal(verified(), 2);
});

test('what no credential knows as its own is refused', async () => {
  const { authenticate, takeKeyAway, verified } = given();
  takeKeyAway();
  await assert.rejects(authenticate('Bearer stranger'), { kind: 'bad-token' });
  assert.equal(verified(), 0);
});

test('bad tokens are refused each time and are not remembered', async () => {
  const { authenticate, verified } = given();
  for (let times = 0; times < 3; times += 1) await assert.rejects(authenticate('Bearer bad'), { kind: 'bad-token' });
  await assert.rejects(authenticate('Bearer '), { kind: 'bad-token' });
  assert.equal(verified(), 4);
});

test('a token in use stays remembered while many others come and go', async () => {
  const { authenticate, verified } = given(100);
  for (let index = 0; index < 500; index += 1) {
    await authenticate('Bearer good');
    await authenticate(`Bearer good-${index}`);
  }
  assert.equal(verified(), 501);
});
