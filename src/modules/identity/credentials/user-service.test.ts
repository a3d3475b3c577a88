import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Unavailable } from '../../../foundation/problem.ts';
import { givenServer } from '../identity.fixture.ts';
import { startIssuer } from './issuer.fixture.ts';

const sendJson = (response: ServerResponse, value: unknown, status = 200) =>
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value));

/** A real user service; `answer` is what it does with each request. */
const startUserService = async (context: TestContext, answer: RequestListener) => {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/check`, asked };
};

const given = async (context: TestContext, answer: RequestListener) => {
  const service = await startUserService(context, answer);
  const server = await givenServer(context, { userService: service.url });
  const me = (token: string) => server.call('GET', '/v1/me', { token });
  return { ...server, ...service, me };
};

/** A JWT that nobody here could check. */
const jwtOf = (claims: object) =>
  `${Buffer.from('{"alg":"RS256"}').toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;

const memberScopes = ['files:read', 'events:read', 'records:read', 'trace:read', 'files:write', 'events:send', 'records:write'];

test('who the user service vouches for is let in under the id that it has there, with the scopes that it is given', async (context) => {
  const { me, asked, identity } = await given(context, (_request, response) =>
    sendJson(response, { userId: 'user-17', scopes: ['records:write', 'records:read', 'no:such-scope'], more: 1 }),
  );
  const { status, body } = await me('opaque-token');
  assert.equal(status, 200);
  const scopes = ['records:write', 'records:read'];
  assert.deepEqual(body, { id: 'user-17', kind: 'person', tenantId: await identity.defaultTenantId(), scopes });
  const [request] = asked;
  assert.deepEqual([request?.method, request?.url, request?.headers.authorization], ['GET', '/check', 'Bearer opaque-token']);
});

test('an answer without a body is enough: the person is the subject of the token, a member of the tenant default', async (context) => {
  const { me } = await given(context, (_request, response) => response.writeHead(204).end());
  const { status, body } = await me(jwtOf({ sub: 'user-17' }));
  assert.deepEqual([status, body.id, body.scopes], [200, 'user-17', memberScopes]);
  assert.equal((await me('opaque-token')).status, 401, 'a token without a subject names nobody');
  assert.equal((await me(jwtOf({ sub: 17 }))).status, 401);
});

test('a 200 that says nothing in JSON is as good as a 204', async (context) => {
  const { me } = await given(context, (_request, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('OK'));
  assert.equal((await me(jwtOf({ sub: 'user-17' }))).body.id, 'user-17');
});

test('scopes may come as one text, ids as numbers, and the tenant by its slug', async (context) => {
  const { me, database } = await given(context, (_request, response) =>
    sendJson(response, { userId: 17, scopes: 'events:send nothing trace:read', tenant: 'shop' }),
  );
  await database.transaction(async ({ query }) => {
    const row = await query.selectFrom('tenants').selectAll().executeTakeFirstOrThrow();
    await query
      .insertInto('tenants')
      .values({ ...row, id: 'ten_shop', slug: 'shop' })
      .execute();
  });
  const { body } = await me('opaque-token');
  assert.deepEqual([body.id, body.tenantId, body.scopes], ['17', 'ten_shop', ['events:send', 'trace:read']]);
});

test('its 401 and 403 are passed through with the same code', async (context) => {
  let status = 401;
  const { me } = await given(context, (_request, response) => sendJson(response, { secret: 'detail' }, status));
  const unknown = await me('opaque-token');
  assert.deepEqual([unknown.status, unknown.body.type], [401, '/problems/bad-token']);
  status = 403;
  const refused = await me('opaque-token');
  assert.deepEqual([refused.status, refused.body.type], [403, '/problems/not-allowed']);
  assert.doesNotMatch(unknown.text + refused.text, /detail":"secret|"secret"/);
});

test('whatever else it answers is 503 with Retry-After: errors, redirects, garbage, too much, nothing', async (context) => {
  const answers: Record<string, RequestListener> = {
    'an error': (_request, response) => response.writeHead(500).end(),
    'no such page': (_request, response) => response.writeHead(404).end(),
    'another success': (_request, response) => sendJson(response, { userId: 'user-17' }, 201),
    'a redirect': (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end(),
    'broken JSON': (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{"userId":'),
    'a list': (_request, response) => sendJson(response, ['user-17']),
    'an id that is none': (_request, response) => sendJson(response, { userId: { id: 1 } }),
    'scopes that are none': (_request, response) => sendJson(response, { userId: 'user-17', scopes: 7 }),
    'a tenant that is not here': (_request, response) => sendJson(response, { userId: 'user-17', tenant: 'nowhere' }),
    'more than 64 KiB': (_request, response) => sendJson(response, { userId: 'user-17', padding: 'x'.repeat(70_000) }),
    'a broken connection': (request) => request.socket.destroy(),
    'half an answer': (request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{"userId":"user-17"');
      setTimeout(() => request.socket.destroy(), 20);
    },
  };
  let now: RequestListener = () => {};
  const { me, asked } = await given(context, (request, response) => now(request, response));
  for (const [name, answer] of Object.entries(answers)) {
    now = answer;
    const before = asked.length;
    const { status, body, headers } = await me(jwtOf({ sub: 'user-17' }));
    assert.deepEqual([status, body.type], [503, '/problems/unavailable'], name);
    assert.ok(Number(headers.get('retry-after')) > 0, name);
    assert.equal(asked.length, before + 1, `${name}: asked once, no redirect is followed`);
  }
});

test('a user service that is away, or takes longer than two seconds, is 503 and keeps nobody waiting', async (context) => {
  const { me } = await given(context, () => {});
  const startedAt = performance.now();
  assert.equal((await me('opaque-token')).status, 503);
  assert.ok(performance.now() - startedAt < 10_000);
  const nobody = await givenServer(context, { userService: 'http://127.0.0.1:1/check' });
  assert.equal((await nobody.call('GET', '/v1/me', { token: 'opaque-token' })).status, 503);
});

test('ids that look like ours, or could not be written down, are refused', async (context) => {
  let userId = '';
  const { me } = await given(context, (_request, response) => sendJson(response, { userId }));
  for (const id of ['', 'per_01k8t3w0e5f6g7h8j9kamn0pqr', 'svc_1', 'dev_1', 'a\u0000b', 'a\nb', '\ud800', 'x'.repeat(129)]) {
    userId = id;
    const { status, body } = await me(`token-${encodeURIComponent(id.toWellFormed()).replaceAll('%', '-')}`);
    assert.deepEqual([status, body.type], [401, '/problems/bad-token'], JSON.stringify(id));
  }
  userId = `user ${'x'.repeat(123)}`;
  assert.equal((await me('last')).body.id, userId);
});

test('a good answer counts for ten seconds, a bad one not at all; requests with one token share one call', async (context) => {
  let status = 200;
  const { me, asked, clock } = await given(context, (_request, response) => {
    setTimeout(() => sendJson(response, { userId: 'user-17' }, status), 20);
  });
  const answers = await Promise.all(Array.from({ length: 10 }, () => me('token-1')));
  assert.ok(answers.every((answer) => answer.status === 200));
  assert.equal(asked.length, 1);
  status = 401;
  assert.equal((await me('token-1')).status, 200);
  assert.equal(asked.length, 1);
  clock.turn(10_000);
  assert.equal((await me('token-1')).status, 401);
  assert.equal((await me('token-1')).status, 401);
  assert.equal(asked.length, 3);
  status = 200;
  assert.equal((await me('token-1')).status, 200);
});

test('people of a suspended tenant are refused, also while the good answer still counts', async (context) => {
  const { me, database, another } = await given(context, (_request, response) => sendJson(response, { userId: 'user-17' }));
  assert.equal((await me('opaque-token')).status, 200);
  await database.transaction(async ({ query }) => {
    await query.updateTable('tenants').set({ state: 'suspended' }).execute();
  });
  const other = await another();
  await assert.rejects(other.authenticate('Bearer opaque-token', '127.0.0.1'), { kind: 'tenant-suspended' });
});

test('tokens of ours, good or forged, and those of trusted issuers are never shown to the user service', async (context) => {
  const service = await startUserService(context, (_request, response) => sendJson(response, { userId: 'user-17' }));
  const issuer = await startIssuer(context);
  const trustedIssuers = [{ issuer: issuer.issuer, audience: 'entrepot' }];
  const { call, operatorToken } = await givenServer(context, { userService: service.url, trustedIssuers });
  const own = await operatorToken();
  const [header = '', payload = ''] = own.split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const statusOf = async (token: string) => (await call('GET', '/v1/me', { token })).status;
  assert.equal(await statusOf(own), 200);
  assert.equal(await statusOf(await issuer.token()), 200);
  for (const forged of [`${header}.${payload}.AAAA`, `${none}.${payload}.`, `${header}.e30.AAAA`, await issuer.token({ aud: 'x' })])
    assert.equal(await statusOf(forged), 401);
  for (const garbage of ['é', 'a b', '{}', '"']) assert.equal(await statusOf(garbage), 401);
  assert.equal(service.asked.length, 0);
});

test('who has no account here has neither sessions nor devices: none is listed, none can be ended, no PIN is made', async (context) => {
  const { call, asked } = await given(context, (_request, response) => sendJson(response, { userId: 'user-17' }));
  const token = 'opaque-token';
  assert.deepEqual((await call('GET', '/v1/sessions', { token })).body, { items: [] });
  assert.equal((await call('DELETE', '/v1/sessions/current', { token })).status, 404);
  const pairing = await call('POST', '/v1/devices/pairings', { token, body: { deviceId: 'phone' } });
  assert.deepEqual([pairing.status, pairing.body.type], [403, '/problems/not-allowed']);
  assert.equal(asked.length, 1);
});

test('made-up tokens without end do not make calls without end: what is too much is refused at once', async (context) => {
  const { identity, asked } = await given(context, () => {});
  const tries = Array.from({ length: 300 }, (_, index) => identity.authenticate(`Bearer made-up-${index}`, '192.0.2.1'));
  const outcomes = await Promise.allSettled(tries);
  assert.ok(outcomes.every((outcome) => outcome.status === 'rejected' && outcome.reason instanceof Unavailable));
  assert.ok(asked.length <= 256, `${asked.length} calls`);
});
