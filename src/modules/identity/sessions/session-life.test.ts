import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleanUp } from '../cleaning.ts';
import { givenDevices } from '../devices/devices.fixture.ts';
import { createExpiryStore } from '../expiry-store.ts';
import { givenServer, operatorPassword } from '../identity.fixture.ts';
import { createSessionStore } from './session-store.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

test('a session that is not used ends, and one that is used goes on', async (context) => {
  const { clock, call, givenService } = await givenServer(context, { refreshTokenTtlMs: hourMs });
  const { session: used } = await givenService([]);
  const { session: unused } = await givenService([]);
  let { refreshToken } = used;
  for (let turns = 0; turns < 4; turns += 1) {
    clock.turn(50 * minuteMs);
    const { status, body } = await call('POST', '/v1/sessions/refresh', { body: { refreshToken } });
    assert.equal(status, 200);
    refreshToken = body.refreshToken;
  }
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: unused.refreshToken } })).status, 401);
});

test('however often it is refreshed, a session ends when its time is over, and its access token with it', async (context) => {
  const { clock, call, givenService } = await givenServer(context, { refreshTokenTtlMs: hourMs, sessionTtlMs: 2 * hourMs });
  const endsAt = clock.now() + 2 * hourMs;
  const { session } = await givenService([]);
  let last = session;
  for (let turns = 0; turns < 11; turns += 1) {
    clock.turn(10 * minuteMs);
    const { status, body } = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: last.refreshToken } });
    assert.equal(status, 200);
    last = body;
  }
  for (const at of [last.accessTokenExpiresAt, last.refreshTokenExpiresAt]) assert.ok(Date.parse(at) - endsAt < 5_000, at);
  assert.equal((await call('GET', '/v1/me', { token: last.accessToken })).status, 200);
  clock.turn(10 * minuteMs + 5_000);
  assert.equal((await call('GET', '/v1/me', { token: last.accessToken })).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: last.refreshToken } })).status, 401);
});

test('a session is bound to its IPv6 address, however that is written', async (context) => {
  const { call, givenService } = await givenServer(context);
  const { session } = await givenService([], { from: '2001:db8::7' });
  const refresh = (refreshToken: string, from: string) => call('POST', '/v1/sessions/refresh', { body: { refreshToken }, from });
  assert.equal((await refresh(session.refreshToken, '2001:db8::8')).status, 401);
  assert.equal((await refresh(session.refreshToken, '192.0.2.1')).status, 401);
  const again = await refresh(session.refreshToken, '2001:DB8:0:0:0:0:0:7');
  assert.equal(again.status, 200);
  assert.equal((await refresh(again.body.refreshToken, '2001:db8::7')).status, 200);
});

test('after many used one refresh token at once, what the winner got is of no use any more', async (context) => {
  const { call, givenService } = await givenServer(context);
  const { session } = await givenService([]);
  const body = { refreshToken: session.refreshToken };
  const answers = await Promise.all([1, 2].map(() => call('POST', '/v1/sessions/refresh', { body })));
  const won = answers.find(({ status }) => status === 200);
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 401]);
  assert.equal((await call('GET', '/v1/me', { token: won?.body.accessToken })).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: won?.body.refreshToken } })).status, 401);
});

test('a device in a browser keeps its refresh token in a cookie, too', async (context) => {
  const { call, signIn, pair, givenPerson, isIn } = await givenDevices(context);
  const { pin } = await pair((await givenPerson('bob')).token, 'kiosk');
  const opened = await signIn({ method: 'pin', deviceId: 'kiosk', pin, cookie: true });
  assert.deepEqual([opened.status, opened.body.refreshToken], [201, undefined]);
  const cookieOf = ({ headers }: { headers: Headers }) => headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const refreshed = await call('POST', '/v1/sessions/refresh', { headers: { cookie: cookieOf(opened) } });
  assert.deepEqual([refreshed.status, refreshed.body.id], [200, opened.body.id]);
  const out = await call('DELETE', '/v1/sessions/current', { headers: { cookie: cookieOf(refreshed) } });
  assert.deepEqual([out.status, await isIn(refreshed.body.accessToken)], [204, false]);
});

test('who has a session goes on and refreshes it while a guesser is held off at the same address', async (context) => {
  const { call, signIn } = await givenServer(context);
  const from = '192.0.2.1';
  const credentials = { method: 'password', username: 'ada', password: operatorPassword };
  const { body: session } = await signIn(credentials, { from });
  for (let tries = 0; tries < 10; tries += 1) await signIn({ ...credentials, password: 'a guess or another' }, { from });
  assert.equal((await signIn(credentials, { from })).status, 429);
  assert.equal((await call('GET', '/v1/me', { token: session.accessToken, from })).status, 200);
  const refreshed = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken }, from });
  assert.equal(refreshed.status, 200);
  assert.equal((await call('GET', '/v1/sessions', { token: refreshed.body.accessToken, from })).status, 200);
});

test('sessions that were ended are cleaned away when no token of theirs can be out, those that go on are not', async (context) => {
  const { clock, call, database, signIn, givenService } = await givenServer(context);
  const { made, session: ended } = await givenService([]);
  const { body: kept } = await signIn({ method: 'secret', authId: made.authId, secret: made.secret });
  await call('DELETE', '/v1/sessions/current', { token: ended.accessToken });
  const steps = [{ remove: createSessionStore(database).removeEndedSessions, keptMs: 15 * minuteMs }];
  const clean = () => cleanUp({ database, clock, steps, signal: new AbortController().signal });
  assert.equal(await clean(), 0);
  clock.turn(16 * minuteMs);
  assert.equal(await clean(), 1);
  const left = await database.read.selectFrom('sessions').select('id').where('callerId', '=', made.id).execute();
  assert.deepEqual(left, [{ id: kept.id }]);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: ended.refreshToken } })).status, 401);
});

test('PINs, codes and mails that are of no use any more are cleaned away, the others stay', async (context) => {
  const { clock, database } = await givenServer(context);
  const now = clock.now();
  const owner = { tenantId: 'ten_1', personId: 'per_1', createdAt: now };
  const { build } = database;
  await database.write(
    [now - 1, now + hourMs].flatMap((expiresAt) => [
      build
        .insertInto('pairings')
        .values({ ...owner, id: `pair_${expiresAt}`, deviceId: 'phone', name: null, pinHash: 'x', triesLeft: 5, usedAt: null, expiresAt })
        .compile(),
      build
        .insertInto('deviceAuthorizations')
        .values({
          ...owner,
          deviceCodeHash: `device_${expiresAt}`,
          userCodeHash: `user_${expiresAt}`,
          clientId: 'cli',
          scopesJson: null,
          state: 'pending',
          intervalMs: 5_000,
          polledAt: null,
          expiresAt,
        })
        .compile(),
      build
        .insertInto('mailTokens')
        .values({ ...owner, tokenHash: `${expiresAt}`, purpose: 'reset', expiresAt })
        .compile(),
      build
        .insertInto('mails')
        .values({ ...owner, id: `mail_${expiresAt}`, sealedMail: 'x', attempts: 0, nextAt: now, expiresAt })
        .compile(),
    ]),
  );
  const steps = createExpiryStore(database).removals.map((remove) => ({ remove, keptMs: 0 }));
  assert.equal(await cleanUp({ database, clock, steps, signal: new AbortController().signal }), 4);
  for (const table of ['pairings', 'deviceAuthorizations', 'mailTokens', 'mails'] as const) {
    const rows = await database.read.selectFrom(table).select('expiresAt').execute();
    assert.deepEqual(rows, [{ expiresAt: now + hourMs }], table);
  }
});
