import assert from 'node:assert/strict';
import type { Answer, Json } from './given.ts';
import { noteRefusal } from './refusals-seen.ts';
import type { TestServer } from './start-server.ts';

type Server = Pick<TestServer, 'url'>;

export interface SendOptions {
  readonly token?: string | undefined;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const answerOf = async (method: string, path: string, response: Response): Promise<Answer> => {
  const text = await response.text();
  noteRefusal(method, path, response.status, text);
  let body: Json;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  return { status: response.status, text, headers: response.headers, body };
};

const authorized = (token: string | undefined): Record<string, string> => (token === undefined ? {} : { authorization: `Bearer ${token}` });

/** Sends bytes as they are. */
export const sendBytesTo = async (
  { url }: Server,
  method: string,
  path: string,
  bytes: Uint8Array,
  { token, type, headers = {} }: SendOptions = {},
): Promise<Answer> => {
  const response = await fetch(`${url}${path}`, {
    method,
    body: new Uint8Array(bytes),
    headers: { ...authorized(token), ...(type === undefined ? {} : { 'content-type': type }), ...headers },
  });
  return await answerOf(method, path, response);
};

/** Uploads a file by a form, as a browser does; a list is a field that is repeated. */
export const sendForm = async (
  { url }: Server,
  fields: Readonly<Record<string, string | readonly string[]>>,
  file: { readonly name: string; readonly type?: string; readonly bytes: Uint8Array },
  { token, headers = {} }: SendOptions = {},
): Promise<Answer> => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) form.append(name, one);
  form.append('file', new Blob([new Uint8Array(file.bytes)], { type: file.type ?? '' }), file.name);
  const response = await fetch(`${url}/v1/files`, { method: 'POST', body: form, headers: { ...authorized(token), ...headers } });
  return await answerOf('POST', '/v1/files', response);
};

/** A file that is there: its bytes under that name and with those fields. */
export const givenFile = async (
  server: Server,
  token: string,
  bytes: Uint8Array,
  fields: Readonly<Record<string, string>>,
  options: SendOptions = {},
): Promise<Json> => {
  const answer = await sendBytesTo(server, 'POST', `/v1/files?${new URLSearchParams(fields)}`, bytes, { token, ...options });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
};

/** Asks for bytes. `path` may be a whole address. */
export const fetchBytes = async (
  { url }: Server,
  path: string,
  { token, headers = {} }: SendOptions = {},
): Promise<{ status: number; headers: Headers; bytes: Buffer }> => {
  const response = await fetch(path.startsWith('http') ? path : `${url}${path}`, {
    headers: { ...authorized(token), ...headers },
    redirect: 'manual',
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  if (response.status >= 400) noteRefusal('GET', new URL(path, url).pathname, response.status, bytes.toString());
  return { status: response.status, headers: response.headers, bytes };
};
