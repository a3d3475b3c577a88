import { connect } from 'node:net';
import { serveProgram } from './program.ts';

// One large file up or down over one connection, or several at a time, with hardly any cost on this side.

export interface TransferJob {
  readonly url: string;
  readonly token?: string;
  readonly path: string;
  /** Up: what is sent. Down: undefined. */
  readonly uploadBytes?: number;
  readonly parallel: number;
}

export interface TransferResult {
  readonly seconds: number;
  readonly bytes: number;
  /** The bodies of the answers to uploads. */
  readonly answers: readonly string[];
  readonly statuses: readonly string[];
}

const chunk = Buffer.from('The quick brown fox jumps over the lazy dog, again and again.\n'.repeat(4_300)).subarray(0, 256 * 1024);

const transfer = (job: TransferJob) =>
  new Promise<{ status: string; body: string; bytes: number }>((resolve, reject) => {
    const { hostname, port, host } = new URL(job.url);
    const socket = connect({ host: hostname, port: Number(port) });
    const authorization = job.token === undefined ? '' : `Authorization: Bearer ${job.token}\r\n`;
    const { uploadBytes } = job;
    let head = '';
    let headBytes = 0;
    let arrived = 0;
    let wanted = Number.POSITIVE_INFINITY;

    const pour = (left: number) => {
      let rest = left;
      while (rest > 0) {
        const part = rest >= chunk.length ? chunk : chunk.subarray(0, rest);
        rest -= part.length;
        if (!socket.write(part)) {
          const next = rest;
          socket.once('drain', () => pour(next));
          return;
        }
      }
    };
    socket.on('connect', () => {
      if (uploadBytes === undefined) return void socket.write(`GET ${job.path} HTTP/1.1\r\nHost: ${host}\r\n${authorization}\r\n`);
      socket.write(
        `POST ${job.path} HTTP/1.1\r\nHost: ${host}\r\n${authorization}Content-Type: text/plain\r\nContent-Length: ${uploadBytes}\r\n\r\n`,
      );
      pour(uploadBytes);
    });
    socket.on('data', (bytes: Buffer) => {
      arrived += bytes.length;
      if (wanted === Number.POSITIVE_INFINITY) {
        head += bytes.toString('latin1');
        const end = head.indexOf('\r\n\r\n');
        if (end === -1) return;
        headBytes = end + 4;
        wanted = headBytes + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      } else if (uploadBytes !== undefined) head += bytes.toString('latin1');
      if (arrived < wanted) return;
      socket.destroy();
      resolve({ status: head.slice(9, 12), body: uploadBytes === undefined ? '' : head.slice(headBytes), bytes: arrived - headBytes });
    });
    socket.on('error', reject);
    socket.on('end', () => reject(new Error('The server hung up.')));
  });

const run = async (job: TransferJob): Promise<TransferResult> => {
  const startedAt = performance.now();
  const all = await Promise.all(Array.from({ length: job.parallel }, () => transfer(job)));
  return {
    seconds: (performance.now() - startedAt) / 1000,
    bytes: job.uploadBytes === undefined ? all.reduce((sum, { bytes }) => sum + bytes, 0) : job.uploadBytes * job.parallel,
    answers: all.map(({ body }) => body),
    statuses: all.map(({ status }) => status),
  };
};

serveProgram<TransferJob, TransferResult>({}, run);
