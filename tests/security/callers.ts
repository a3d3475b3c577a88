import assert from 'node:assert/strict';
import { call, givenOperator, type Json } from '../support/given.ts';
import type { TestServer } from '../support/start-server.ts';
import { scopesOfRole } from './access-table.ts';

/** No example of the API document bears it, so that no example changes or deletes whoever sends it. */
const password = 'nobody will guess this one';

/** Somebody who tries the routes. */
export interface Caller {
  readonly name: string;
  readonly kind: 'person' | 'device' | 'service' | 'program';
  readonly tenant: string;
  /** What it may do. */
  readonly scopes: readonly string[];
  /** The access token of a session that is open. */
  token(): string;
  /** After an act that may have ended it: comes back with an open session, as another person where this one is gone. */
  revive(): Promise<void>;
}

/** Who looks after a tenant; makes its callers, and tries nothing itself. */
export interface Keeper {
  readonly tenant: string;
  readonly tenantId: string;
  readonly token: string;
}

type Server = Pick<TestServer, 'url'>;

let made = 0;

const signIn = async (server: Server, body: Json): Promise<Json> => {
  const { status, body: session, text } = await call(server, 'POST', '/v1/sessions', { body });
  assert.equal(status, 201, text);
  return session;
};

export const keeperOfDefault = async (server: Server): Promise<Keeper> => {
  const token = await givenOperator(server);
  return { tenant: 'default', tenantId: (await call(server, 'GET', '/v1/me', { token })).body.tenantId, token };
};

/** A tenant and the admin who looks after it. */
export const makeTenant = async (server: Server, operator: Keeper, tenant: string): Promise<Keeper> => {
  const username = `keeper-of-${tenant}`;
  const body = { name: tenant, slug: tenant, admin: { username, password } };
  const { status, body: answer, text } = await call(server, 'POST', '/v1/tenants', { token: operator.token, body });
  assert.equal(status, 201, text);
  const session = await signIn(server, { method: 'password', username, password });
  return { tenant, tenantId: answer.id, token: session.accessToken };
};

/** Opens a session by `open`, and another when it has ended. */
const withSession = async (
  server: Server,
  caller: Pick<Caller, 'name' | 'kind' | 'tenant' | 'scopes'>,
  open: () => Promise<Json>,
): Promise<Caller> => {
  let session = await open();
  return {
    ...caller,
    token: () => session.accessToken,
    async revive() {
      const { status } = await call(server, 'GET', '/v1/me', { token: session.accessToken });
      if (status === 401) session = await open();
    },
  };
};

/** A person of that role. */
export const makePerson = (
  server: Server,
  { tenant, token }: Keeper,
  role: keyof typeof scopesOfRole,
  name: string = role,
): Promise<Caller> =>
  withSession(server, { name, kind: 'person', tenant, scopes: scopesOfRole[role] }, async () => {
    made += 1;
    const username = `person-${made}`;
    const person = await call(server, 'POST', '/v1/tenant/people', { token, body: { username, password, role } });
    assert.equal(person.status, 201, person.text);
    return await signIn(server, { method: 'password', username, password });
  });

/** A service of exactly those scopes. */
export const makeService = async (server: Server, { tenant, token }: Keeper, scopes: readonly string[], name: string): Promise<Caller> => {
  const { body } = await call(server, 'POST', '/v1/services', { token, body: { name, scopes } });
  const credentials = { method: 'secret', authId: body.authId, secret: body.secret };
  return await withSession(server, { name, kind: 'service', tenant, scopes }, () => signIn(server, credentials));
};

/** Pairs a device with its person; resolves with the session that the device has then. */
export const pairDevice = async (server: Server, personToken: string): Promise<Json> => {
  made += 1;
  const deviceId = `device-${made}`;
  const { body } = await call(server, 'POST', '/v1/devices/pairings', { token: personToken, body: { deviceId } });
  return await signIn(server, { method: 'pin', deviceId, pin: body.pin });
};

/** A device of an admin: it may do what a member may, and no more. */
export const makeDevice = async (server: Server, keeper: Keeper): Promise<Caller> => {
  const person = await makePerson(server, keeper, 'admin');
  const device = { name: "an admin's device", kind: 'device', tenant: keeper.tenant, scopes: scopesOfRole.member } as const;
  return await withSession(server, device, () => pairDevice(server, person.token()));
};

const form = async (server: Server, path: string, fields: Record<string, string>): Promise<Json> => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return (await call(server, 'POST', path, { body: new URLSearchParams(fields).toString(), headers })).body;
};

/** A program that an admin let in for some scopes only (RFC 8628). */
export const makeProgram = async (server: Server, keeper: Keeper, scopes: readonly string[]): Promise<Caller> => {
  const person = await makePerson(server, keeper, 'admin');
  const program = { name: 'a program that was given a part', kind: 'program', tenant: keeper.tenant, scopes } as const;
  return await withSession(server, program, async () => {
    const client = { client_id: 'entrepot-cli' };
    const codes = await form(server, '/oauth/device_authorization', { ...client, scope: scopes.join(' ') });
    const body = { userCode: codes.user_code };
    await call(server, 'POST', '/v1/devices/authorizations', { token: person.token(), body });
    const grant = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: codes.device_code };
    const given = await form(server, '/oauth/token', { ...client, ...grant });
    return { accessToken: given.access_token };
  });
};
