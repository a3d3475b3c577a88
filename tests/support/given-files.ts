import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Json } from './given.ts';
import { noteRefusal } from './refusals-seen.ts';
import type { TestServer } from './start-server.ts';

/** Uploads bytes as the body of a request, with the fields in the query. Resolves with the file. */
export const givenFile = async (
  { url }: Pick<TestServer, 'url'>,
  token: string,
  bytes: Buffer | string,
  fields: Readonly<Record<string, string>> = {},
  type = 'text/plain',
): Promise<Json> => {
  const answer = await fetch(`${url}/v1/files?${new URLSearchParams({ name: 'note.txt', ...fields })}`, {
    method: 'POST',
    headers: { 'content-type': type, authorization: `Bearer ${token}` },
    body: typeof bytes === 'string' ? bytes : new Uint8Array(bytes),
  });
  const text = await answer.text();
  assert.equal(answer.status, 201, text);
  return JSON.parse(text);
};

/** What came back for a request of bytes. */
export interface Fetched {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** The kind of the refusal; undefined where it was none. */
  readonly kind: string | undefined;
}

/** Fetches bytes; `at` is a path or a whole address. */
export const fetchBytes = async (
  { url }: Pick<TestServer, 'url'>,
  at: string,
  { token, method = 'GET', headers = {} }: { token?: string; method?: string; headers?: Readonly<Record<string, string>> } = {},
): Promise<Fetched> => {
  const address = new URL(at, url);
  const answer = await fetch(address, {
    method,
    headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const text = answer.status < 400 ? '' : bytes.toString();
  noteRefusal(method, address.pathname, answer.status, text);
  return { status: answer.status, headers: answer.headers, bytes, kind: /"type":"\/problems\/([\w-]+)"/.exec(text)?.[1] };
};

/** Changes what the server has written, while it runs. */
export const changeData = ({ dataFolder }: Pick<TestServer, 'dataFolder'>, sql: string, ...values: (string | number | null)[]): void => {
  const data = new DatabaseSync(join(dataFolder, 'entrepot.db'), { timeout: 5_000 });
  try {
    data.prepare(sql).run(...values);
  } finally {
    data.close();
  }
};

/** Puts a file into a folder of its owner that is locked. */
export const lockAway = (server: Pick<TestServer, 'dataFolder'>, fileId: string): void => {
  const folderId = `fold_${fileId.slice('file_'.length)}`;
  changeData(
    server,
    `insert into folders (id, tenantId, ownerId, parentId, name, nameKey, lockHash, createdAt, updatedAt)
      select ?, tenantId, ownerId, null, 'safe', 'safe', 'x', 0, 0 from files where id = ?`,
    ...[folderId, fileId],
  );
  changeData(server, 'update files set folderId = ? where id = ?', folderId, fileId);
};
