import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Answer, type CallOptions, call, eventually, type Json } from '../support/given.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { filesOf, findSecrets, type Haystack } from '../support/secret-search.ts';
import { operator, startServer, type TestServer } from '../support/start-server.ts';

// One exception: with `ENTREPOT_MAIL=log:` whole mails are printed, for development. What is mailed is looked for everywhere else.

/** A secret that nobody could come upon by chance. */
const newSecret = (what: string): string => `${what}-${crypto.randomUUID()}`;

const settings = {
  ENTREPOT_LOG_LEVEL: 'debug',
  ENTREPOT_SECRET_KEY: newSecret('secret-key'),
  ENTREPOT_METRICS_TOKEN: newSecret('metrics-token'),
  ENTREPOT_EDGE_KEYS: newSecret('edge-key'),
};

interface Scene {
  readonly server: TestServer;
  readonly receiver: Receiver;
  /** The token of the operator. */
  readonly admin: string;
  /** Calls through the edge. */
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<Answer>;
  /** From now on it is looked for; returns it. */
  readonly hide: (name: string, secret: string) => string;
}

const signIn = async ({ call: ask, hide }: Scene, body: Json): Promise<Json> => {
  const { body: session } = await ask('POST', '/v1/sessions', { body });
  hide(`an access token (${body.method})`, session.accessToken);
  if (session.refreshToken) hide(`a refresh token (${body.method})`, session.refreshToken);
  return session;
};

const makeService = async ({ call: ask, admin, hide }: Scene): Promise<Json> => {
  const made = await ask('POST', '/v1/services', {
    token: admin,
    body: { name: 'shop-with-secrets', scopes: ['events:send'] },
    headers: { 'idempotency-key': crypto.randomUUID() },
  });
  hide('the secret of a service', made.body.secret);
  return made.body;
};

/** Everything that callers do with secrets: one line or a few each; what is secret goes through `hide`. */
const acts: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  'sign in by password': (scene) => signIn(scene, { method: 'password', ...operator }),
  'sign in as a browser': async ({ call: ask, hide }) => {
    const { headers } = await ask('POST', '/v1/sessions', { body: { method: 'password', ...operator, cookie: true } });
    const [, token = ''] = /=([^;]+)/.exec(headers.get('set-cookie') ?? '') ?? [];
    await ask('POST', '/v1/sessions/refresh', { headers: { cookie: `x=y; ${headers.get('set-cookie')?.split(';')[0]}` } });
    return hide('a refresh token in a cookie', token);
  },
  'mistype a password': async ({ call: ask, hide }) => {
    const body = { method: 'password', username: operator.username, password: hide('a mistyped password', newSecret('password')) };
    await ask('POST', '/v1/sessions', { body });
    await ask('POST', '/v1/sessions', { body: { ...body, username: 'nobody-here' } });
    await ask('POST', '/v1/sessions', { body: { ...body, password: [body.password] } });
    await ask('POST', '/v1/sessions', { body: `${JSON.stringify(body).slice(0, -1)},` });
    await ask('POST', `/v1/sessions?password=${body.password}`, { body });
    await ask('GET', `/v1/${body.password}`);
  },
  'make a service, sign in as it, refresh, use a refresh token twice': async (scene) => {
    const { authId, secret, id } = await makeService(scene);
    const session = await signIn(scene, { method: 'secret', authId, secret });
    const refreshed = await scene.call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
    scene.hide('a refreshed access token', refreshed.body.accessToken);
    scene.hide('a second refresh token', refreshed.body.refreshToken);
    await scene.call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
    const rotated = await scene.call('POST', `/v1/services/${id}/secrets`, { token: scene.admin });
    scene.hide('a rotated secret', rotated.body.secret);
    await scene.call('POST', '/v1/sessions', { body: { method: 'secret', authId: secret, secret } });
  },
  'send a token in wrong places': async ({ call: ask, admin, hide }) => {
    await ask('GET', `/v1/me?access_token=${admin}`);
    await ask('GET', '/v1/me', { token: `${hide('a token that is none', newSecret('token'))}é` });
    await ask('GET', '/v1/me', { headers: { authorization: `Basic ${btoa(`x:${hide('a password as Basic', newSecret('basic'))}`)}` } });
  },
  'read the metrics': async ({ call: ask }) => await ask('GET', '/metrics', { token: settings.ENTREPOT_METRICS_TOKEN }),
  'let the user service check a token': async ({ call: ask, hide }) => {
    await ask('GET', '/v1/me', { token: hide('a token for the user service', newSecret('foreign')) });
    await ask('GET', '/v1/me', { token: hide('a token that the user service does not know', newSecret('refuse-me')) });
    await ask('GET', '/v1/me', { token: hide('a token at which the user service fails', newSecret('fail-at-me')) });
  },
  'deliver to a target with secrets': async ({ call: ask, admin, receiver, hide }) => {
    const secret = `whsec_${Buffer.from(newSecret('webhook')).toString('base64')}`;
    const config = { url: new URL('/hook', receiver.url).href, secret: hide('the secret of a webhook', secret) };
    const headers = { 'x-api-key': hide('a secret header of a target', newSecret('header')) };
    await ask('POST', '/v1/targets', { token: admin, body: { name: 'given', kind: 'webhook', types: ['*'], config } });
    const graphql = { name: 'api', kind: 'graphql', types: ['*'], config: { url: new URL('/graphql', receiver.url).href, headers } };
    const { body: target } = await ask('POST', '/v1/targets', { token: admin, body: graphql });
    const made = { name: 'made', kind: 'webhook', types: ['*'], config: { url: 'http://127.0.0.1:1/away' } };
    const { body: shown } = await ask('POST', '/v1/targets', { token: admin, body: made });
    hide('a webhook secret that was made', shown.config.secret);
    await ask('POST', '/v1/events', { token: admin, body: { id: 'event-1', name: 'order.made' } });
    await ask('POST', `/v1/targets/${target.id}/test`, { token: admin });
    await receiver.waitFor((received) => ['/hook', '/graphql'].every((path) => received.some((one) => one.path === path)));
  },
};

describe('secrets', () => {
  let receiver: Receiver;
  let server: TestServer;
  const secrets = new Map<string, string>();
  let ask: Scene['call'];
  let admin: string;

  before(async () => {
    receiver = await startReceiver({
      answer({ path, headers }) {
        if (path !== '/users') return { status: 200, body: { data: {} } };
        if (/refuse-me/.test(headers.authorization ?? '')) return { status: 401 };
        return /fail-at-me/.test(headers.authorization ?? '') ? { status: 500 } : { body: { userId: 'user-17' } };
      },
    });
    server = await startServer({ env: { ...settings, ENTREPOT_USER_SERVICE: new URL('/users', receiver.url).href } });
    ask = (method, path, { headers, ...options } = {}) =>
      call(server, method, path, { ...options, headers: { 'x-edge-key': settings.ENTREPOT_EDGE_KEYS, ...headers } });
    const hide: Scene['hide'] = (name, secret) => {
      assert.ok(secret.length >= 8, name);
      secrets.set(`${name} #${secrets.size}`, secret);
      return secret;
    };
    for (const [name, value] of Object.entries(settings)) if (name !== 'ENTREPOT_LOG_LEVEL') hide(name, value);
    hide("the operator's password", operator.password);
    admin = hide(
      "the operator's token",
      (await ask('POST', '/v1/sessions', { body: { method: 'password', ...operator } })).body.accessToken,
    );
    const scene: Scene = { server, receiver, admin, call: ask, hide };
    for (const [name, act] of Object.entries(acts)) {
      await act(scene).catch((cause: unknown) => {
        throw new Error(`The act "${name}" failed.`, { cause });
      });
    }
    await call(server, 'GET', '/v1/me', {
      token: admin,
      headers: { 'x-edge-key': hide('a wrong key of the edge', newSecret('wrong-edge')) },
    });
  });
  after(async () => {
    await server.kill('SIGKILL');
    await receiver.stop();
    await rm(server.dataFolder, { recursive: true, force: true });
  });

  const assertNone = (haystacks: readonly Haystack[]) => assert.deepEqual(findSecrets(secrets, haystacks), []);

  it('are shown by no answer to who reads what is there: lists, single things, traces', async () => {
    const { paths } = (await ask('GET', '/openapi.json')).body;
    const readable = Object.entries<Json>(paths)
      .filter(([, { get }]) => get && !get.responses['200']?.content?.['text/event-stream'])
      .map(([path]) => path);
    const seen: Haystack[] = [];
    const ids = new Set(['event-1']);
    const look = async (path: string) => {
      const { status, text } = await ask('GET', path, { token: admin });
      seen.push({ name: `GET ${path}`, bytes: Buffer.from(text) });
      // A refusal names a request of its own each time.
      if (status === 200) for (const [id] of text.matchAll(/\b[a-z]{2,5}_[0-9a-z]{26}\b/g)) ids.add(id);
      return status;
    };
    for (const path of readable.filter((one) => !one.includes('{'))) await look(path);
    let found = 0;
    for (const id of ids) {
      for (const path of readable.filter((one) => one.includes('{'))) if ((await look(path.replace(/\{\w+\}/, id))) === 200) found += 1;
    }
    assert.ok(found > 10, `${found} things were seen`);
    assertNone(seen);
    const names = new Map([['a name', 'shop-with-secrets']]);
    assert.ok(findSecrets(names, seen).length > 0, 'what is no secret is found');
  });

  it('stand in no line of the log, at its most talkative', async () => {
    await eventually(
      async () => server.output(),
      (output) => output.includes('"/v1/targets/:id/test"'),
    );
    assertNone([{ name: 'the log', bytes: Buffer.from(server.output()) }]);
  });

  it('stand nowhere in the data folder, neither while the server runs nor afterwards, in no coding', async () => {
    const findName = (files: readonly Haystack[]) => findSecrets(new Map([['a name', 'shop-with-secrets']]), files);
    const running = filesOf(server.dataFolder);
    assert.ok(findName(running).length > 0, 'what is no secret is found');
    assertNone(running);
    assert.equal(await server.kill('SIGTERM'), 0);
    const left = filesOf(server.dataFolder);
    assert.ok(findName(left).some((line) => line.includes(`${basename(server.dataFolder)}/entrepot.db`)));
    assertNone(left);
    assertNone([{ name: 'the whole log', bytes: Buffer.from(server.output()) }]);
  });
});
