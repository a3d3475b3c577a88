import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { type Answer, call } from './given.ts';
import { noteRefusal } from './refusals-seen.ts';
import type { TestServer } from './start-server.ts';

type Server = Pick<TestServer, 'url'>;

export const resumablePath = '/v1/files/resumable';

export const metadataOf = (pairs: Readonly<Record<string, string>>): string =>
  Object.entries(pairs)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');

export const checksumOf = (algorithm: 'sha1' | 'sha256', bytes: Uint8Array | string): string =>
  `${algorithm} ${createHash(algorithm).update(bytes).digest('base64')}`;

export type TusHeaders = Readonly<Record<string, string>>;

/** A client that speaks tus by hand. Headers given as an empty text are left out. */
export const tusClient = (server: Server, token: string) => {
  const send = async (method: string, path: string, headers: TusHeaders = {}, body?: string | Uint8Array): Promise<Answer> => {
    const given = Object.entries({ 'tus-resumable': '1.0.0', ...headers }).filter(([, value]) => value !== '');
    if (!(body instanceof Uint8Array)) return await call(server, method, path, { token, headers: Object.fromEntries(given), body });
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { ...Object.fromEntries(given), authorization: `Bearer ${token}` },
      body: new Blob([new Uint8Array(body)]),
    });
    const text = await response.text();
    noteRefusal(method, path, response.status, text);
    return { status: response.status, text, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  };
  const chunk = { 'content-type': 'application/offset+octet-stream' };
  return {
    send,
    create: (headers: TusHeaders, body?: string | Uint8Array) =>
      send('POST', resumablePath, { ...(body === undefined ? {} : chunk), ...headers }, body),
    /** Begins an upload; resolves with its path. */
    async begin(headers: TusHeaders): Promise<string> {
      const { status, text, headers: answered } = await send('POST', resumablePath, headers);
      assert.equal(status, 201, text);
      return answered.get('location') ?? '';
    },
    head: (path: string, headers: TusHeaders = {}) => send('HEAD', path, headers),
    patch: (path: string, offset: number, body: string | Uint8Array, headers: TusHeaders = {}) =>
      send('PATCH', path, { ...chunk, 'upload-offset': String(offset), ...headers }, body),
  };
};

export type TusClient = ReturnType<typeof tusClient>;

export const idOf = (path: string): string => path.split('/').at(-1) ?? '';

/** So much text; every place of it differs from its neighbours, so that bytes in the wrong place show. */
export const textOf = (bytes: number): Buffer => {
  const lines: string[] = [];
  for (let length = 0, number = 0; length < bytes; number += 1) {
    const line = `line ${number} of a long text\n`;
    lines.push(line);
    length += line.length;
  }
  return Buffer.from(lines.join('')).subarray(0, bytes);
};
