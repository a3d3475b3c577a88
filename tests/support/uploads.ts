import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Answer, Json } from './given.ts';
import { eventually } from './given.ts';
import { keptBytes, sha256Of } from './kept-bytes.ts';
import { noteRefusal } from './refusals-seen.ts';
import type { TestServer } from './start-server.ts';

type Server = Pick<TestServer, 'url'>;

const answerOf = async (response: Response): Promise<Answer> => {
  const text = await response.text();
  noteRefusal('POST', '/v1/files', response.status, text);
  return { status: response.status, text, headers: response.headers, body: text === '' ? undefined : (JSON.parse(text) as Json) };
};

export interface UploadOptions {
  readonly token: string | undefined;
  /** Fields, for the query. */
  readonly query?: Readonly<Record<string, string>> | URLSearchParams;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const urlOf = ({ url }: Server, query: UploadOptions['query'] = {}) => {
  const text = new URLSearchParams(query).toString();
  return `${url}/v1/files${text === '' ? '' : `?${text}`}`;
};

const authorizationOf = (token: string | undefined) => (token === undefined ? {} : { authorization: `Bearer ${token}` });

/** Sends the bytes as the body; a stream without a length. */
export const upload = async (
  server: Server,
  body: Uint8Array<ArrayBuffer> | string | ReadableStream<Uint8Array>,
  { token, query, type, headers }: UploadOptions,
): Promise<Answer> =>
  await answerOf(
    await fetch(urlOf(server, query), {
      method: 'POST',
      headers: { ...authorizationOf(token), ...(type === undefined ? {} : { 'content-type': type }), ...headers },
      body,
      ...(body instanceof ReadableStream ? { duplex: 'half' as const } : {}),
    }),
  );

/** Sends a form as a browser does. */
export const uploadForm = async (server: Server, form: FormData, { token, query, headers }: UploadOptions): Promise<Answer> =>
  await answerOf(await fetch(urlOf(server, query), { method: 'POST', headers: { ...authorizationOf(token), ...headers }, body: form }));

/** Fails unless the file was made and its bytes lie on disk as they were sent. */
export const assertKept = ({ dataFolder }: Pick<TestServer, 'dataFolder'>, answer: Answer, bytes: Uint8Array): Json => {
  assert.equal(answer.status, 201, answer.text);
  const { id, size, sha256 } = answer.body;
  assert.equal(answer.headers.get('location'), `/v1/files/${id}`);
  assert.equal(size, bytes.length);
  assert.equal(sha256, sha256Of(bytes));
  const path = keptBytes(dataFolder).whole.get(id);
  assert.ok(path !== undefined, 'its bytes are not there');
  assert.ok(readFileSync(path).equals(bytes), 'its bytes are others');
  return answer.body;
};

/** Fails with what lies about in the end, beside the bytes that were there before. */
export const assertNothingLeft = async (
  { dataFolder }: Pick<TestServer, 'dataFolder'>,
  before: ReadonlySet<string> = new Set(),
  limitMs = 10_000,
): Promise<void> => {
  await eventually(
    async () => {
      const { whole, unfinished } = keptBytes(dataFolder);
      return [...unfinished, ...[...whole.keys()].filter((key) => !before.has(key))];
    },
    ({ length }) => length === 0,
    limitMs,
  );
};
