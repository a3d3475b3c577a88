import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameLimit } from '../guessing.ts';
import { basic, givenOauth } from './oauth.fixture.ts';

const grant = { grant_type: 'client_credentials' };

test('a service proves itself by Basic or in the body, and gets what signing in gives', async (context) => {
  const { givenClient, credentials, token, call } = await givenOauth(context);
  const client = await givenClient(['events:send', 'trace:read']);
  for (const answer of [await credentials(client), await token(grant, basic(client.authId, client.secret))]) {
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.body.scope, 'events:send trace:read');
    assert.equal((await call('GET', '/v1/me', { token: answer.body.access_token })).body.id, client.id);
  }
});

test('unknown, wrong, missing and malformed proofs are all the same refusal', async (context) => {
  const { givenClient, token, database } = await givenOauth(context);
  const { authId, secret } = await givenClient(['events:send']);
  const { secretHash } = await database.read.selectFrom('serviceSecrets').select('secretHash').executeTakeFirstOrThrow();
  const answers = [
    await token({ ...grant, client_id: authId, client_secret: 'wrong' }),
    await token({ ...grant, client_id: 'auth_nobody', client_secret: secret }),
    await token({ ...grant, client_id: authId, client_secret: secretHash }),
    await token({ ...grant, client_id: authId }),
    await token({ ...grant, client_secret: secret }),
    await token(grant),
    await token({ ...grant, client_id: authId, client_secret: 'x'.repeat(5_000) }),
    await token({ ...grant, client_id: 'entrepot-cli', client_secret: secret }),
    await token(grant, basic(authId, 'wrong')),
    await token(grant, basic(authId, '')),
    await token(grant, basic(authId, '%zz')),
    await token(grant, basic(authId, '%00')),
    await token(grant, basic('', secret)),
    await token(grant, { headers: { authorization: 'Basic !!!' } }),
    await token(grant, { headers: { authorization: 'Basic' } }),
    await token(grant, { headers: { authorization: `Digest ${secret}` } }),
    await token(grant, { token: secret }),
  ];
  for (const [index, { status, body, headers }] of answers.entries()) {
    assert.equal(status, 401, String(index));
    assert.equal(body.error, 'invalid_client');
    assert.equal(body.error_description, answers[0]?.body.error_description);
    assert.match(headers.get('www-authenticate') ?? '', /^Basic /);
  }
});

test('ten wrong secrets lock the client for that address, also for the right one, and for signing in', async (context) => {
  const { givenClient, credentials, token, introspect, revoke, signIn } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  for (let tries = 0; tries < nameLimit.limit; tries += 1) {
    assert.equal((await token({ ...grant, client_id: client.authId, client_secret: 'wrong' })).status, 401);
  }
  const refused = await credentials(client);
  assert.equal(refused.status, 429);
  assert.equal(refused.body.error, 'slow_down');
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.ok(refused.headers.get('ratelimit'));
  for (const ask of [introspect, revoke]) assert.equal((await ask('x', client.fields)).body.error, 'slow_down');
  assert.equal((await signIn({ method: 'secret', authId: client.authId, secret: client.secret })).status, 429);
  assert.equal((await credentials(client, {}, { from: '198.51.100.7' })).status, 200);
});

test('a secret that was removed gives nothing, and neither does a service that is gone', async (context) => {
  const { givenClient, credentials, refresh, operatorToken, call } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const { refresh_token } = (await credentials(client)).body;
  assert.equal((await call('DELETE', `/v1/services/${client.id}`, { token: await operatorToken() })).status, 204);
  assert.equal((await credentials(client)).body.error, 'invalid_client');
  assert.equal((await refresh(refresh_token, client.fields)).body.error, 'invalid_client');
});

test('the clients of a suspended tenant are refused everywhere', async (context) => {
  const { givenPerson, givenClient, credentials, introspect, database } = await givenOauth(context);
  const client = await givenClient(['events:send'], await givenPerson('mallory', 'admin', 'ten_other'));
  const { access_token } = (await credentials(client)).body;
  const { sql, parameters } = database.build.updateTable('tenants').set({ state: 'suspended' }).where('id', '=', 'ten_other').compile();
  await database.write([{ sql, parameters }]);
  assert.equal((await credentials(client)).body.error, 'invalid_client');
  assert.equal((await introspect(access_token, client.fields)).body.error, 'invalid_client');
});

test('when a secret was last used is noted for whatever it was used', async (context) => {
  const { givenClient, introspect, operatorToken, call } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  const lastUsed = async () =>
    (await call('GET', `/v1/services/${client.id}`, { token: await operatorToken() })).body.secrets[0].lastUsedAt;
  assert.equal(await lastUsed(), null);
  await introspect('x', client.fields);
  assert.ok(await lastUsed());
});

test('how a session was opened and refused stands in the trace of the client', async (context) => {
  const { givenClient, credentials, token, operatorToken, call, trace } = await givenOauth(context);
  const client = await givenClient(['events:send']);
  await token({ ...grant, client_id: client.authId, client_secret: 'wrong' });
  await credentials(client);
  const me = (await call('GET', '/v1/me', { token: await operatorToken() })).body;
  const { entries } = await trace.get({ ...me, sessionId: '', scopes: new Set(['people:manage']) }, client.id);
  assert.deepEqual(
    entries.map(({ what }) => what),
    ['created', 'refused', 'signed-in'],
  );
  assert.equal((entries[2]?.detail as { method?: string } | undefined)?.method, 'client_credentials');
});

test('everything below /oauth/ is refused in the form of the RFCs, whatever is wrong with it', async (context) => {
  const { call, token, postForm } = await givenOauth(context);
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const cases = [
    { answer: await call('GET', '/oauth/token'), status: 405 },
    { answer: await call('POST', '/oauth/nothing'), status: 404 },
    { answer: await call('POST', '/oauth/token', { body: grant }), status: 415 },
    { answer: await call('POST', '/oauth/token', { body: '<a/>', headers: { 'content-type': 'text/xml' } }), status: 415 },
    { answer: await call('POST', '/oauth/token', { body: 'x'.repeat(20_000), headers: form }), status: 413 },
    { answer: await call('POST', '/oauth/token', { body: 'grant_type=a%00b', headers: form }), status: 400 },
    { answer: await call('POST', '/oauth/token?client_secret=x', { body: 'a=b', headers: form }), status: 400 },
    { answer: await call('POST', '/oauth/%ff'), status: 400 },
    { answer: await token({ client_id: 'entrepot-cli' }), status: 400 },
    { answer: await postForm('/oauth/revoke', { client_id: 'entrepot-cli' }), status: 400 },
  ];
  for (const [index, { answer, status }] of cases.entries()) {
    assert.equal(answer.status, status, String(index));
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
    assert.deepEqual(Object.keys(answer.body), ['error', 'error_description']);
    assert.equal(answer.body.error, 'invalid_request');
    assert.match(answer.body.error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
  }
  assert.equal(cases[0]?.answer.headers.get('allow'), 'POST');
});
