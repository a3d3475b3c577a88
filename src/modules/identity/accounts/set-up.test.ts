import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Secret } from '../../../foundation/secret.ts';
import { callsTo, givenNeeds, serve } from '../identity.fixture.ts';

const given = async (context: TestContext) => {
  const needs = await givenNeeds(context);
  const identity = await needs.another();
  const { setUpToken } = await identity.ensureFirstOperator();
  assert.ok(setUpToken);
  return { needs, identity, token: setUpToken, ...callsTo(await serve(context, needs, identity)) };
};

const wanted = { username: 'Ada', password: 'correct horse battery' };

test('the one-time token makes the first operator, who then signs in', async (context) => {
  const { call, signIn, token, identity } = await given(context);
  const made = await call('POST', '/v1/setup', { body: { token, ...wanted } });
  assert.equal(made.status, 201);
  assert.equal(made.body.username, 'Ada');
  const session = await signIn({ method: 'password', ...wanted });
  const me = (await call('GET', '/v1/me', { token: session.body.accessToken })).body;
  assert.equal(me.id, made.body.id);
  assert.equal(me.role, 'operator');
  assert.equal(me.tenantId, await identity.defaultTenantId());
});

test('once there is an operator the token and every later one is over', async (context) => {
  const { call, token, identity } = await given(context);
  await call('POST', '/v1/setup', { body: { token, ...wanted } });
  const again = await call('POST', '/v1/setup', { body: { token, username: 'eve', password: wanted.password } });
  assert.equal(again.status, 409);
  assert.equal(again.body.type, '/problems/already-set-up');
  assert.deepEqual(await identity.ensureFirstOperator(), {});
  assert.deepEqual(await identity.ensureFirstOperator({ name: 'eve', password: new Secret('another password') }), {});
});

test('of many who use the token at once exactly one becomes operator', async (context) => {
  const { call, token, needs } = await given(context);
  const answers = await Promise.all(
    Array.from({ length: 5 }, (_, index) => call('POST', '/v1/setup', { body: { token, ...wanted, username: `ada-${index}` } })),
  );
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409, 409, 409]);
  assert.equal((await needs.database.read.selectFrom('people').select('id').execute()).length, 1);
});

test('a wrong token makes nobody, and guessing it is limited', async (context) => {
  const { call, token } = await given(context);
  for (let tries = 0; tries < 10; tries += 1) {
    assert.equal((await call('POST', '/v1/setup', { body: { token: 'wrong', ...wanted } })).status, 401);
  }
  assert.equal((await call('POST', '/v1/setup', { body: { token, ...wanted } })).status, 429);
});

test('a later start replaces a token that was not used', async (context) => {
  const { call, token, identity } = await given(context);
  const { setUpToken } = await identity.ensureFirstOperator();
  assert.notEqual(setUpToken, token);
  assert.equal((await call('POST', '/v1/setup', { body: { token, ...wanted } })).status, 401);
  assert.equal((await call('POST', '/v1/setup', { body: { token: setUpToken, ...wanted } })).status, 201);
});

test('the token is not stored in plain, and its hash is not a token', async (context) => {
  const { call, token, needs } = await given(context);
  const [row] = await needs.database.read.selectFrom('setUpTokens').selectAll().execute();
  assert.ok(row && row.tokenHash !== token);
  assert.equal((await call('POST', '/v1/setup', { body: { token: row.tokenHash, ...wanted } })).status, 401);
});

test('names and passwords that nobody may have are refused, and the token stays good', async (context) => {
  const { call, token } = await given(context);
  for (const [change, at] of [
    [{ username: 'ab' }, '/username'],
    [{ username: 'a b c' }, '/username'],
    [{ username: 'ad\u0430' }, '/username'],
    [{ username: '.ada' }, '/username'],
    [{ password: 'short' }, '/password'],
    [{ password: 'x'.repeat(257) }, '/password'],
  ] as const) {
    const { status, body } = await call('POST', '/v1/setup', { body: { token, ...wanted, ...change } });
    assert.equal(status, 400, JSON.stringify(change));
    assert.equal(body.errors[0].at, at);
  }
  assert.equal((await call('POST', '/v1/setup', { body: { token, ...wanted } })).status, 201);
});

test('the page takes the form without any script, shows what is wrong, and says when it is done', async (context) => {
  const { call, baseUrl, token, signIn } = await given(context);
  const page = await call('GET', `/setup?token=${token}`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /form-action 'self'/);
  assert.ok(!page.text.includes('<script'));
  assert.ok(page.text.includes(`value="${token}"`));

  const send = async (fields: Record<string, string>) => {
    const answer = await fetch(`${baseUrl}/setup`, { method: 'POST', body: new URLSearchParams(fields) });
    return { status: answer.status, text: await answer.text() };
  };
  const short = await send({ token, username: '"><b>', password: 'short' });
  assert.equal(short.status, 400);
  assert.match(short.text, /role="alert"/);
  assert.ok(!short.text.includes('"><b>'));
  assert.equal((await send({ token: 'wrong', ...wanted })).status, 401);
  const done = await send({ token, ...wanted });
  assert.equal(done.status, 201);
  assert.match(done.text, /is set up/);
  assert.equal((await signIn({ method: 'password', ...wanted })).status, 201);
  assert.match((await call('GET', `/setup?token=${token}`)).text, /already/);
  assert.equal((await send({ token, ...wanted })).status, 409);
});

test('the operator of the settings is made once, and only where there is none', async (context) => {
  const needs = await givenNeeds(context);
  const identity = await needs.another();
  const password = new Secret(wanted.password);
  assert.deepEqual(await identity.ensureFirstOperator({ name: 'ada', password }), {});
  assert.deepEqual(await identity.ensureFirstOperator({ name: 'bob', password }), {});
  const people = await needs.database.read.selectFrom('people').select(['username', 'role']).execute();
  assert.deepEqual(people, [{ username: 'ada', role: 'operator' }]);
});

test('an operator of the settings with a bad name or a short password stops the start', async (context) => {
  const identity = await (await givenNeeds(context)).another();
  await assert.rejects(identity.ensureFirstOperator({ name: 'ada', password: new Secret('short') }), /password/);
  await assert.rejects(identity.ensureFirstOperator({ name: 'a b', password: new Secret(wanted.password) }), /user name/);
});
