import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { noteRefusal } from './refusals-seen.ts';
import { operator, type TestServer } from './start-server.ts';

/** A parsed body. Tests look into bodies of every form and fail where one is not as they expect. */
export type Json = ReturnType<typeof JSON.parse>;

/** An answer of the server: the parsed body, and its text for what parsing would change. */
export interface Answer {
  readonly status: number;
  readonly body: Json;
  readonly text: string;
  readonly headers: Headers;
}

export interface CallOptions {
  /** A value is sent as JSON, a string as it is. */
  readonly body?: unknown;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Calls the server as any HTTP client would. */
export const call = async (
  { url }: Pick<TestServer, 'url'>,
  method: string,
  path: string,
  { body, token, headers = {} }: CallOptions = {},
): Promise<Answer> => {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  noteRefusal(method, path, response.status, text);
  return { status: response.status, text, headers: response.headers, body: parsed(text) };
};

const parsed = (text: string): Json => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The access token of the first operator. */
export const givenOperator = async (server: Pick<TestServer, 'url'>): Promise<string> => {
  const { status, body } = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...operator } });
  assert.equal(status, 201);
  return body.accessToken;
};

/** A service of those scopes and the access token of its session. */
export const givenService = async (server: Pick<TestServer, 'url'>, operatorToken: string, scopes: readonly string[] = ['events:send']) => {
  const made = await call(server, 'POST', '/v1/services', { token: operatorToken, body: { name: `service-${Math.random()}`, scopes } });
  assert.equal(made.status, 201, made.text);
  const { id, authId, secretId, secret } = made.body;
  const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId, secret } });
  assert.equal(session.status, 201, session.text);
  return {
    id: String(id),
    authId: String(authId),
    secretId: String(secretId),
    secret: String(secret),
    token: String(session.body.accessToken),
    session: session.body,
  };
};

/** A target; a GraphQL one for all events unless `target` says otherwise. */
export const givenTarget = async (server: Pick<TestServer, 'url'>, operatorToken: string, target: Readonly<Record<string, unknown>>) => {
  const made = await call(server, 'POST', '/v1/targets', {
    token: operatorToken,
    body: { name: `target-${Math.random()}`, kind: 'graphql', ...target },
  });
  assert.equal(made.status, 201, made.text);
  return made.body;
};

/** Asks again until the answer is as wanted; fails with the last answer when that takes too long. */
export const eventually = async <T>(ask: () => Promise<T>, isWanted: (answer: T) => boolean, limitMs = 30_000): Promise<T> => {
  const endAt = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (isWanted(answer)) return answer;
    if (performance.now() > endAt)
      assert.fail(`It did not come about within ${limitMs} ms; last seen: ${JSON.stringify(answer)?.slice(0, 2_000)}`);
    await sleep(50);
  }
};
