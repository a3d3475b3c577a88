import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type Fetched, fetchBytes } from '../support/file-calls.ts';
import { call, givenOperator, type Json } from '../support/given.ts';
import { givenFile } from '../support/given-files.ts';
import * as samples from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// The bytes of a file go out by several roads. On each of them RFC 9110 holds in full.

/** Where a road leads for a file, and what has to be sent along. */
interface Way {
  readonly at: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface Road {
  readonly name: string;
  readonly cacheControl: RegExp;
  to(file: Json): Promise<Way>;
}

let server: TestServer;
let token: string;

const signedIn = (at: string): Way => ({ at, headers: { authorization: `Bearer ${token}` } });

const roads: readonly Road[] = [
  { name: 'by its id', cacheControl: /^private, no-cache$/, to: async ({ id }) => signedIn(`/v1/files/${id}/content`) },
  {
    name: 'by its name',
    cacheControl: /^private, no-cache$/,
    to: async ({ name }) => signedIn(`/v1/files/by-name/${encodeURIComponent(name)}/content`),
  },
  {
    name: 'by a signed link',
    cacheControl: /^private, max-age=\d+$/,
    async to({ id }) {
      const made = await call(server, 'POST', `/v1/files/${id}/links`, { token, body: {} });
      assert.equal(made.status, 201, made.text);
      return { at: made.body.url, headers: {} };
    },
  },
  {
    name: 'by its public address',
    cacheControl: /^public, max-age=31536000, immutable$/,
    to: async ({ url }) => ({ at: url, headers: {} }),
  },
  {
    name: 'by a share',
    cacheControl: /^private, no-store$/,
    async to({ id }) {
      const made = await call(server, 'POST', '/v1/shares', { token, body: { fileId: id } });
      assert.equal(made.status, 201, made.text);
      const path = `/v1/shares/${made.body.url.split('/').at(-1)}`;
      const opened = await call(server, 'POST', `${path}/open`, { body: {} });
      assert.equal(opened.status, 200, opened.text);
      return { at: `${path}/files/${id}/content`, headers: { 'x-share-token': opened.body.shareToken } };
    },
  },
];

before(async () => {
  server = await startServer();
  token = await givenOperator(server);
});
after(() => server.stop());

for (const { name: roadName, cacheControl, to } of roads) {
  describe(`a file that is fetched ${roadName}`, () => {
    const bytes = Buffer.from(
      Array.from({ length: 1_000 }, (_, index) => `${String(index).padStart(8, '0')}\n`)
        .join('')
        .repeat(20),
    );
    const size = bytes.length;
    let file: Json;
    let way: Way;
    before(async () => {
      file = await givenFile(server, token, bytes.toString(), { name: `Größe of ${roadName}.txt`, visibility: 'public' });
      way = await to(file);
    });

    const get = (headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<Fetched> =>
      fetchBytes(server, way.at, { method, headers: { ...way.headers, ...headers } });
    const ranged = (range: string, more = {}) => get({ range, ...more });
    const assertWhole = (answer: Fetched) => {
      assert.deepEqual([answer.status, answer.headers.get('content-range')], [200, null]);
      assert.ok(answer.bytes.equals(bytes));
    };

    it('comes whole, with what a client needs to know of it', async () => {
      const answer = await get();
      assertWhole(answer);
      const { headers } = answer;
      assert.equal(headers.get('content-length'), String(size));
      assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8');
      assert.equal(headers.get('etag'), `"${file.sha256}"`);
      assert.equal(headers.get('accept-ranges'), 'bytes');
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.match(headers.get('cache-control') ?? '', cacheControl);
      assert.match(
        headers.get('content-disposition') ?? '',
        /^(inline|attachment); filename="Gr__e of .*"; filename\*=UTF-8''Gr%C3%B6%C3%9Fe%20of/,
      );
    });

    it('has the same headers for HEAD, which ignores Range', async () => {
      const [whole, head] = [await get(), await get({ range: 'bytes=0-1' }, 'HEAD')];
      assert.deepEqual([head.status, head.bytes.length], [200, 0]);
      for (const header of ['content-length', 'content-type', 'etag', 'accept-ranges', 'content-disposition', 'last-modified']) {
        assert.equal(head.headers.get(header), whole.headers.get(header), header);
      }
    });

    it('comes in ranges: from to, open at the end, the last so many, beyond the end', async () => {
      for (const [range, first, last] of [
        ['bytes=0-0', 0, 0],
        ['bytes=9-17', 9, 17],
        [`bytes=${size - 5}-`, size - 5, size - 1],
        ['bytes=-7', size - 7, size - 1],
        [`bytes=100-${size * 2}`, 100, size - 1],
      ] as const) {
        const { status, headers, bytes: part } = await ranged(range);
        assert.deepEqual([status, headers.get('content-range')], [206, `bytes ${first}-${last}/${size}`], range);
        assert.equal(headers.get('content-length'), String(last - first + 1));
        assert.ok(part.equals(bytes.subarray(first, last + 1)), range);
        assert.equal(headers.get('etag'), `"${file.sha256}"`);
      }
    });

    it('comes in several ranges as one multipart answer', async () => {
      const { status, headers, bytes: body } = await ranged('bytes=0-8,50000-50008,-9');
      assert.equal(status, 206);
      const [, boundary] = /^multipart\/byteranges; boundary=(\S+)$/.exec(headers.get('content-type') ?? '') ?? [];
      assert.ok(boundary, String(headers.get('content-type')));
      assert.equal(headers.get('content-length'), String(body.length));
      for (const [first, last] of [
        [0, 8],
        [50_000, 50_008],
        [size - 9, size - 1],
      ] as const) {
        const part = `content-range: bytes ${first}-${last}/${size}\r\n\r\n${bytes.subarray(first, last + 1)}`;
        assert.ok(body.toString().toLowerCase().includes(part), part);
      }
    });

    it('is 416 where a range has none of its bytes, and whole where a range is nonsense', async () => {
      for (const range of [`bytes=${size}-`, 'bytes=-0']) {
        const { status, kind, headers } = await ranged(range);
        assert.deepEqual([status, kind, headers.get('content-range')], [416, 'bad-range', `bytes */${size}`], range);
      }
      for (const range of ['bytes=5-4', 'bytes=a-b', 'bytes', 'lines=0-1', 'bytes=--1', '0-1']) assertWhole(await ranged(range));
    });

    it('comes in ranges of the state that If-Range names, and whole of any other', async () => {
      assert.equal((await ranged('bytes=0-8', { 'if-range': `"${file.sha256}"` })).status, 206);
      for (const other of ['"another"', `W/"${file.sha256}"`, 'Sat, 01 Jan 2000 00:00:00 GMT']) {
        assertWhole(await ranged('bytes=0-8', { 'if-range': other }));
      }
    });

    it('does not come where the client has it (304), or wants another (412)', async () => {
      for (const known of [`"${file.sha256}"`, `W/"${file.sha256}"`, '*', `"a", "${file.sha256}"`]) {
        const { status, headers, bytes: none } = await get({ 'if-none-match': known });
        assert.deepEqual([status, none.length, headers.get('etag')], [304, 0, `"${file.sha256}"`], known);
        assert.match(headers.get('cache-control') ?? '', cacheControl);
      }
      assertWhole(await get({ 'if-none-match': '"another"' }));
      assertWhole(await get({ 'if-match': `"${file.sha256}"` }));
      const failed = await get({ 'if-match': '"another"', range: 'bytes=0-8' });
      assert.deepEqual([failed.status, failed.kind], [412, 'precondition-failed']);
    });

    it('has its digest on request', async () => {
      assert.equal((await get()).headers.get('repr-digest'), null);
      const { headers } = await ranged('bytes=0-8', { 'want-repr-digest': 'sha-256=5' });
      assert.equal(headers.get('repr-digest'), `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`);
    });

    it('takes GET and HEAD alone', async () => {
      const { status, kind, headers } = await get({}, 'PUT');
      assert.deepEqual([status, kind], [405, 'method-not-allowed']);
      assert.match(headers.get('allow') ?? '', /GET.*HEAD|HEAD.*GET/);
    });

    it('is saved and never run where a browser could run it', async () => {
      for (const [content, type] of [
        [samples.html(), 'text/html'],
        [samples.svg(), 'image/svg+xml'],
      ] as const) {
        const page = await givenFile(server, token, content, { name: `page of ${roadName}`, visibility: 'public' }, type);
        const { at, headers } = await to(page);
        const answer = await fetchBytes(server, at, { headers });
        assert.equal(answer.status, 200);
        assert.match(answer.headers.get('content-disposition') ?? '', /^attachment;/);
        assert.match(answer.headers.get('content-security-policy') ?? '', /\bsandbox\b/);
        assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      }
    });
  });
}
