import type { Answer, Json } from './given.ts';
import { noteRefusal } from './refusals-seen.ts';
import type { TestServer } from './start-server.ts';

// Requests with bytes in them, and for bytes: what `call` cannot do, which speaks JSON.

type Server = Pick<TestServer, 'url'>;
type Bytes = Uint8Array | string | ReadableStream<Uint8Array>;

interface SendOptions {
  readonly token?: string | undefined;
  /** Fields, for the query. */
  readonly query?: Readonly<Record<string, string>> | URLSearchParams;
  readonly type?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

const headersOf = ({ token, type, headers }: SendOptions): Record<string, string> => ({
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  ...(type === undefined ? {} : { 'content-type': type }),
  ...headers,
});

const send = async (
  { url }: Server,
  method: string,
  path: string,
  body: string | Uint8Array<ArrayBuffer> | FormData | ReadableStream<Uint8Array>,
  options: SendOptions,
): Promise<Answer> => {
  const query = new URLSearchParams(options.query).toString();
  const response = await fetch(`${url}${path}${query === '' ? '' : `?${query}`}`, {
    ...{ method, headers: headersOf(options), body },
    ...(body instanceof ReadableStream ? { duplex: 'half' as const } : {}),
  });
  const text = await response.text();
  noteRefusal(method, path, response.status, text);
  let parsed: Json;
  try {
    parsed = JSON.parse(text);
  } catch {
    parsed = undefined;
  }
  return { status: response.status, text, headers: response.headers, body: parsed };
};

/** Sends bytes as they are, a stream without a length. */
export const sendBytes = (server: Server, method: string, path: string, bytes: Bytes, options: SendOptions = {}): Promise<Answer> =>
  send(server, method, path, bytes instanceof Uint8Array ? new Uint8Array(bytes) : bytes, options);

/** Uploads bytes as the body of a request, with what is to be known of them in the query. */
export const upload = (server: Server, bytes: Bytes, options: SendOptions = {}): Promise<Answer> =>
  sendBytes(server, 'POST', '/v1/files', bytes, options);

/** Uploads a form as a browser does. */
export const uploadForm = (server: Server, form: FormData, options: SendOptions = {}): Promise<Answer> =>
  send(server, 'POST', '/v1/files', form, options);

/** A form with a file behind those fields; a list is a field that is repeated. */
export const formOf = (
  fields: Readonly<Record<string, string | readonly string[]>>,
  file: { readonly name: string; readonly type?: string; readonly bytes: Uint8Array },
): FormData => {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) form.append(name, one);
  form.append('file', new Blob([new Uint8Array(file.bytes)], { type: file.type ?? '' }), file.name);
  return form;
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
  { url }: Server,
  at: string,
  { method = 'GET', ...options }: Pick<SendOptions, 'token' | 'headers'> & { readonly method?: string } = {},
): Promise<Fetched> => {
  const address = new URL(at, url);
  const answer = await fetch(address, { method, headers: headersOf(options), redirect: 'manual' });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const text = answer.status < 400 ? '' : bytes.toString();
  noteRefusal(method, address.pathname, answer.status, text);
  return { status: answer.status, headers: answer.headers, bytes, kind: /"type":"\/problems\/([\w-]+)"/.exec(text)?.[1] };
};
