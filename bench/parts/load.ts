import { connect, type Socket } from 'node:net';
import { type Latency, latencyOf } from './figures.ts';
import { createMessageReader } from './http-bytes.ts';
import { serveProgram } from './program.ts';
import { sampleEvent } from './sample-event.ts';

// The load generator. It shares two cores with what it measures, so it costs as little as it can: HTTP/1.1 by hand over plain sockets,
// one request at a time on each connection, the next one sent when the answer of the one before is there as a whole.

export interface LoadJob {
  readonly url: string;
  readonly token: string;
  /** Asks for it by GET instead of sending events. */
  readonly path?: string;
  readonly connections: number;
  readonly seconds: number;
  /** 1 sends an object, more an array. */
  readonly eventsPerRequest: number;
  /** Stands in front of the ids: no two runs may send the same. */
  readonly runName: string;
  /** Ends after so many events, if that is before the time. */
  readonly maxEvents?: number;
}

export interface LoadResult {
  readonly events: number;
  readonly requests: number;
  readonly seconds: number;
  readonly latency: Latency;
  readonly over500ms: number;
  /** Answers other than 202 (to a GET 200), with how many there were of each status. */
  readonly refused: Readonly<Record<string, number>>;
}

const slowMs = 500;
const run = async (job: LoadJob): Promise<LoadResult> => {
  const { hostname, port, host } = new URL(job.url);
  const head = `POST /v1/events HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${job.token}\r\nContent-Type: application/json\r\n`;
  const get = `GET ${job.path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${job.token}\r\n\r\n`;
  const wantedStatus = job.path === undefined ? '202' : '200';
  const times: number[] = [];
  const refused: Record<string, number> = {};
  const maxEvents = job.maxEvents ?? Number.POSITIVE_INFINITY;
  let number = 0;
  let events = 0;

  const nextBody = (): string => {
    const one = () => sampleEvent(`${job.runName}-${number++}`);
    return job.eventsPerRequest === 1 ? one() : `[${Array.from({ length: job.eventsPerRequest }, one).join(',')}]`;
  };

  const startedAt = performance.now();
  const endAt = startedAt + job.seconds * 1000;
  await Promise.all(Array.from({ length: job.connections }, () => drive()));
  const seconds = (performance.now() - startedAt) / 1000;
  const over500ms = times.filter((ms) => ms > slowMs).length;
  return { events, requests: times.length, seconds, latency: latencyOf(times), over500ms, refused };

  /** One connection, until the time is over. */
  function drive(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket: Socket = connect({ host: hostname, port: Number(port), noDelay: true });
      let sentAt = 0;
      const send = () => {
        if (performance.now() >= endAt || number >= maxEvents) {
          socket.destroy();
          return resolve();
        }
        const body = job.path === undefined ? nextBody() : ''; // ASCII, so its length is its size
        sentAt = performance.now();
        socket.write(job.path === undefined ? `${head}Content-Length: ${body.length}\r\n\r\n${body}` : get, 'latin1');
      };
      const read = createMessageReader((answer) => {
        times.push(performance.now() - sentAt);
        const status = answer.slice(9, 12);
        if (status === wantedStatus) events += job.eventsPerRequest;
        else refused[status] = (refused[status] ?? 0) + 1;
        send();
      });
      socket.on('data', read);
      socket.on('connect', send);
      socket.on('error', reject);
      socket.on('end', () => reject(new Error('The server hung up.')));
    });
  }
};

serveProgram<LoadJob, LoadResult>({}, run);
