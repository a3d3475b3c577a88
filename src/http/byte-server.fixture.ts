import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import { type SampleServer, startSampleServer } from './sample-server.ts';
import { type AnswerStart, type ByteSource, bytesAnswers, sendBytes } from './send-bytes.ts';

/** What the tests see of the bytes that are served. */
export interface Served {
  readonly opened: Readable[];
  readonly starts: AnswerStart[];
  reads: number;
}

export interface ByteServer extends SampleServer, Served {
  readonly address: string;
  readonly etag: string;
  readonly sha256: string;
}

export const modifiedAt = Date.UTC(2026, 10, 2, 9, 0, 0, 250);
export const modifiedDate = 'Mon, 02 Nov 2026 09:00:00 GMT';

const pieceBytes = 16 * 1024;

/** The bytes in pieces, as a file gives them. */
export const streamOf = (content: Buffer): Readable => {
  let at = 0;
  return new Readable({
    read() {
      this.push(at < content.length ? content.subarray(at, at + pieceBytes) : null);
      at += pieceBytes;
    },
  });
};

/** A server that serves `content` at `/v1/bytes`; `change` sets what a test is about. */
export const startByteServer = async (
  test: TestContext,
  content: Buffer,
  change: Partial<ByteSource> = {},
  limits = {},
): Promise<ByteServer> => {
  const sha256 = createHash('sha256').update(content).digest('hex');
  const etag = `"${sha256}"`;
  const served: Served = { opened: [], starts: [], reads: 0 };
  const source: ByteSource = {
    size: content.length,
    etag,
    sha256,
    type: 'text/plain',
    lastModified: modifiedAt,
    name: 'notes.txt',
    disposition: 'attachment',
    cacheControl: 'private, no-cache',
    async open(range) {
      const stream = streamOf(range === undefined ? content : content.subarray(range.first, range.last + 1));
      served.opened.push(stream);
      return stream;
    },
    async read({ first, last }) {
      served.reads += 1;
      return content.subarray(first, last + 1);
    },
    onStart: (start) => void served.starts.push(start),
    ...change,
  };
  const server = await startSampleServer(test, {}, (app) => {
    app.get(
      '/v1/bytes',
      { config: { access: 'public', answersHead: true }, schema: { summary: 'Bytes', produces: ['*/*'], response: bytesAnswers } },
      (request, reply) => sendBytes(request, reply, source, limits),
    );
  });
  return Object.assign(served, { ...server, address: `${server.url}/v1/bytes`, etag, sha256 });
};

/** An answer as it went over the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Sends a request by hand, since `fetch` sets and hides headers of its own, and resolves when the server hangs up. */
export const onWire = (port: number, headers: Readonly<Record<string, string>> = {}, method = 'GET'): Promise<WireAnswer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const lines = Object.entries({ host: 'x', connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = connect(port, '127.0.0.1', () => socket.write(`${method} /v1/bytes HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      const whole = Buffer.concat(chunks);
      const end = whole.indexOf('\r\n\r\n');
      const [first = '', ...rest] = whole.subarray(0, end).toString('latin1').split('\r\n');
      const pairs = rest.map((line): [string, string] => [
        line.slice(0, line.indexOf(':')).toLowerCase(),
        line.slice(line.indexOf(':') + 1).trim(),
      ]);
      resolve({ status: Number(first.split(' ')[1]), headers: new Map(pairs), body: whole.subarray(end + 4) });
    });
  });
