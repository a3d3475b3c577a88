import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceGrant } from '../oauth/oauth.fixture.ts';
import { createKeptLog, givenPeople, password, soon } from './people.fixture.ts';

const email = 'grace@example.org';
const next = 'purple elephants never forget';

test('a person changes its name and address, and null takes them away', async (context) => {
  const { call, givenPerson, traceOf } = await givenPeople(context);
  const { id, token } = await givenPerson('grace', { email, displayName: 'Grace' });
  const change = (body: unknown, headers = {}) => call('PATCH', '/v1/me', { token, body, headers });
  const changed = await change({ displayName: 'Grace Hopper' }, { 'content-type': 'application/merge-patch+json' });
  assert.deepEqual([changed.status, changed.body.displayName, changed.body.email], [200, 'Grace Hopper', email]);
  assert.deepEqual(changed.body, (await call('GET', '/v1/me', { token })).body);
  assert.equal((await change({})).body.displayName, 'Grace Hopper');
  const removed = (await change({ displayName: null, email: null })).body;
  assert.deepEqual([removed.displayName, removed.email], [undefined, undefined]);
  const entry = (await traceOf(id)).findLast(({ what }) => what === 'changed');
  assert.equal(entry?.detailJson, '{"fields":["displayName","email"]}');
});

test('what a person may not change about itself, or not to that, is refused', async (context) => {
  const { call, givenPerson } = await givenPeople(context);
  const { token } = await givenPerson('grace');
  for (const [body, at] of [
    [{ role: 'admin' }, '/role'],
    [{ username: 'hopper' }, '/username'],
    [{ tenantId: 'ten_1' }, '/tenantId'],
    [{ email: 'grace@example.org\r\nBcc: eve@example.org' }, '/email'],
    [{ displayName: 'G\0' }, '/displayName'],
  ] as const) {
    const { status, body: problem } = await call('PATCH', '/v1/me', { token, body });
    assert.deepEqual([status, problem.errors[0].at], [400, at]);
  }
});

test('services do not have what only people have', async (context) => {
  const { call, givenService } = await givenPeople(context);
  const { session } = await givenService([]);
  for (const [method, path, body] of [
    ['PATCH', '/v1/me', {}],
    ['DELETE', '/v1/me', { password }],
    ['POST', '/v1/me/password', { current: password, next }],
  ] as const) {
    assert.equal((await call(method, path, { token: session.accessToken, body })).status, 403);
    assert.equal((await call(method, path, { body })).status, 401);
  }
});

test('a changed password ends all other sessions at once, and the old one is over', async (context) => {
  const { call, signIn, givenPerson, traceOf } = await givenPeople(context);
  const { id, token } = await givenPerson('grace');
  const other = (await signIn({ method: 'password', username: 'grace', password })).body;
  const changed = await call('POST', '/v1/me/password', { token, body: { current: password, next } });
  assert.equal(changed.status, 204);
  assert.equal((await call('GET', '/v1/me', { token })).status, 200);
  assert.equal((await call('GET', '/v1/me', { token: other.accessToken })).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: other.refreshToken } })).status, 401);
  assert.equal((await signIn({ method: 'password', username: 'grace', password })).status, 401);
  assert.equal((await signIn({ method: 'password', username: 'grace', password: next })).status, 201);
  assert.ok((await traceOf(id)).some(({ what }) => what === 'password-changed'));
});

test('a changed password ends the sessions of the person’s devices', async (context) => {
  const { call, givenPerson, database, clock } = await givenPeople(context);
  const { id, token } = await givenPerson('grace');
  const session = await database.read.selectFrom('sessions').selectAll().where('callerId', '=', id).executeTakeFirstOrThrow();
  const ofDevice = { ...session, id: 'ses_device', callerId: 'dev_1', callerKind: 'device' as const, personId: id, createdAt: clock.now() };
  await database.write([database.build.insertInto('sessions').values(ofDevice).compile()]);
  await call('POST', '/v1/me/password', { token, body: { current: password, next } });
  const row = await database.read.selectFrom('sessions').select('revokedAt').where('id', '=', 'ses_device').executeTakeFirstOrThrow();
  assert.notEqual(row.revokedAt, null);
});

test('a new password, from whomever it comes, makes PINs and approved codes that wait worthless', async (context) => {
  const { call, postForm, signIn, givenPerson, operatorToken, mailedToken } = await givenPeople(context);
  const { id } = await givenPerson('grace', { email });
  const operator = await operatorToken();
  const reset = async () => {
    await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
    return call('POST', '/v1/password-resets/complete', { body: { token: await mailedToken(email), password } });
  };
  const ways: [string, (token: string) => ReturnType<typeof call>][] = [
    [password, (token) => call('POST', '/v1/me/password', { token, body: { current: password, next } })],
    [next, reset],
    [password, () => call('PATCH', `/v1/tenant/people/${id}`, { token: operator, body: { password: next } })],
  ];
  for (const [current, change] of ways) {
    const token = (await signIn({ method: 'password', username: 'grace', password: current })).body.accessToken;
    const { pin } = (await call('POST', '/v1/devices/pairings', { token, body: { deviceId: 'phone' } })).body;
    const codes = (await postForm('/oauth/device_authorization', { client_id: 'entrepot-cli' })).body;
    assert.equal((await call('POST', '/v1/devices/authorizations', { token, body: { userCode: codes.user_code } })).status, 204);
    const changed = await change(token);
    assert.ok(changed.status < 300, changed.text);
    assert.equal((await signIn({ method: 'pin', deviceId: 'phone', pin })).status, 401);
    const fields = { client_id: 'entrepot-cli', grant_type: deviceGrant, device_code: codes.device_code };
    assert.equal((await postForm('/oauth/token', fields)).body.error, 'invalid_grant');
  }
});

test('a new password has to be one that somebody may have', async (context) => {
  const { call, givenPerson } = await givenPeople(context);
  const { token } = await givenPerson('grace');
  for (const wanted of ['short', 'password123', 'x'.repeat(1024 * 1024), 'correct\0horse battery']) {
    const { status, body } = await call('POST', '/v1/me/password', { token, body: { current: password, next: wanted } });
    assert.deepEqual([status, body.errors[0].at], [400, '/next']);
  }
});

test('of many changes of a password at once exactly one wins', async (context) => {
  const { call, givenPerson } = await givenPeople(context);
  const { token } = await givenPerson('grace');
  const answers = await Promise.all(
    Array.from({ length: 5 }, (_, index) =>
      call('POST', '/v1/me/password', { token, body: { current: password, next: `${next} ${index}` } }),
    ),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 403, 403, 403, 403]);
});

test('guessing the password with a stolen session is limited, from however many addresses, and the session goes on', async (context) => {
  const { call, givenPerson } = await givenPeople(context);
  const { token } = await givenPerson('grace');
  const other = await givenPerson('hopper');
  const change = (who: string, current: string, from: string) =>
    call('POST', '/v1/me/password', { token: who, from, body: { current, next } });
  for (let tries = 0; tries < 5; tries += 1) {
    const wrong = await change(token, 'wrong wrong wrong', `192.0.2.${tries}`);
    assert.deepEqual([wrong.status, wrong.body.type], [403, '/problems/wrong-password']);
    const deletion = await call('DELETE', '/v1/me', { token, from: `198.51.100.${tries}`, body: { password: 'wrong wrong wrong' } });
    assert.deepEqual([deletion.status, deletion.body.type], [403, '/problems/wrong-password']);
  }
  const held = await change(token, password, '203.0.113.1');
  assert.deepEqual([held.status, held.body.type], [429, '/problems/too-many']);
  assert.ok(Number(held.headers.get('retry-after')) > 0);
  assert.equal((await call('DELETE', '/v1/me', { token, body: { password } })).status, 429);
  assert.equal((await call('GET', '/v1/me', { token })).status, 200);
  assert.equal((await change(other.token, password, '192.0.2.1')).status, 204);
});

test('whoever forgot its password gets a mail, sets another, and all sessions end', async (context) => {
  const { call, signIn, givenPerson, mailedToken, traceOf } = await givenPeople(context);
  const { id, token } = await givenPerson('grace', { email });
  const asked = await call('POST', '/v1/password-resets', { body: { username: 'GRACE' } });
  assert.deepEqual([asked.status, asked.text], [202, '']);
  const complete = (resetToken: string, wanted = next) =>
    call('POST', '/v1/password-resets/complete', { body: { token: resetToken, password: wanted } });
  const mailed = await mailedToken(email);
  const weak = await complete(mailed, 'password123');
  assert.deepEqual([weak.status, weak.body.errors[0].at], [400, '/password']);
  assert.equal((await complete(mailed)).status, 204);
  assert.equal((await call('GET', '/v1/me', { token })).status, 401);
  assert.equal((await signIn({ method: 'password', username: 'grace', password: next })).status, 201);
  const again = await complete(mailed);
  assert.deepEqual([again.status, again.body.type], [400, '/problems/bad-mail-token']);
  assert.ok((await traceOf(id)).some(({ what, detailJson }) => what === 'password-changed' && detailJson === '{"how":"mail"}'));
});

test('of the mails for one account the newest counts, for an hour, and none after the password was changed', async (context) => {
  const { call, givenPerson, mailedToken, clock } = await givenPeople(context);
  const { token } = await givenPerson('grace', { email });
  const ask = () => call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  const complete = async (resetToken: string) =>
    (await call('POST', '/v1/password-resets/complete', { body: { token: resetToken, password: next } })).status;
  await ask();
  const first = await mailedToken(email, 1);
  await ask();
  const second = await mailedToken(email, 2);
  assert.equal(await complete(first), 400);
  await call('POST', '/v1/me/password', { token, body: { current: password, next } });
  assert.equal(await complete(second), 400);
  await ask();
  const third = await mailedToken(email, 3);
  clock.turn(3_600_001);
  assert.equal(await complete(third), 400);
});

test('a mail to an address that was replaced resets nothing', async (context) => {
  const { call, givenPerson, mailedToken } = await givenPeople(context);
  const { token } = await givenPerson('grace', { email });
  await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  const mailed = await mailedToken(email);
  await call('PATCH', '/v1/me', { token, body: { email: 'new@example.org' } });
  assert.equal((await call('POST', '/v1/password-resets/complete', { body: { token: mailed, password: next } })).status, 400);
});

test('nor does one to an address that was replaced by a confirmed one', async (context) => {
  const { call, givenPerson, mailedToken, changeTenant } = await givenPeople(context);
  const { token } = await givenPerson('grace', { email });
  await changeTenant({ confirmEmail: 1 });
  await call('PATCH', '/v1/me', { token, body: { email: 'new@example.org' } });
  const confirmation = await mailedToken('new@example.org');
  await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  const mailed = await mailedToken(email);
  assert.equal((await call('POST', '/v1/people/confirm', { body: { token: confirmation } })).status, 204);
  assert.equal((await call('POST', '/v1/password-resets/complete', { body: { token: mailed, password: next } })).status, 400);
});

test('asking for a reset tells nobody whether there is such an account', async (context) => {
  const { call, givenPerson, mails, mailedToken } = await givenPeople(context);
  await givenPerson('grace', { email });
  await givenPerson('hopper');
  const ask = async (username: string) => {
    const { status, text, headers } = await call('POST', '/v1/password-resets', { body: { username }, from: `192.0.2.${username.length}` });
    return { status, text, names: [...headers.keys()].sort(), limit: headers.get('ratelimit-policy') };
  };
  const known = await ask('grace');
  assert.equal(known.status, 202);
  for (const username of ['nobody', 'hopper', 'not a name', 'nul\0nul']) assert.deepEqual(await ask(username), known, username);
  await mailedToken(email);
  assert.equal(mails.length, 1);
});

test('nobody is flooded with mails: three an hour for a name, silently, and a limit for each address', async (context) => {
  const { call, givenPerson, mails, mailedToken } = await givenPeople(context);
  await givenPerson('grace', { email });
  for (let asked = 0; asked < 6; asked += 1) {
    assert.equal((await call('POST', '/v1/password-resets', { body: { username: 'grace' }, from: `192.0.2.${asked}` })).status, 202);
  }
  await mailedToken(email, 3);
  for (let asked = 0; asked < 20; asked += 1) {
    assert.equal((await call('POST', '/v1/password-resets', { body: { username: `nobody-${asked}` }, from: '198.51.100.1' })).status, 202);
  }
  const over = await call('POST', '/v1/password-resets', { body: { username: 'grace' }, from: '198.51.100.1' });
  assert.deepEqual([over.status, over.body.type], [429, '/problems/too-many']);
  assert.equal(mails.length, 3);
});

test('the page of the mail takes a new password, and shows why not', async (context) => {
  const { baseUrl, call, signIn, givenPerson, mailedToken } = await givenPeople(context, { publicUrl: 'https://entrepot.example' });
  await givenPerson('grace', { email });
  await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  const token = await mailedToken(email);
  assert.ok((await call('GET', `/reset?token=${token}`)).text.includes(`value="${token}"`));
  const send = async (fields: Record<string, string>) => {
    const answer = await fetch(`${baseUrl}/reset`, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' });
    return { status: answer.status, text: await answer.text() };
  };
  for (const [fields, why] of [
    [{ token, password: 'short' }, /10 to 256/],
    [{ token, password: 'password123' }, /many people use/],
    [{ token: 'wrong', password: next }, /expired/],
    [{}, /expired/],
  ] as const) {
    const { status, text } = await send(fields);
    assert.deepEqual([status, why.test(text)], [400, true], text);
  }
  assert.equal((await send({ token, password: next })).status, 200);
  assert.equal((await signIn({ method: 'password', username: 'grace', password: next })).status, 201);
});

test('no password and no token stands in the log, in the trace or in the database', async (context) => {
  const log = createKeptLog();
  const { call, signIn, givenPerson, mailedToken, database } = await givenPeople(context, { log });
  const { token } = await givenPerson('grace', { email });
  await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  const mailed = await mailedToken(email);
  await signIn({ method: 'password', username: 'grace', password: 'wrong wrong wrong' });
  await call('POST', '/v1/me/password', { token, body: { current: 'wrong wrong wrong', next } });
  await call('POST', '/v1/password-resets/complete', { body: { token: mailed, password: next } });
  await soon(() => (log.lines.some((line) => line.includes('mail.sent')) ? true : undefined));
  const kept = [...log.lines];
  for (const table of ['people', 'sessions', 'refreshTokens', 'mailTokens', 'mails', 'traceEntries', 'idempotencyKeys'] as const) {
    kept.push(JSON.stringify(await database.read.selectFrom(table).selectAll().execute()));
  }
  for (const secret of [password, next, 'wrong wrong wrong', mailed, token]) assert.ok(!kept.join('\n').includes(secret), secret);
});
