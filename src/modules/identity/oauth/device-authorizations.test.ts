import assert from 'node:assert/strict';
import { test } from 'node:test';
import { operatorPassword } from '../identity.fixture.ts';
import { roles } from '../permissions.ts';
import { beginLimit, userCodeLimit } from './device-authorizations.ts';
import { givenOauth } from './oauth.fixture.ts';

test('a device gets a session of the person who approved its code, opened from where it polls', async (context) => {
  const { begin, poll, decide, operatorToken, call } = await givenOauth(context);
  const ada = await operatorToken();
  const { device_code, user_code } = (await begin()).body;
  assert.equal((await poll(device_code)).body.error, 'authorization_pending');
  assert.equal((await decide(ada, user_code)).status, 204);

  const given = await poll(device_code, undefined, { from: '198.51.100.7' });
  assert.equal(given.status, 200, given.text);
  assert.deepEqual(new Set(given.body.scope.split(' ')), new Set(roles.operator));
  const me = (await call('GET', '/v1/me', { token: given.body.access_token })).body;
  assert.equal(me.username, 'ada');
  assert.equal(me.kind, 'person');
  const [newest] = (await call('GET', '/v1/sessions', { token: ada })).body.items;
  assert.equal(newest.address, '198.51.100.7');
});

test('a code is taken in any case, with dashes or without', async (context) => {
  const { begin, decide, operatorToken } = await givenOauth(context);
  const ada = await operatorToken();
  for (const change of [
    (code: string) => code.toLowerCase(),
    (code: string) => code.replace('-', ''),
    (code: string) => ` ${code.replace('-', ' ')} `,
  ]) {
    const { user_code } = (await begin()).body;
    assert.equal((await decide(ada, change(user_code))).status, 204, change(user_code));
  }
});

test('however many polls come at once, a code gives one session, and none afterwards', async (context) => {
  const { begin, poll, decide, operatorToken, call } = await givenOauth(context);
  const ada = await operatorToken();
  const { device_code, user_code } = (await begin()).body;
  await decide(ada, user_code);
  const answers = await Promise.all(Array.from({ length: 20 }, () => poll(device_code)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.ok(answers.every(({ status, body }) => status === 200 || body.error === 'invalid_grant'));
  assert.equal((await poll(device_code)).body.error, 'invalid_grant');
  assert.equal((await call('GET', '/v1/sessions', { token: ada })).body.items.length, 2);
});

test('of many decisions about a code at once exactly one counts', async (context) => {
  const { begin, poll, decide, operatorToken } = await givenOauth(context);
  const ada = await operatorToken();
  const { device_code, user_code } = (await begin()).body;
  const answers = await Promise.all([true, false, true, false].map((deny) => decide(ada, user_code, { deny })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 404, 404, 404]);
  const isDenied = answers.findIndex(({ status }) => status === 204) % 2 === 0;
  assert.equal((await poll(device_code)).body.error, isDenied ? 'access_denied' : undefined);
});

test('a device that polls too often has to wait five seconds longer each time', async (context) => {
  const { begin, poll, clock } = await givenOauth(context);
  const { device_code } = (await begin()).body;
  const error = async () => (await poll(device_code)).body.error;
  assert.equal(await error(), 'authorization_pending');
  assert.equal(await error(), 'slow_down');
  clock.turn(5_000);
  assert.equal(await error(), 'slow_down', 'ten seconds are needed now');
  clock.turn(15_000);
  assert.equal(await error(), 'authorization_pending');
  clock.turn(15_000);
  assert.equal(await error(), 'authorization_pending');
});

test('many polls at once are as many that were too often but one', async (context) => {
  const { begin, poll } = await givenOauth(context);
  const { device_code } = (await begin()).body;
  const answers = await Promise.all(Array.from({ length: 10 }, () => poll(device_code)));
  assert.deepEqual(answers.map(({ body }) => body.error).sort(), ['authorization_pending', ...Array(9).fill('slow_down')]);
});

test('a code ends after ten minutes, also one that was approved in time', async (context) => {
  const { begin, poll, decide, operatorToken, clock } = await givenOauth(context);
  const ada = await operatorToken();
  const late = (await begin()).body;
  const approved = (await begin()).body;
  assert.equal(late.expires_in, 600);
  await decide(ada, approved.user_code);
  clock.turn(600_000);
  assert.equal((await decide(ada, late.user_code)).status, 404);
  assert.equal((await poll(late.device_code)).body.error, 'expired_token');
  assert.equal((await poll(approved.device_code)).body.error, 'expired_token');
});

test('a person says no, and the device gets nothing', async (context) => {
  const { begin, poll, decide, operatorToken } = await givenOauth(context);
  const ada = await operatorToken();
  const { device_code, user_code } = (await begin()).body;
  assert.equal((await decide(ada, user_code, { deny: true })).status, 204);
  assert.equal((await decide(ada, user_code)).status, 404);
  assert.equal((await poll(device_code)).body.error, 'access_denied');
});

test('a code gives the scopes it was asked for, as far as its person has them', async (context) => {
  const { begin, poll, decide, givenPerson, call } = await givenOauth(context);
  const viewer = await givenPerson('vera', 'viewer');
  const { device_code, user_code } = (await begin({ client_id: 'entrepot-cli', scope: 'events:read events:send' })).body;
  await decide(viewer, user_code);
  const given = (await poll(device_code)).body;
  assert.equal(given.scope, 'events:read');
  assert.deepEqual((await call('GET', '/v1/me', { token: given.access_token })).body.scopes, ['events:read']);
});

test('a program that was given less than its person may do does not help itself to the rest', async (context) => {
  const { begin, poll, decide, signIn, call } = await givenOauth(context);
  const own = (await signIn({ method: 'password', username: 'ada', password: operatorPassword })).body;
  const narrow = (await begin({ client_id: 'entrepot-cli', scope: 'events:read' })).body;
  await decide(own.accessToken, narrow.user_code);
  const token = (await poll(narrow.device_code)).body.access_token;
  const { user_code: userCode, device_code } = (await begin()).body;
  for (const [method, path, body] of [
    ['POST', '/v1/devices/authorizations', { userCode }],
    ['POST', '/v1/devices/pairings', { deviceId: 'phone' }],
    ['PATCH', '/v1/me', { email: 'eve@example.org' }],
    ['POST', '/v1/me/password', { current: operatorPassword, next: 'purple elephants never forget' }],
    ['DELETE', '/v1/me', { password: operatorPassword }],
    ['GET', '/v1/devices', undefined],
  ] as const) {
    const refused = await call(method, path, { token, ...(body === undefined ? {} : { body }) });
    assert.deepEqual([refused.status, refused.body.type, path], [403, '/problems/not-allowed', path]);
  }
  assert.equal((await poll(device_code)).body.error, 'authorization_pending');
  assert.deepEqual((await call('GET', '/v1/me', { token })).body.scopes, ['events:read']);
  const seen = (await call('GET', '/v1/sessions', { token })).body.items;
  assert.deepEqual(
    seen.map(({ isCurrent }: { isCurrent: boolean }) => isCurrent),
    [true],
  );
  assert.equal((await call('DELETE', `/v1/sessions/${own.id}`, { token })).status, 404);
  assert.equal((await call('DELETE', '/v1/sessions/current', { token })).status, 204);
  assert.equal((await call('GET', '/v1/me', { token: own.accessToken })).status, 200);
});

test('ten wrong codes are all that a person may try, from wherever, while others go on', async (context) => {
  const { begin, decide, operatorToken, givenPerson, signIn, clock } = await givenOauth(context);
  const ada = await operatorToken();
  const bob = await givenPerson('bob', 'member');
  const { user_code } = (await begin()).body;
  for (let tries = 0; tries < userCodeLimit.limit; tries += 1) {
    assert.equal((await decide(bob, `BBBB-BBB${tries}`, { from: `198.51.100.${tries}` })).status, 404);
  }
  const refused = await decide(bob, user_code);
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.ok(refused.headers.get('ratelimit'));
  assert.equal((await decide(ada, user_code)).status, 204);
  clock.turn(userCodeLimit.windowMs);
  const later = (await signIn({ method: 'password', username: 'bob', password: operatorPassword })).body.accessToken;
  assert.equal((await decide(later, (await begin()).body.user_code)).status, 204);
});

test('right codes do not count as guesses', async (context) => {
  const { begin, decide, operatorToken } = await givenOauth(context);
  const ada = await operatorToken();
  for (let turn = 0; turn <= userCodeLimit.limit; turn += 1) {
    assert.equal((await decide(ada, (await begin()).body.user_code)).status, 204);
  }
});

test('an address may ask for so many codes, and others go on', async (context) => {
  const { begin } = await givenOauth(context);
  for (let turn = 0; turn < beginLimit.limit; turn += 1) assert.equal((await begin()).status, 200);
  const refused = await begin();
  assert.equal(refused.status, 429);
  assert.equal(refused.body.error, 'slow_down');
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal((await begin(undefined, { from: '198.51.100.7' })).status, 200);
});

test('only people approve', async (context) => {
  const { begin, decide, givenService, call } = await givenOauth(context);
  const { session } = await givenService(['people:manage']);
  const { user_code } = (await begin()).body;
  assert.equal((await decide(session.accessToken, user_code)).status, 403);
  assert.equal((await call('POST', '/v1/devices/authorizations', { body: { userCode: user_code } })).status, 401);
});

test('a code belongs to the client that asked for it', async (context) => {
  const { begin, poll, decide, operatorToken, givenClient } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const ofCli = (await begin()).body;
  const ofClient = (await begin(client.fields)).body;
  const ada = await operatorToken();
  for (const { user_code } of [ofCli, ofClient]) await decide(ada, user_code);
  assert.equal((await poll(ofCli.device_code, client.fields)).body.error, 'invalid_grant');
  assert.equal((await poll(ofClient.device_code)).body.error, 'invalid_grant');
  assert.equal((await poll(ofCli.device_code)).status, 200);
  assert.equal((await poll(ofClient.device_code, client.fields)).status, 200);
});

test('whose tenant was suspended meanwhile gets nothing', async (context) => {
  const { begin, poll, decide, givenPerson, database } = await givenOauth(context);
  const mallory = await givenPerson('mallory', 'admin', 'ten_other');
  const { device_code, user_code } = (await begin()).body;
  await decide(mallory, user_code);
  const { sql, parameters } = database.build.updateTable('tenants').set({ state: 'suspended' }).where('id', '=', 'ten_other').compile();
  await database.write([{ sql, parameters }]);
  assert.equal((await poll(device_code)).body.error, 'access_denied');
});

test('who approved what stands in the trace of the person', async (context) => {
  const { begin, poll, decide, operatorToken, trace, call } = await givenOauth(context);
  const ada = await operatorToken();
  const me = (await call('GET', '/v1/me', { token: ada })).body;
  const yes = (await begin()).body;
  await decide(ada, yes.user_code);
  await decide(ada, (await begin()).body.user_code, { deny: true });
  await poll(yes.device_code);
  const { entries } = await trace.get({ ...me, sessionId: '', scopes: new Set() }, me.id);
  const [approved, denied, opened] = entries.slice(-3);
  assert.deepEqual([approved?.what, approved?.detail], ['approved', { client: 'entrepot-cli' }]);
  assert.deepEqual([denied?.what, denied?.detail], ['refused', { client: 'entrepot-cli', reason: 'the person denied it' }]);
  assert.equal(opened?.what, 'signed-in');
  assert.equal((opened?.detail as { method?: string } | undefined)?.method, 'device_code');
});

test('neither code is stored in plain, and what is stored is no code', async (context) => {
  const { begin, poll, decide, operatorToken, database } = await givenOauth(context);
  const { device_code, user_code } = (await begin()).body;
  const row = await database.read.selectFrom('deviceAuthorizations').selectAll().executeTakeFirstOrThrow();
  for (const code of [device_code, user_code, user_code.replace('-', '')]) assert.ok(!JSON.stringify(row).includes(code));
  assert.equal((await poll(row.deviceCodeHash)).body.error, 'invalid_grant');
  assert.equal((await decide(await operatorToken(), row.userCodeHash)).status, 404);
});
