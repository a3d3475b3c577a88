import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { nameLimit } from '../guessing.ts';
import { operatorPassword } from '../identity.fixture.ts';
import { givenOauth } from './oauth.fixture.ts';

const given = async (context: TestContext) => {
  const server = await givenOauth(context);
  const { device_code, user_code } = (await server.begin()).body;
  const send = (fields: Readonly<Record<string, string>>) =>
    server.postForm('/device', { user_code, username: 'ada', password: operatorPassword, decision: 'approve', ...fields });
  return { ...server, deviceCode: String(device_code), userCode: String(user_code), send };
};

test('the page shows the code that the address brings, runs no script and cannot be framed', async (context) => {
  const { call, userCode } = await given(context);
  const page = await call('GET', `/device?user_code=${userCode}`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  const policy = page.headers.get('content-security-policy') ?? '';
  for (const part of ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"]) assert.ok(policy.includes(part), part);
  assert.ok(!page.text.includes('<script'));
  assert.ok(page.text.includes(`value="${userCode}"`));
  assert.equal((await call('GET', '/device')).status, 200);
});

test('what the address brings is shown as text, and leads nowhere else', async (context) => {
  const { call } = await given(context);
  const page = await call('GET', `/device?user_code=${encodeURIComponent('"><script>alert(1)</script>')}`);
  assert.equal(page.status, 200);
  assert.ok(!page.text.includes('<script'));
  assert.equal((await call('GET', '/device?redirect_uri=https://evil.example')).status, 400);
});

test('a person lets a device in by name and password', async (context) => {
  const { send, poll, deviceCode, call } = await given(context);
  const done = await send({});
  assert.equal(done.status, 200);
  assert.match(done.text, /let in/);
  assert.equal(done.headers.get('location'), null);
  const { access_token } = (await poll(deviceCode)).body;
  assert.equal((await call('GET', '/v1/me', { token: access_token })).body.username, 'ada');
  assert.equal((await send({})).status, 404, 'a code is decided once');
});

test('a person keeps a device out', async (context) => {
  const { send, poll, deviceCode } = await given(context);
  assert.match((await send({ decision: 'deny' })).text, /kept out/);
  assert.equal((await poll(deviceCode)).body.error, 'access_denied');
});

test('nothing is approved without the right password, whatever the code, and the form comes back with the reason', async (context) => {
  const { send, poll, deviceCode, userCode } = await given(context);
  const wrong = await send({ password: 'wrong' });
  assert.equal(wrong.status, 401);
  assert.match(wrong.text, /role="alert"/);
  assert.ok(wrong.text.includes(`value="${userCode}"`));
  assert.ok(!wrong.text.includes('wrong"'), 'the password is not sent back');
  assert.equal((await send({ password: 'wrong', user_code: 'BBBB-BBBB' })).status, 401, 'the same whether the code is right');
  assert.equal((await send({ user_code: 'BBBB-BBBB' })).status, 404);
  assert.equal((await send({ user_code: '' })).status, 400);
  assert.equal((await send({ password: 'x'.repeat(300) })).status, 400);
  assert.equal((await send({ decision: '' })).status, 400);
  assert.equal((await poll(deviceCode)).body.error, 'authorization_pending');
});

test('guessing a password here counts as guessing it anywhere', async (context) => {
  const { send, signIn } = await given(context);
  for (let tries = 0; tries < nameLimit.limit; tries += 1) assert.equal((await send({ password: 'wrong' })).status, 401);
  const refused = await send({});
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal((await signIn({ method: 'password', username: 'ada', password: operatorPassword })).status, 429);
});
