import assert from 'node:assert/strict';
import { upload } from './file-calls.ts';
import { call, type Json } from './given.ts';
import type { TestServer } from './start-server.ts';

type Server = Pick<TestServer, 'url'>;

/** What is said of a file; a list is a field that is repeated. */
export type GivenFields = Readonly<Record<string, string | readonly string[]>>;

/** A file that is there. Text is declared as such, bytes as nothing unless `type` says what they are. */
export const givenFile = async (
  server: Server,
  token: string,
  bytes: Uint8Array | string,
  fields: GivenFields = {},
  type = typeof bytes === 'string' ? 'text/plain' : undefined,
): Promise<Json> => {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ name: 'note.txt', ...fields })) for (const one of [value].flat()) query.append(name, one);
  const answer = await upload(server, bytes, { token, query, type });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
};

/** A file of which only matters what is said of it. */
export const givenNote = (server: Server, token: string, fields: GivenFields, text = 'some text'): Promise<Json> =>
  givenFile(server, token, text, fields);

/** A folder, at the top level or in another one. Resolves with its id. */
export const givenFolder = async (server: Server, token: string, name: string, parentId?: string): Promise<string> => {
  const body = { name, ...(parentId === undefined ? {} : { parentId }) };
  const answer = await call(server, 'POST', '/v1/folders', { token, body });
  assert.equal(answer.status, 201, answer.text);
  return answer.body.id;
};

/** Puts a file of theirs into a folder and locks that. Resolves with the folder's id. */
export const lockAway = async (server: Server, token: string, fileId: string): Promise<string> => {
  const folderId = await givenFolder(server, token, 'safe');
  const moved = await call(server, 'PATCH', `/v1/files/${fileId}`, { token, body: { folderId } });
  assert.equal(moved.status, 200, moved.text);
  const locked = await call(server, 'PUT', `/v1/folders/${folderId}/lock`, { token, body: { password: 'open sesame' } });
  assert.equal(locked.status, 204, locked.text);
  return folderId;
};

/** The names on one page of files. */
export const namesOf = async (server: Server, token: string, query: string): Promise<string[]> => {
  const answer = await call(server, 'GET', `/v1/files?${query}`, { token });
  assert.equal(answer.status, 200, answer.text);
  return answer.body.items.map(({ name }: Json) => name);
};
