import type { MailServer } from '../../src/mail/mail-server.fixture.ts';
import type { Answer, CallOptions, Json } from '../support/given.ts';
import type { Receiver } from '../support/receiver.ts';
import { operator, type TestServer } from '../support/start-server.ts';

/** A secret that nobody could come upon by chance. */
export const newSecret = (what: string): string => `${what}-${crypto.randomUUID()}`;

export const settings = {
  ENTREPOT_LOG_LEVEL: 'debug',
  ENTREPOT_SECRET_KEY: newSecret('secret-key'),
  ENTREPOT_METRICS_TOKEN: newSecret('metrics-token'),
  ENTREPOT_EDGE_KEYS: newSecret('edge-key'),
  ENTREPOT_HOOK_KEYS: newSecret('hook-key'),
};

export interface Scene {
  readonly server: TestServer;
  readonly receiver: Receiver;
  readonly mailServer: MailServer;
  /** The token of the operator. */
  readonly admin: string;
  /** Calls through the edge. */
  readonly call: (method: string, path: string, options?: CallOptions) => Promise<Answer>;
  /** From now on it is looked for; returns it. */
  readonly hide: (name: string, secret: string) => string;
}

export const signIn = async ({ call: ask, hide }: Scene, body: Json): Promise<Json> => {
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
export const acts: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
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
  'fetch by a signed link, also when it was changed': async ({ call: ask, admin, hide }) => {
    const upload = { token: admin, body: 'behind a link', headers: { 'content-type': 'text/plain' } };
    const { body: file } = await ask('POST', '/v1/files?name=linked.txt', upload);
    const { body: link } = await ask('POST', `/v1/files/${file.id}/links`, { token: admin, body: {} });
    const { pathname, search, searchParams } = new URL(link.url);
    hide('the signature of a link', searchParams.get('signature') ?? '');
    await ask('GET', pathname + search);
    await ask('GET', `${pathname}${search}`.replace('inline', 'attachment'));
    await ask('GET', `${pathname}${search}&more=1`);
    await ask('GET', `${pathname}/more${search}`);
    await ask('GET', `/v1/files/accesses?file=${file.id}`, { token: admin });
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
