import type { TestContext } from 'node:test';
import type { PersonRow } from '../../../database/tables.ts';
import { type CallOptions, givenServer, operatorPassword } from '../identity.fixture.ts';

export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

type Fields = Readonly<Record<string, string>>;

/** A server of identity with what an OAuth client does, over real HTTP. */
export const givenOauth = async (context: TestContext) => {
  const server = await givenServer(context);
  const { call, postForm, signIn, database } = server;

  /** A person with ada's password, in a tenant of its own where one is named. */
  const givenPerson = async (username: string, role: PersonRow['role'], tenantId?: string): Promise<string> => {
    const { build, read, write } = database;
    const ada = await read.selectFrom('people').selectAll().where('usernameKey', '=', 'ada').executeTakeFirstOrThrow();
    const home = await read.selectFrom('tenants').selectAll().where('id', '=', ada.tenantId).executeTakeFirstOrThrow();
    const person = { ...ada, id: `per_${username}`, username, usernameKey: username, role, tenantId: tenantId ?? ada.tenantId };
    const rows = [
      ...(tenantId === undefined
        ? []
        : [
            build
              .insertInto('tenants')
              .values({ ...home, id: tenantId, slug: tenantId })
              .compile(),
          ]),
      build.insertInto('people').values(person).compile(),
    ];
    await write(rows.map(({ sql, parameters }) => ({ sql, parameters })));
    return (await signIn({ method: 'password', username, password: operatorPassword })).body.accessToken;
  };

  /** A client with a secret; `fields` prove it in the body. */
  const givenClient = async (scopes: readonly string[], adminToken?: string) => {
    const token = adminToken ?? (await server.operatorToken());
    const { id, authId, secret } = (await call('POST', '/v1/services', { token, body: { name: 'shop', scopes } })).body;
    return { id: String(id), authId: String(authId), secret: String(secret), fields: { client_id: authId, client_secret: secret } };
  };

  const token = (fields: Fields, options?: CallOptions) => postForm('/oauth/token', fields, options);
  const credentials = (client: { fields: Fields }, fields: Fields = {}, options?: CallOptions) =>
    token({ grant_type: 'client_credentials', ...client.fields, ...fields }, options);
  const refresh = (refreshToken: string, fields: Fields, options?: CallOptions) =>
    token({ grant_type: 'refresh_token', refresh_token: refreshToken, ...fields }, options);
  const begin = (fields: Fields = { client_id: 'entrepot-cli' }, options?: CallOptions) =>
    postForm('/oauth/device_authorization', fields, options);
  const poll = (deviceCode: string, fields: Fields = { client_id: 'entrepot-cli' }, options?: CallOptions) =>
    token({ grant_type: deviceGrant, device_code: deviceCode, ...fields }, options);
  const decide = (personToken: string, userCode: string, options: { deny?: boolean; from?: string } = {}) => {
    const { deny, from } = options;
    return call('POST', '/v1/devices/authorizations', {
      token: personToken,
      body: { userCode, ...(deny === undefined ? {} : { deny }) },
      ...(from === undefined ? {} : { from }),
    });
  };
  const introspect = (asked: string, fields: Fields, options?: CallOptions) =>
    postForm('/oauth/introspect', { token: asked, ...fields }, options);
  const revoke = (asked: string, fields: Fields, options?: CallOptions) => postForm('/oauth/revoke', { token: asked, ...fields }, options);

  return { ...server, givenPerson, givenClient, token, credentials, refresh, begin, poll, decide, introspect, revoke };
};

export const basic = (id: string, secret: string): CallOptions => ({
  headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
});
