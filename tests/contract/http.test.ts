import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startSampleServer } from '../../src/http/sample-server.ts';
import { type Answer, type CallOptions, call, givenOperator, givenService, type Json } from '../support/given.ts';
import { openConnection } from '../support/raw-http.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

/** An operation of the API document, with its path as a client may call it. */
interface Route {
  readonly method: string;
  readonly path: string;
  readonly name: string;
  readonly operation: Json;
  readonly isPublic: boolean;
}

const strangeMethods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
/** A body that each route takes as far as its form goes. */
const bodies: Readonly<Record<string, unknown>> = {
  'POST /v1/sessions': { method: 'secret', authId: 'x', secret: 'x' },
  'POST /v1/sessions/refresh': { refreshToken: 'x' },
  'POST /v1/deliveries/replay': { filter: { target: 'tgt_nowhere' } },
};

/** The store says one of the keys of the settings there, and is no caller. */
const hookPath = '/v1/hooks/object-created';
const hookKey = 'the-key-of-the-store';
/** A page for people, which says in words what is not there. */
const sharePage = '/s/';
/** Whether there is anything at a signed address is told only to who has the signature. */
const signed = new Set(['PUT /v1/files/direct/{id}', 'GET /l/{fileId}/{name}']);

describe('the conventions of HTTP, on every route', () => {
  let server: TestServer;
  let receiver: Receiver;
  let operator: string;
  let routes: readonly Route[];

  before(async () => {
    receiver = await startReceiver();
    server = await startServer({
      env: { ENTREPOT_INTAKE_LIMIT: '5/1h', ENTREPOT_CORS_ORIGINS: 'https://console.example', ENTREPOT_HOOK_KEYS: hookKey },
    });
    operator = await givenOperator(server);
    const { body } = await call(server, 'GET', '/openapi.json');
    routes = Object.entries(body.paths as Json).flatMap(([path, item]) =>
      Object.entries(item as Json).map(([method, operation]: [string, Json]) => ({
        method: method.toUpperCase(),
        path: path.replaceAll(/\{\w+\}/g, 'nowhere'),
        name: `${method.toUpperCase()} ${path}`,
        operation,
        isPublic: ['public', 'optional'].includes(operation['x-access']),
      })),
    );
  });
  after(async () => {
    await server.stop();
    await receiver.stop();
  });

  const ask = (method: string, path: string, options: CallOptions = {}) =>
    call(server, method, path, { token: path === hookPath ? hookKey : operator, ...options });
  const webhook = (name: string) => ({ name, kind: 'webhook', config: { url: receiver.url }, types: ['nothing'] });
  const takesJson = ({ operation }: Route) => operation.requestBody?.content['application/json'] !== undefined;
  /** A request of a form that the route takes, as the document shows it. */
  const wellFormed = (route: Route): CallOptions => {
    const example = route.operation.requestBody?.content['application/json']?.example;
    const body = route.method === 'PATCH' ? {} : (example ?? {});
    return {
      ...(takesJson(route) ? { body } : {}),
      ...(route.path.includes('/resumable/') ? { headers: { 'tus-resumable': '1.0.0' } } : {}),
    };
  };
  const assertProblem = ({ status, headers, body, text }: Answer, wanted: number, kind: string, place: string) => {
    assert.deepEqual([status, body?.type], [wanted, `/problems/${kind}`], `${place}: ${text}`);
    assert.equal(headers.get('content-type'), 'application/problem+json', place);
    assert.equal(body.status, status, place);
    assert.ok(body.title.length > 5 && body.detail.length > 5, place);
    assert.equal(body.instance, `urn:request:${headers.get('x-request-id')}`, place);
    for (const fault of body.errors ?? []) {
      assert.deepEqual(Object.keys(fault).sort(), ['at', 'in', 'why'], place);
      assert.ok(['body', 'query', 'path', 'header'].includes(fault.in) && /^(\/|$)/.test(fault.at) && fault.why !== '', place);
    }
    assert.doesNotMatch(text, /node_modules|\.ts:|at \w+ \(/, place);
  };

  it('without a session every route but the public ones is 401 with a challenge', async () => {
    for (const { method, path, name, isPublic } of routes) {
      if (isPublic) continue;
      const answer = await call(server, method, path);
      assertProblem(answer, 401, 'not-signed-in', name);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer', name);
    }
  });

  it('without the scope every route that asks for one is 403 and names it, before anything else is looked at', async () => {
    const { token } = await givenService(server, operator, []);
    for (const { method, path, name, operation } of routes) {
      const [scope] = operation.security[0]?.bearer ?? [];
      if (scope === undefined) continue;
      const answer = await call(server, method, path, { token });
      assertProblem(answer, 403, 'not-allowed', name);
      assert.equal(answer.body.scope, scope, name);
    }
  });

  it('what is not there is 404 on every route with an id', async () => {
    for (const route of routes) {
      if (!route.path.includes('nowhere')) continue;
      const answer = await ask(route.method, route.path, wellFormed(route));
      if (route.path.startsWith(sharePage)) assert.equal(answer.status, 404, route.name);
      else if (signed.has(route.name)) assertProblem(answer, 403, 'bad-link', route.name);
      else assertProblem(answer, 404, 'not-found', route.name);
    }
    for (const path of [
      '/nowhere',
      '/v1',
      '/v1/nowhere',
      '/v2/events',
      '/v1/events/a/b/c',
      '/v1/targets/x/nowhere',
      '/.env',
      '/%00',
      '/..%2f..%2fetc/passwd',
    ])
      assertProblem(await ask('GET', path), 404, 'not-found', path);
  });

  it('a known address with another method is 405 and tells which it takes, also without a session', async () => {
    const byPath = Map.groupBy(routes, ({ path }) => path);
    for (const [path, known] of byPath) {
      const documented = known.map(({ method }) => method);
      // `/v1/sessions/current` is also an id of `/v1/sessions/{id}`, and so on: those methods are taken, too.
      const answers = await Promise.all(
        strangeMethods.filter((method) => !documented.includes(method)).map((method) => call(server, method, path)),
      );
      const refused = answers.filter(({ status }) => status === 405);
      assert.ok(refused.length > 0, path);
      for (const answer of refused) {
        // Below /oauth/ refusals have the form of RFC 6749 instead.
        if (path.startsWith('/oauth/')) assert.equal(answer.body.error, 'invalid_request', path);
        else assertProblem(answer, 405, 'method-not-allowed', path);
        const allowed = answer.headers.get('allow')?.split(', ') ?? [];
        for (const method of documented) assert.ok(allowed.includes(method), `${path}: ${method} in ${allowed}`);
      }
    }
  });

  it('an unknown query name is refused on every route that has no open query, naming it', async () => {
    for (const { method, path, name, operation } of routes) {
      if (operation.responses['400'] === undefined || path.includes('nowhere') || method !== 'GET') continue;
      const answer = await ask(method, `${path}?colour=red`);
      assertProblem(answer, 400, 'bad-query', name);
      assert.deepEqual(
        answer.body.errors.map(({ in: part, at }: Json) => [part, at]),
        [['query', '/colour']],
        name,
      );
    }
  });

  it('a garbled cursor is refused on every list, a limit is 1 to 200', async () => {
    const lists = routes.filter(({ operation }) => operation.parameters?.some(({ name }: Json) => name === 'cursor'));
    assert.ok(lists.length >= 5);
    for (const { path, name } of lists) {
      for (const cursor of ['garbled', 'WzFd', 'W10', 'bnVsbA', encodeURIComponent('["x",1]')])
        if ((await ask('GET', `${path}?cursor=${cursor}`)).status !== 200)
          assertProblem(await ask('GET', `${path}?cursor=${cursor}`), 400, 'bad-cursor', name);
      assertProblem(await ask('GET', `${path}?cursor=garbled`), 400, 'bad-cursor', name);
      for (const limit of ['0', '201', '-1', '1.5', 'x', ''])
        assertProblem(await ask('GET', `${path}?limit=${limit}`), 400, 'bad-query', `${name} ${limit}`);
      for (const limit of ['1', '200']) assert.equal((await ask('GET', `${path}?limit=${limit}`)).status, 200, name);
    }
  });

  it('broken JSON, another content type and a body that is too large are refused on every route that takes JSON', async () => {
    for (const route of routes) {
      if (!takesJson(route) || route.path === '/v1/events') continue;
      const { method, path, name } = route;
      const broken = await ask(method, path, { body: '{"a":' });
      assertProblem(broken, 400, 'bad-json', name);
      assert.equal(broken.body.position, 5, name);
      assertProblem(
        await ask(method, path, { body: '<a/>', headers: { 'content-type': 'application/xml' } }),
        415,
        'unsupported-type',
        name,
      );
      assertProblem(await ask(method, path, { body: `"${'x'.repeat(10 * 1024 * 1024)}"` }), 413, 'too-large', name);
      assertProblem(await ask(method, path, { body: { ...(bodies[name] as object | undefined), colour: 'red' } }), 400, 'bad-body', name);
      assertProblem(await ask(method, path, { body: '[]' }), 400, 'bad-body', name);
    }
  });

  it('every answer carries the security headers and the request id, which is taken from the client where it is sound', async () => {
    const paths = ['/v1/version', '/healthz', '/v1/events', '/nowhere', '/docs', '/', '/problems/bad-token', '/openapi.json', '/setup'];
    for (const path of paths) {
      for (const token of [operator, undefined]) {
        const { headers } = await call(server, 'GET', path, { token, headers: { 'x-request-id': 'from-the-client-1' } });
        assert.equal(headers.get('x-request-id'), 'from-the-client-1', path);
        assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
        assert.match(headers.get('content-security-policy') ?? '', /default-src/, path);
        assert.match(headers.get('strict-transport-security') ?? '', /max-age=/, path);
        assert.match(headers.get('referrer-policy') ?? '', /no-referrer/, path);
        assert.match(headers.get('x-frame-options') ?? '', /SAMEORIGIN|DENY/, path);
        assert.equal(headers.get('x-powered-by'), null, path);
      }
    }
    for (const unsound of ['', 'a b', 'x'.repeat(300), '<script>'])
      assert.match(
        (await call(server, 'GET', '/healthz', { headers: { 'x-request-id': unsound } })).headers.get('x-request-id') ?? '',
        /^req_/,
        unsound,
      );
  });

  it('only named origins may call from a browser', async () => {
    const allow = async (origin: string) =>
      (await call(server, 'GET', '/v1/version', { headers: { origin } })).headers.get('access-control-allow-origin');
    assert.equal(await allow('https://console.example'), 'https://console.example');
    assert.equal(await allow('https://evil.example'), null);
  });

  it('HEAD is answered like GET, without a body', async () => {
    for (const path of ['/v1/version', '/v1/events', '/v1/targets', '/v1/flow']) {
      const get = await ask('GET', path);
      const head = await ask('HEAD', path);
      assert.deepEqual([head.status, head.text, head.headers.get('content-type')], [200, '', get.headers.get('content-type')], path);
    }
  });

  it('each kind of refusal is explained at its type', async () => {
    const { body } = await call(server, 'GET', '/problems');
    assert.ok(body.items.length > 20);
    for (const { type, status, title, help } of body.items) {
      const { body: one } = await call(server, 'GET', type);
      assert.deepEqual(one, { type, status, title, help });
      const page = await call(server, 'GET', type, { headers: { accept: 'text/html' } });
      assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
      assert.ok(page.text.includes('<h1>'));
    }
  });

  describe('Idempotency-Key', () => {
    const post = (path: string, key: string, body: unknown, token = operator) =>
      ask('POST', path, { body, token, headers: { 'idempotency-key': key } });
    const targetNames = async (): Promise<string[]> => (await ask('GET', '/v1/targets?limit=200')).body.items.map(({ name }: Json) => name);

    it('the same request makes nothing twice and gets the same answer', async () => {
      const body = { name: 'once', kind: 'graphql', config: { url: receiver.url }, types: ['nothing'] };
      const first = await post('/v1/targets', 'once', body);
      const second = await post('/v1/targets', 'once', body);
      assert.equal(first.status, 201);
      assert.deepEqual([second.status, second.text], [201, first.text]);
      assert.equal((await targetNames()).filter((name) => name === 'once').length, 1);
    });

    it('where the answer showed a secret the second is 409 with the id, and the secret is not told again', async () => {
      for (const [path, body] of [
        ['/v1/targets', webhook('secretive')],
        ['/v1/services', { name: 'secretive', scopes: [] }],
      ] as const) {
        const first = await post(path, `secretive ${path}`, body);
        assert.equal(first.status, 201);
        const second = await post(path, `secretive ${path}`, body);
        assertProblem(second, 409, 'already-created', path);
        assert.equal(second.body.id, first.body.id);
        assert.ok(!second.text.includes(first.body.secret ?? first.body.config.secret));
      }
      const service = await givenService(server, operator, []);
      const path = `/v1/services/${service.id}/secrets`;
      const added = await post(path, 'secret', undefined);
      assert.equal((await post(path, 'secret', undefined)).body.id, added.body.id);
      assertProblem(await post(path, 'third', undefined), 409, 'conflict', 'a third secret');
    });

    it('the same key with another body is 422, for another caller it is another key', async () => {
      assert.equal((await post('/v1/targets', 'mine', webhook('mine'))).status, 201);
      assertProblem(await post('/v1/targets', 'mine', webhook('other')), 422, 'key-reused', 'another body');
      const { token } = await givenService(server, operator, ['targets:manage']);
      assert.equal((await post('/v1/targets', 'mine', webhook('theirs'), token)).status, 201);
    });

    it('a refused request leaves the key free', async () => {
      assert.equal((await post('/v1/targets', 'again', { ...webhook('again'), kind: 'pigeon' })).status, 400);
      assert.equal((await post('/v1/targets', 'again', webhook('again'))).status, 201);
    });

    it('a second request while the first runs is 409, and nothing is made twice', async () => {
      const body = JSON.stringify(webhook('at-once'));
      const request =
        `POST /v1/targets HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${operator}\r\nContent-Type: application/json\r\n` +
        `Idempotency-Key: at-once\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
      const connection = await openConnection(server, 'POST /v1/targets');
      connection.write(request.repeat(3)); // in one piece, so that they are read together
      const answers = await connection.answers(3);
      connection.close();
      assert.deepEqual(
        answers.map(({ status }) => status),
        [201, 409, 409],
      );
      assert.equal(answers[1]?.body.type, '/problems/in-progress');
      assert.match(answers[1]?.head ?? '', /retry-after: \d+/i);
      assert.equal((await targetNames()).filter((name) => name === 'at-once').length, 1);
    });

    it('a key that is no key is refused', async () => {
      for (const key of ['x'.repeat(256), 'ü']) {
        const answer = await post('/v1/targets', key, webhook('no-key'));
        assertProblem(answer, 400, 'bad-request', key);
        assert.deepEqual([answer.body.errors[0].in, answer.body.errors[0].at], ['header', '/idempotency-key']);
      }
    });

    it('sending events and replaying deliveries take it as well', async () => {
      const { token } = await givenService(server, operator, ['events:send']);
      const first = await post('/v1/events', 'events', { id: 'keyed', name: 'a' }, token);
      const second = await post('/v1/events', 'events', { id: 'keyed', name: 'a' }, token);
      assert.deepEqual([second.status, second.body], [202, first.body]);
      assertProblem(await post('/v1/events', 'events', { id: 'other', name: 'a' }, token), 422, 'key-reused', 'events');
      const filter = { filter: { target: 'tgt_nowhere' } };
      for (const time of [1, 2]) assert.deepEqual((await post('/v1/deliveries/replay', 'replay', filter)).body, { count: 0 }, String(time));
    });
  });

  it('PATCH is a merge patch: members that are not named stay, what cannot be taken away is refused', async () => {
    const { id } = await givenService(server, operator, ['events:send', 'events:read']);
    const path = `/v1/services/${id}`;
    const before = (await ask('GET', path)).body;
    const renamed = await ask('PATCH', path, { body: '{"name":"renamed"}', headers: { 'content-type': 'application/merge-patch+json' } });
    assert.equal(renamed.status, 200);
    assert.deepEqual({ ...renamed.body, updatedAt: '' }, { ...before, name: 'renamed', updatedAt: '' });
    assert.deepEqual((await ask('GET', path)).body, renamed.body);
    assert.deepEqual((await ask('PATCH', path, { body: {} })).body.name, 'renamed');
    for (const [change, at] of [
      [{ name: null }, '/name'],
      [{ scopes: null }, '/scopes'],
      [{ scopes: ['fly'] }, '/scopes/0'],
      [{ id: 'x' }, '/id'],
      [{ name: 5, colour: 'red' }, '/colour'],
    ] as const) {
      const refused = await ask('PATCH', path, { body: change });
      assertProblem(refused, 400, 'bad-body', at);
      assert.ok(
        refused.body.errors.some((fault: Json) => fault.at === at),
        JSON.stringify(refused.body.errors),
      );
    }
  });

  it('nobody gives away more than he has', async () => {
    const maker = await givenService(server, operator, ['services:manage', 'events:send']);
    const make = (scopes: readonly string[]) =>
      call(server, 'POST', '/v1/services', { token: maker.token, body: { name: 'made', scopes } });
    assert.equal((await make(['events:send'])).status, 201);
    assert.equal((await make(['targets:manage'])).status, 403);
  });

  it('sessions are listed and ended by their owner only; a refresh token from elsewhere ends nothing', async () => {
    const mine = await givenService(server, operator, []);
    const { body } = await call(server, 'GET', '/v1/sessions', { token: mine.token });
    assert.deepEqual(
      body.items.map(({ id, isCurrent }: Json) => [id, isCurrent]),
      [[mine.session.id, true]],
    );
    const theirs = await call(server, 'DELETE', `/v1/sessions/${mine.session.id}`, { token: operator });
    assertProblem(theirs, 404, 'not-found', 'a session of another');
    for (const [headers, kind] of [
      [{}, 'not-signed-in'],
      [{ authorization: 'Bearer x' }, 'bad-token'],
      [{ cookie: 'entrepot-refresh=x' }, 'bad-refresh-token'],
    ] as const) {
      assertProblem(await call(server, 'DELETE', '/v1/sessions/current', { headers }), 401, kind, kind);
    }
    assert.equal((await call(server, 'DELETE', `/v1/sessions/${mine.session.id}`, { token: mine.token })).status, 204);
    assert.equal((await call(server, 'GET', '/v1/me', { token: mine.token })).status, 401);
  });

  it('an intake limit that was set refuses with 429, tells how much is left and when to come back', async () => {
    const { token } = await givenService(server, operator, ['events:send']);
    const send = (id: string) => call(server, 'POST', '/v1/events', { token, body: { id, name: 'a' } });
    for (let left = 4; left >= 0; left -= 1) {
      const { status, headers } = await send(`limited-${left}`);
      assert.equal(status, 202);
      assert.match(headers.get('ratelimit-policy') ?? '', /"intake";q=5;w=3600/);
      assert.match(headers.get('ratelimit') ?? '', new RegExp(`"intake";r=${left};t=\\d+`));
    }
    const refused = await send('limited-out');
    assertProblem(refused, 429, 'too-many', 'the sixth');
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    const other = await givenService(server, operator, ['events:send']);
    assert.equal(
      (await call(server, 'POST', '/v1/events', { token: other.token, body: { id: 'x', name: 'a' } })).status,
      202,
      'other sources go on',
    );
  });

  it('a body in a transfer coding other than chunked is 501: it would be kept as it came, undecoded', async () => {
    for (const coding of ['gzip, chunked', 'gzip,chunked', 'deflate, chunked']) {
      const connection = await openConnection(server, 'POST /v1/files');
      connection.write(
        `POST /v1/files?name=a.txt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${operator}\r\nContent-Type: text/plain\r\nConnection: close\r\n` +
          `Transfer-Encoding: ${coding}\r\n\r\n3\r\nabc\r\n0\r\n\r\n`,
      );
      const [answer] = await connection.answers();
      assert.deepEqual([answer?.status, answer?.body.type], [501, '/problems/not-implemented'], coding);
    }
  });

  it('a long address is refused before anything else', async () => {
    assertProblem(await ask('GET', `/v1/events?q=${'x'.repeat(9000)}`), 414, 'uri-too-long', 'long');
  });
});

describe('refusals that no client can bring about in a moment', () => {
  it('a body that does not arrive is 408', async (context) => {
    const sample = await startSampleServer(context, { requestTimeLimitMs: 100 });
    const connection = await openConnection(sample, 'POST /v1/echo');
    connection.write('POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{');
    const [answer] = await connection.answers();
    assert.deepEqual([answer?.status, answer?.body.type], [408, '/problems/timeout']);
  });

  it('a fault of ours is 500 and shows nothing of itself', async (context) => {
    const sample = await startSampleServer(context, {}, (app) => {
      app.get('/broken', { config: { access: 'public' }, schema: { summary: 'Breaks' } }, () => {
        throw new Error('the password is hush');
      });
    });
    const { status, body, text } = await call(sample, 'GET', '/broken');
    assert.deepEqual([status, body.type], [500, '/problems/internal']);
    assert.doesNotMatch(text, /hush/);
  });
});
