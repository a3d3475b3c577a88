import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { Caller, Scope } from '../foundation/caller.ts';
import { createClock } from '../foundation/clock.ts';
import { createIds } from '../foundation/ids.ts';
import type { Log } from '../foundation/log.ts';
import { Problem, Unavailable } from '../foundation/problem.ts';
import { Type } from '../foundation/schema.ts';
import { type Authenticate, addressOf, callerOf } from './access.ts';
import type { IdempotencyClaim, IdempotencyFinding, IdempotencyStore } from './idempotency.ts';
import { listQuery, pageOf, sendPage } from './paging.ts';
import { refusals } from './problem-reply.ts';
import { type App, createServer, type ServerNeeds } from './server.ts';
import { bodyStream } from './stream-body.ts';

// A server for the tests of this room: everything that createServer gives, and one route of each sort.

/** A log line as it was written. */
export interface LogLine extends Record<string, unknown> {
  readonly level: string;
  readonly message: string;
}

export const createKeptLog = (): Log & { readonly lines: LogLine[] } => {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ ...fields, level, message });
  };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal') };
};

/** Keeps what is observed, as lines. */
export const createKeptMetrics = (): ServerNeeds['metrics'] => {
  const lines: string[] = [];
  return {
    observe: (route, method, status) => lines.push(`${method} ${route} ${status}`),
    text: async () => lines.join('\n'),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  };
};

const callerWith = (id: string, scopes: readonly Scope[]): Caller => ({
  id,
  kind: 'service',
  tenantId: 'ten_1',
  sessionId: 'ses_1',
  scopes: new Set(scopes),
});

const callers: Readonly<Record<string, Caller>> = {
  sender: callerWith('svc_sender', ['events:send']),
  reader: callerWith('svc_reader', ['events:read']),
  operator: callerWith('per_operator', ['operate', 'events:send', 'events:read']),
};

/** The token is the caller's name. */
export const authenticateByName: Authenticate = async (authorization) => {
  if (authorization === undefined) return undefined;
  const caller = callers[authorization.replace('Bearer ', '')];
  if (caller === undefined) throw new Problem('bad-token', 'The access token is not ours.');
  return caller;
};

/** Keeps everything in memory; a key is held until it is finished or released. */
export const createMemoryIdempotency = (): IdempotencyStore => {
  const kept = new Map<string, { digest: string; finding: IdempotencyFinding }>();
  const nameOf = ({ callerId, key }: IdempotencyClaim) => JSON.stringify([callerId, key]);
  return {
    async begin(claim) {
      const known = kept.get(nameOf(claim));
      if (known !== undefined) return known.digest === claim.digest ? known.finding : { state: 'other-request' };
      kept.set(nameOf(claim), { digest: claim.digest, finding: { state: 'running' } });
      return { state: 'new' };
    },
    async finish(claim, answer) {
      kept.set(nameOf(claim), { digest: claim.digest, finding: { state: 'done', ...answer } });
    },
    async release(claim) {
      kept.delete(nameOf(claim));
    },
    isAnswered: async ({ callerId, key }) => kept.get(JSON.stringify([callerId, key]))?.finding.state === 'done',
  };
};

const Payment = Type.Object(
  {
    kind: Type.Union([Type.Literal('payment'), Type.Literal('refund')]),
    data: Type.Object({ amount: Type.Number(), note: Type.Optional(Type.String({ minLength: 2 })) }, { additionalProperties: false }),
    tags: Type.Optional(Type.Array(Type.String(), { maxItems: 3 })),
  },
  { additionalProperties: false, examples: [{ kind: 'payment', data: { amount: 12.5 } }] },
);

const SignIn = Type.Union([
  Type.Object({ method: Type.Literal('password'), username: Type.String(), password: Type.String() }, { additionalProperties: false }),
  Type.Object({ method: Type.Literal('secret'), authId: Type.String(), secret: Type.String() }, { additionalProperties: false }),
]);

const Thing = Type.Object({ id: Type.String() }, { examples: [{ id: 'thing_1' }] });

const sampleRoutes = (release: Promise<void>): FastifyPluginAsyncTypebox => {
  let made = 0;
  const thing = { config: { access: 'public' }, schema: { summary: 'A thing' } } as const;

  return async (routes) => {
    routes.post(
      '/payments',
      {
        config: { access: 'events:send' },
        schema: { summary: 'Pay', body: Payment, response: { 201: Payment, ...refusals(409, 'bad-event') } },
      },
      async (request, reply) => reply.code(201).send(request.body),
    );
    routes.post(
      '/sessions',
      {
        config: { access: 'public' },
        schema: { summary: 'Sign in', body: SignIn, response: { 201: Thing, ...refusals('bad-credentials') } },
      },
      async (_request, reply) => reply.code(201).send({ id: 'ses_1' }),
    );
    routes.get(
      '/things',
      {
        config: { access: 'events:read' },
        schema: {
          summary: 'List things',
          querystring: Type.Object({ ...listQuery, isNew: Type.Optional(Type.Boolean()), tag: Type.Optional(Type.Array(Type.String())) }),
          response: { 200: pageOf(Thing), ...refusals('bad-cursor') },
        },
      },
      (request, reply) => {
        sendPage(request, reply, { items: [{ id: JSON.stringify(request.query) }], nextCursor: 'next&1' });
      },
    );
    routes.get(
      '/things/:id',
      {
        config: { access: 'signed-in' },
        schema: {
          summary: 'One thing',
          params: Type.Object({ id: Type.Integer() }),
          response: { 200: Type.Unknown(), ...refusals(404) },
        },
      },
      async (request) => ({ id: request.params.id, caller: callerOf(request).id, address: addressOf(request) }),
    );
    routes.patch('/things/:id', { ...thing, schema: { summary: 'Change', body: Type.Object({}) } }, async (request) => request.body);
    routes.post(
      '/things',
      {
        config: { access: 'events:send', isIdempotent: true },
        schema: { summary: 'Make', body: Type.Unknown(), response: { 201: Thing } },
      },
      async (request, reply) => {
        made += 1;
        if (JSON.stringify(request.body) === '"refuse"') throw new Problem('conflict', 'Not now.');
        if (JSON.stringify(request.body) === '"wait"') await release;
        return reply.code(201).send({ id: `thing_${made}` });
      },
    );
    routes.post(
      '/secrets',
      {
        config: { access: 'events:send', isIdempotent: true, showsSecret: true },
        schema: {
          summary: 'Make a secret',
          body: Type.Unknown(),
          response: { 201: Type.Object({ id: Type.String(), secret: Type.String() }) },
        },
      },
      async (_request, reply) => reply.code(201).send({ id: 'sec_1', secret: 'hush' }),
    );
    routes.post(
      '/lines',
      {
        ...thing,
        schema: { summary: 'Send lines', consumes: ['application/json', 'application/x-ndjson'], response: { 200: Type.Unknown() } },
      },
      async (request) => {
        let bytes = 0;
        for await (const chunk of bodyStream(request)) bytes += chunk.length;
        return { bytes };
      },
    );
    routes.post(
      '/unread',
      { ...thing, schema: { summary: 'Refuse late', consumes: ['application/x-ndjson'], response: refusals('conflict') } },
      async () => {
        await setTimeout(100);
        throw new Problem('conflict', 'It was never read.');
      },
    );
    routes.post(
      '/echo',
      { ...thing, config: { access: 'public', checksBodyItself: true }, schema: { summary: 'Echo', body: Payment } },
      async (request) => ({ body: request.body ?? null, text: request.rawBody ?? null }),
    );
    routes.get('/unknown-values', { ...thing, schema: { summary: 'Values', response: { 200: Thing } } }, async () => ({
      id: 'x',
      more: { a: [1, null, { b: true }] },
    }));
    routes.get('/trace-context', thing, async (request) => request.traceContext);
    routes.get('/broken', thing, async () => {
      throw new Error('the password is hunter2');
    });
    routes.get('/foreign-error', thing, async () => {
      throw Object.assign(new Error('secret detail'), { statusCode: 404, code: 'ENOENT' });
    });
    routes.get('/away', thing, async () => {
      throw new Unavailable('postgres://user:pass@db is away', { retryAfterMs: 2500 });
    });
    routes.get('/live', { ...thing, schema: { summary: 'Live', produces: ['text/event-stream'] } }, async (_request, reply) =>
      reply.type('text/event-stream').send('data: 1\n\n'),
    );
  };
};

export interface SampleServer {
  readonly app: App;
  readonly url: string;
  readonly port: number;
  readonly log: ReturnType<typeof createKeptLog>;
  /** Lets the handlers end that wait. */
  release(): void;
}

/** Starts it on a free port; it is closed when the test ends. */
export const startSampleServer = async (
  test: TestContext,
  needs: Partial<ServerNeeds> = {},
  more?: (app: App) => void,
): Promise<SampleServer> => {
  const log = createKeptLog();
  const clock = createClock();
  const { promise, resolve } = Promise.withResolvers<void>();
  const app = createServer({
    log,
    clock,
    ids: createIds(() => clock.now()),
    authenticate: authenticateByName,
    idempotency: createMemoryIdempotency(),
    corsOrigins: [],
    trustedProxies: [],
    version: '1.2.3',
    checks: {},
    isStopping: () => false,
    metrics: createKeptMetrics(),
    ...needs,
  });
  app.register(sampleRoutes(promise), { prefix: '/v1' });
  more?.(app);
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  test.after(() => {
    resolve();
    app.server.closeAllConnections();
    return app.close();
  });
  return { app, url, port: Number(new URL(url).port), log, release: resolve };
};

/** Writes bytes to a connection, `pauseMs` between the pieces, and resolves with all that came back when the server hangs up. */
export const exchange = (port: number, pieces: readonly (string | Buffer)[], { pauseMs = 0, isEnding = false } = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', async () => {
      for (const piece of pieces) {
        if (!socket.writable) return;
        socket.write(piece);
        if (pauseMs > 0) await setTimeout(pauseMs);
      }
      if (isEnding) socket.end();
    });
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
  });

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, where it is JSON. */
  readonly json: Record<string, unknown>;
}

/** One request, with its answer read. `as` signs in; `json` is the body. */
export const ask = async (
  url: string,
  { as, json, headers, ...init }: Omit<RequestInit, 'headers'> & { as?: string; json?: unknown; headers?: Record<string, string> } = {},
): Promise<Answer> => {
  const response = await fetch(url, {
    ...init,
    ...(json === undefined ? {} : { method: init.method ?? 'POST', body: JSON.stringify(json) }),
    headers: {
      ...(as === undefined ? {} : { authorization: `Bearer ${as}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true && text !== '';
  return { status: response.status, headers: response.headers, text, json: isJson ? JSON.parse(text) : {} };
};
