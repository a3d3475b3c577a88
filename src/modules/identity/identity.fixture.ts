import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { noteRefusal } from '../../../tests/support/refusals-seen.ts';
import type { Database } from '../../database/database.ts';
import { openDatabase } from '../../database/open-database.ts';
import type { Clock } from '../../foundation/clock.ts';
import { createIds } from '../../foundation/ids.ts';
import { silentLog } from '../../foundation/log.ts';
import { createSeal, Secret } from '../../foundation/secret.ts';
import { createServer } from '../../http/server.ts';
import { openLimiter } from '../../limits/open-limiter.ts';
import type { Mail } from '../../mail/mailer.ts';
import { createTrace } from '../trace/trace.ts';
import { createIdentity, type Identity, type IdentityNeeds, type IdentitySettings } from './identity.ts';

/** A clock that goes on as fast as the real one and can be turned ahead. */
export const createTurnableClock = (): Clock & { turn(ms: number): void } => {
  let ahead = 0;
  return {
    now: () => Date.now() + ahead,
    precise: () => Date.now() + ahead,
    async sleep(ms, signal) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, ms);
      signal?.addEventListener('abort', () => resolve(), { once: true });
      await promise;
      clearTimeout(timer);
    },
    turn(ms) {
      ahead += ms;
    },
  };
};

export const givenSeal = () => createSeal(new Secret('a secret key for tests'));

/** An empty database in a folder of its own, gone after the test. */
export const givenDatabase = async (context: TestContext, clock: Clock): Promise<Database> => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-identity-'));
  const database = await openDatabase({ url: `sqlite:${join(folder, 'test.db')}`, clock });
  context.after(async () => {
    await database.close();
    await rm(folder, { recursive: true });
  });
  return database;
};

export interface GivenIdentity extends IdentityNeeds {
  readonly clock: ReturnType<typeof createTurnableClock>;
  /** The mails that were sent, once a process with workers sends them. */
  readonly mails: readonly Mail[];
  /** Another process on the same database. */
  another(settings?: Partial<IdentitySettings>): ReturnType<typeof createIdentity>;
}

/** Everything that identity needs, over an empty database; `others` take the place of the usual parts. */
export const givenNeeds = async (
  context: TestContext,
  settings: Partial<IdentitySettings> = {},
  others: Partial<Pick<IdentityNeeds, 'mailer' | 'log'>> = {},
): Promise<GivenIdentity> => {
  const clock = createTurnableClock();
  const database = await givenDatabase(context, clock);
  const mails: Mail[] = [];
  const needs: IdentityNeeds = {
    database,
    trace: createTrace({ database }),
    clock,
    ids: createIds(clock.now),
    log: silentLog,
    seal: givenSeal(),
    mailer: { send: async (mail) => void mails.push(mail), check: async () => {}, close: async () => {} },
    limiter: await openLimiter({ url: 'memory:', clock }),
    settings: {
      accessTokenTtlMs: 900_000,
      refreshTokenTtlMs: 30 * 86_400_000,
      sessionTtlMs: 365 * 86_400_000,
      pinTtlMs: 300_000,
      sessionBinding: 'address',
      signUpLimit: { requests: 100, intervalMs: 60_000 },
      ...settings,
    },
    ...others,
  };
  return { ...needs, clock, mails, another: (changes = {}) => createIdentity({ ...needs, settings: { ...needs.settings, ...changes } }) };
};

/** A real server on a free port that serves nothing but identity, with an operator `ada`. */
export const givenServer = async (
  context: TestContext,
  settings: Partial<IdentitySettings> = {},
  others: Partial<Pick<IdentityNeeds, 'mailer' | 'log'>> = {},
) => {
  const needs = await givenNeeds(context, settings, others);
  const identity = await needs.another();
  await identity.ensureFirstOperator({ name: 'ada', password: new Secret(operatorPassword) });
  const baseUrl = await serve(context, needs, identity);
  return { ...needs, identity, ...callsTo(baseUrl) };
};

export const operatorPassword = 'correct horse battery';

/** Serves `identity` until the test ends; resolves with the address. */
export const serve = async (context: TestContext, needs: GivenIdentity, identity: Identity): Promise<string> => {
  const app = createServer({
    ...needs,
    authenticate: identity.authenticate,
    idempotency: identity.idempotency,
    corsOrigins: [],
    // So that a test can come from any address.
    trustedProxies: ['127.0.0.1'],
    version: '0.0.0',
    checks: {},
    isStopping: () => false,
    metrics: { text: async () => '', contentType: 'text/plain', observe() {} },
  });
  await app.register(identity.routes);
  context.after(() => app.close());
  return await app.listen({ host: '127.0.0.1', port: 0 });
};

export interface CallOptions {
  readonly token?: string;
  readonly body?: unknown;
  readonly from?: string;
  readonly headers?: Record<string, string>;
}

/** Calls over real HTTP; an answer without a body has `body` undefined. */
export const callsTo = (baseUrl: string) => {
  const call = async (method: string, path: string, { token, body, from, headers = {} }: CallOptions = {}) => {
    const answer = await fetch(baseUrl + path, {
      method,
      redirect: 'manual',
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(from === undefined ? {} : { 'x-forwarded-for': from }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    noteRefusal(method, path, answer.status, text);
    const isJson = answer.headers.get('content-type')?.includes('json');
    return { status: answer.status, headers: answer.headers, text, body: text !== '' && isJson ? JSON.parse(text) : undefined };
  };
  /** A form, as OAuth clients send it. */
  const postForm = (path: string, fields: Readonly<Record<string, string>>, { headers, ...options }: CallOptions = {}) =>
    call('POST', path, {
      ...options,
      body: new URLSearchParams(fields).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });
  const signIn = (body: object, options: CallOptions = {}) => call('POST', '/v1/sessions', { ...options, body });
  const operatorToken = async (): Promise<string> => {
    const { body } = await signIn({ method: 'password', username: 'ada', password: operatorPassword });
    return body.accessToken;
  };
  /** A service of the operator with these scopes, and its open session. */
  const givenService = async (scopes: readonly string[], options: CallOptions = {}) => {
    const made = (await call('POST', '/v1/services', { token: await operatorToken(), body: { name: 'shop', scopes } })).body;
    const session = (await signIn({ method: 'secret', authId: made.authId, secret: made.secret }, options)).body;
    return { made, session };
  };
  return { baseUrl, call, postForm, signIn, operatorToken, givenService };
};
