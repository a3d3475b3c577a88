import assert from 'node:assert/strict';
import { call, type Json } from './given.ts';
import type { TestServer } from './start-server.ts';

type Server = Pick<TestServer, 'url'>;

let made = 0;

/** A person of the operator's tenant, signed in. */
export const givenPerson = async (
  server: Server,
  operatorToken: string,
  { role = 'member', roles = [] }: { role?: string; roles?: readonly string[] } = {},
): Promise<{ id: string; token: string }> => {
  made += 1;
  const person = { username: `person-${made}`, password: 'nobody will guess this one' };
  const answer = await call(server, 'POST', '/v1/tenant/people', { token: operatorToken, body: { ...person, role, roles } });
  assert.equal(answer.status, 201, answer.text);
  const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...person } });
  assert.equal(session.status, 201, session.text);
  return { id: answer.body.id, token: session.body.accessToken };
};

/** A file of text, with what is said of it. */
export const givenFile = async (
  server: Server,
  token: string,
  fields: Readonly<Record<string, string | readonly string[]>>,
  text = 'some text',
): Promise<Json> => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) query.append(name, one);
  const answer = await call(server, 'POST', `/v1/files?${query}`, { token, body: text, headers: { 'content-type': 'text/plain' } });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
};

/** The names on one page of files. */
export const namesOf = async (server: Server, token: string, query: string): Promise<string[]> => {
  const answer = await call(server, 'GET', `/v1/files?${query}`, { token });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.items.map(({ name }: Json) => name);
};
