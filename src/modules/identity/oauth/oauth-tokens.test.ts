import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callsTo, serve } from '../identity.fixture.ts';
import { roles } from '../permissions.ts';
import { basic, givenOauth } from './oauth.fixture.ts';

const cli = { client_id: 'entrepot-cli' };

test('a token that counts is told with all that stands in it', async (context) => {
  const { givenClient, credentials, introspect, baseUrl, identity } = await givenOauth(context);
  const client = await givenClient(['events:send', 'trace:read']);
  const { access_token } = (await credentials(client)).body;
  const { status, body } = await introspect(access_token, {}, basic(client.authId, client.secret));
  assert.equal(status, 200);
  const { exp, iat, jti, ...rest } = body;
  assert.equal(exp - iat, 900);
  assert.equal(typeof jti, 'string');
  assert.deepEqual(rest, {
    active: true,
    scope: 'events:send trace:read',
    client_id: client.authId,
    token_type: 'Bearer',
    sub: client.id,
    aud: 'entrepot',
    iss: baseUrl,
    kind: 'service',
    tid: await identity.defaultTenantId(),
  });
});

test('a refresh token is told apart from an access token, and is over when it was used', async (context) => {
  const { givenClient, credentials, refresh, introspect } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const { refresh_token } = (await credentials(client)).body;
  const told = (await introspect(refresh_token, client.fields)).body;
  assert.equal(told.active, true);
  assert.equal(told.token_type, 'refresh_token');
  assert.equal(told.sub, client.id);
  assert.ok(told.exp > told.iat + 86_400);
  await refresh(refresh_token, client.fields);
  assert.deepEqual((await introspect(refresh_token, client.fields)).body, { active: false });
});

test("whoever may see the callers of a tenant looks into its people's tokens by bearer", async (context) => {
  const { operatorToken, givenPerson, introspect } = await givenOauth(context);
  const ada = await operatorToken();
  const bob = await givenPerson('bob', 'member');
  const told = (await introspect(bob, {}, { token: ada })).body;
  assert.equal(told.username, 'bob');
  assert.equal(told.kind, 'person');
  assert.equal(told.client_id, undefined);
  assert.deepEqual(told.scope.split(' '), [...roles.member]);

  const refused = await introspect(ada, {}, { token: bob });
  assert.equal(refused.status, 403);
  assert.equal(refused.body.error, 'insufficient_scope');
  assert.match(refused.headers.get('www-authenticate') ?? '', /insufficient_scope/);
  const forged = await introspect(ada, {}, { token: `${ada}x` });
  assert.equal(forged.status, 401);
  assert.equal(forged.body.error, 'invalid_token');
  assert.match(forged.headers.get('www-authenticate') ?? '', /^Bearer error="invalid_token"/);
});

test('nobody looks into tokens of another tenant', async (context) => {
  const { operatorToken, givenPerson, givenClient, introspect } = await givenOauth(context);
  const ada = await operatorToken();
  const mallory = await givenPerson('mallory', 'admin', 'ten_other');
  const foreign = await givenClient(['events:send'], mallory);
  assert.deepEqual((await introspect(ada, foreign.fields)).body, { active: false });
  assert.deepEqual((await introspect(ada, {}, { token: mallory })).body, { active: false });
  assert.deepEqual((await introspect(mallory, {}, { token: ada })).body, { active: false });
  assert.equal((await introspect(mallory, foreign.fields)).body.active, true);
});

test('what has no secret looks into no tokens, and neither does nobody', async (context) => {
  const { introspect } = await givenOauth(context);
  for (const fields of [cli, {}]) {
    const refused = await introspect('x', fields);
    assert.equal(refused.status, 401);
    assert.equal(refused.body.error, 'invalid_client');
  }
});

test('a session that was ended in another process is not active any more at once', async (context) => {
  const { another, givenClient, credentials, introspect, revoke, ...needs } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const { access_token, refresh_token } = (await credentials(client)).body;
  const other = callsTo(await serve(context, { ...needs, another }, await another()));
  assert.equal((await other.postForm('/oauth/revoke', { token: access_token, ...client.fields })).status, 200);
  assert.deepEqual((await introspect(access_token, client.fields)).body, { active: false });
  assert.deepEqual((await introspect(refresh_token, client.fields)).body, { active: false });
});

test('an access token is told until it expires, its refresh token until the session does', async (context) => {
  const { givenClient, credentials, introspect, clock } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const { access_token, refresh_token } = (await credentials(client)).body;
  clock.turn(900_000);
  assert.deepEqual((await introspect(access_token, client.fields)).body, { active: false });
  assert.equal((await introspect(refresh_token, client.fields)).body.active, true);
  clock.turn(30 * 86_400_000);
  assert.deepEqual((await introspect(refresh_token, client.fields)).body, { active: false });
});

test('changed scopes are told at once', async (context) => {
  const { givenClient, credentials, introspect, operatorToken, call } = await givenOauth(context);
  const client = await givenClient(['events:send', 'trace:read']);
  const { access_token, refresh_token } = (await credentials(client)).body;
  const narrow = (await credentials(client, { scope: 'events:send' })).body.access_token;
  await call('PATCH', `/v1/services/${client.id}`, { token: await operatorToken(), body: { scopes: ['trace:read'] } });
  assert.equal((await introspect(access_token, client.fields)).body.scope, 'trace:read');
  assert.equal((await introspect(refresh_token, client.fields)).body.scope, 'trace:read');
  assert.equal((await introspect(narrow, client.fields)).body.scope, '');
});

test('what a refresh was narrowed to holds for that access token alone', async (context) => {
  const { givenClient, credentials, refresh, introspect, call } = await givenOauth(context);
  const client = await givenClient(['events:send', 'trace:read']);
  const first = (await credentials(client)).body;
  const narrow = (await refresh(first.refresh_token, { ...client.fields, scope: 'trace:read' })).body;
  assert.equal(narrow.scope, 'trace:read');
  assert.equal((await introspect(narrow.access_token, client.fields)).body.scope, 'trace:read');
  assert.deepEqual((await call('GET', '/v1/me', { token: narrow.access_token })).body.scopes, ['trace:read']);
  const whole = (await refresh(narrow.refresh_token, client.fields)).body;
  assert.equal(whole.scope, 'events:send trace:read');
  const more = await refresh(whole.refresh_token, { ...client.fields, scope: 'operate' });
  assert.equal(more.body.error, 'invalid_scope');
  assert.equal((await refresh(whole.refresh_token, client.fields)).status, 200, 'a refusal used nothing up');
});

test('a session is refreshed only by the client that opened it, and goes on when another one tries', async (context) => {
  const { givenClient, credentials, refresh, call, signIn } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const other = await givenClient(['events:send']);
  const { refresh_token } = (await credentials(client)).body;
  assert.equal((await refresh(refresh_token, other.fields)).body.error, 'invalid_grant');
  assert.equal((await refresh(refresh_token, cli)).body.error, 'invalid_grant');
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: refresh_token } })).status, 401);
  const without = (await signIn({ method: 'secret', authId: client.authId, secret: client.secret })).body;
  assert.equal((await refresh(without.refreshToken, client.fields)).body.error, 'invalid_grant');
  assert.equal((await refresh(refresh_token, client.fields)).status, 200);
});

test('a refresh token used twice ends the session, also when both uses come at once', async (context) => {
  const { givenClient, credentials, refresh, call } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const { refresh_token } = (await credentials(client)).body;
  const answers = await Promise.all(Array.from({ length: 5 }, () => refresh(refresh_token, client.fields)));
  const won = answers.filter(({ status }) => status === 200);
  assert.equal(won.length, 1);
  assert.ok(answers.every(({ status, body }) => status === 200 || body.error === 'invalid_grant'));
  assert.equal((await call('GET', '/v1/me', { token: won[0]?.body.access_token })).status, 401);
  assert.equal((await refresh(won[0]?.body.refresh_token, client.fields)).body.error, 'invalid_grant');
});

test('a client ends its own sessions, by either token, and nobody else does', async (context) => {
  const { givenClient, credentials, revoke, signIn, call } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const other = await givenClient(['events:send']);
  const status = async (token: string) => (await call('GET', '/v1/me', { token })).status;

  for (const kind of ['access_token', 'refresh_token'] as const) {
    const given = (await credentials(client)).body;
    assert.equal((await revoke(given[kind], other.fields)).status, 200);
    assert.equal((await revoke(given[kind], cli)).status, 200);
    assert.equal(await status(given.access_token), 200);
    const done = await revoke(given[kind], client.fields);
    assert.equal(done.status, 200);
    assert.equal(done.text, '');
    assert.equal(await status(given.access_token), 401);
    assert.equal((await revoke(given[kind], client.fields)).status, 200);
  }
  const { accessToken } = (await signIn({ method: 'secret', authId: client.authId, secret: client.secret })).body;
  await revoke(accessToken, client.fields);
  assert.equal(await status(accessToken), 401, 'what the service opened without OAuth is its own as well');
});

test('where a public URL is set it is the issuer of everything, whatever address was used', async (context) => {
  const { another, ...needs } = await givenOauth(context);
  const publicUrl = 'https://a.example/entrepot';
  const { call, postForm } = callsTo(await serve(context, { ...needs, another }, await another({ publicUrl })));
  const client = await needs.givenClient(['events:send']);
  const { access_token } = (await postForm('/oauth/token', { grant_type: 'client_credentials', ...client.fields })).body;
  assert.equal((await postForm('/oauth/introspect', { token: access_token, ...client.fields })).body.iss, publicUrl);
  // RFC 8414 §3: the path of the issuer stands behind the well-known one.
  for (const path of ['/.well-known/oauth-authorization-server', '/.well-known/oauth-authorization-server/entrepot']) {
    const { body } = await call('GET', path);
    assert.equal(body.issuer, publicUrl);
    assert.equal(body.token_endpoint, `${publicUrl}/oauth/token`);
  }
});
