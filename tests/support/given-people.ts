import assert from 'node:assert/strict';
import { call } from './given.ts';
import type { TestServer } from './start-server.ts';

export const password = 'nobody will guess this one';

export interface Person {
  readonly id: string;
  readonly username: string;
  readonly token: string;
}

/** A person of the tenant whose admin's token it is, signed in. */
export const givenPerson = async (
  server: Pick<TestServer, 'url'>,
  adminToken: string,
  { username = `person-${crypto.randomUUID()}`, ...more }: { username?: string; role?: string; roles?: readonly string[] } = {},
): Promise<Person> => {
  const body = { username, password, role: 'member', ...more };
  const made = await call(server, 'POST', '/v1/tenant/people', { token: adminToken, body });
  assert.equal(made.status, 201, made.text);
  const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', username, password } });
  assert.equal(session.status, 201, session.text);
  return { id: made.body.id, username, token: session.body.accessToken };
};
