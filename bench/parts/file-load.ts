import { connect } from 'node:net';
import { type Latency, latencyOf } from './figures.ts';
import { createMessageReader } from './http-bytes.ts';
import { serveProgram } from './program.ts';

// Small uploads and downloads as fast as they are answered, over plain sockets: one request at a time on each connection.

export interface FileLoadJob {
  readonly url: string;
  readonly token?: string;
  readonly method: 'POST' | 'GET';
  /** Taken in turn. */
  readonly paths: readonly string[];
  /** Bytes of text that each POST sends. */
  readonly bodyBytes: number;
  readonly connections: number;
  readonly seconds: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface FileLoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly latency: Latency;
  /** Answers other than 2xx, with how many there were of each status. */
  readonly refused: Readonly<Record<string, number>>;
}

const textOf = (bytes: number): string => 'The quick brown fox jumps over the lazy dog.\n'.repeat(Math.ceil(bytes / 45)).slice(0, bytes);

const run = async (job: FileLoadJob): Promise<FileLoadResult> => {
  const { hostname, port, host } = new URL(job.url);
  const authorization = job.token === undefined ? '' : `Authorization: Bearer ${job.token}\r\n`;
  const more = Object.entries(job.headers ?? {})
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
  const body = job.method === 'POST' ? textOf(job.bodyBytes) : '';
  const length = job.method === 'POST' ? `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n` : '';
  const requests = job.paths.map(
    (path) => `${job.method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${authorization}${more}${length}\r\n${body}`,
  );
  const times: number[] = [];
  const refused: Record<string, number> = {};
  let turn = 0;

  const startedAt = performance.now();
  const endAt = startedAt + job.seconds * 1000;
  const drive = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      let sentAt = 0;
      const send = () => {
        if (performance.now() >= endAt) {
          socket.destroy();
          return resolve();
        }
        sentAt = performance.now();
        socket.write(requests[turn++ % requests.length] ?? '', 'latin1');
      };
      const read = createMessageReader((answer) => {
        times.push(performance.now() - sentAt);
        const status = answer.slice(9, 12);
        if (!status.startsWith('2')) refused[status] = (refused[status] ?? 0) + 1;
        send();
      });
      socket.on('data', read);
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('end', () => reject(new Error('The server hung up.')));
    });
  await Promise.all(Array.from({ length: job.connections }, drive));
  return { requests: times.length, seconds: (performance.now() - startedAt) / 1000, latency: latencyOf(times), refused };
};

serveProgram<FileLoadJob, FileLoadResult>({}, run);
