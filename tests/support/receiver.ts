import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** A request as it arrived, whole. */
export interface Received {
  /** `performance.now()` when the last byte of its head was read. */
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body parsed; undefined when it is not JSON. */
  readonly json: unknown;
  /** Counts connections from 1: requests of one connection have the same number. */
  readonly connection: number;
}

/** What the receiver does with a request. */
export type Answer =
  | {
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** An object is sent as JSON. */
      readonly body?: string | object;
      /** Waits this long first. */
      readonly afterMs?: number;
    }
  /** Never answers. */
  | 'hang'
  /** Resets the connection at once. */
  | 'reset'
  /** Sends half of an answer, then resets. */
  | 'half'
  /** Sends bytes that are not HTTP. */
  | 'garbage'
  /** Sends the head, then a byte of the body every 50 ms, without end. */
  | 'drip'
  /** Sends a body without end as fast as it is taken. */
  | 'flood'
  /** 302 to a path of its own. */
  | 'redirect';

export interface ReceiverOptions {
  /** Without it: 200 as a GraphQL server that is content. */
  answer?: (request: Received) => Answer | Promise<Answer>;
  /** Beyond it: 429 with Retry-After, before `answer` is asked. */
  rate?: { requests: number; intervalMs: number };
  /** This share of what the rate lets through (0 to 1) gets a 500; the same ones in every run. */
  failureShare?: number;
}

export interface Receiver {
  readonly url: string;
  /** Every request, in order of arrival, whatever was answered. */
  readonly received: readonly Received[];
  /** `at` of every request. */
  readonly arrivals: readonly number[];
  /** Connections made so far. */
  readonly connections: () => number;
  /** Resolves when `received` has that many entries, or satisfies the claim; rejects after `timeoutMs` (default 10 s). */
  waitFor(wanted: number | ((received: readonly Received[]) => boolean), timeoutMs?: number): Promise<void>;
  /** From now on answers differently. */
  answerWith(answer: NonNullable<ReceiverOptions['answer']>): void;
  stop(): Promise<void>;
}

const contented: Answer = { body: { data: { processEvent: { id: '1' } } } };

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** Numbers from 0 to 1 that are the same in every run (mulberry32). */
const createChance = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
  return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
};

/** What a limited receiver says to a request that is too early; undefined when it may pass. Only what passed counts. */
const createRateGate = ({ requests, intervalMs }: { requests: number; intervalMs: number }) => {
  const passed: number[] = [];
  return (at: number): Answer | undefined => {
    while ((passed[0] ?? at) <= at - intervalMs) passed.shift();
    if (passed.length < requests) {
      passed.push(at);
      return undefined;
    }
    const freeInMs = (passed[0] ?? at) + intervalMs - at;
    return {
      status: 429,
      headers: { 'retry-after': String(Math.max(1, Math.ceil(freeInMs / 1000))) },
      body: { error: 'too many requests' },
    };
  };
};

const flood = (response: ServerResponse) => {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const pour = () => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', pour);
  pour();
};

const give = (answer: Exclude<Answer, object>, response: ServerResponse, socket: Socket) => {
  switch (answer) {
    case 'hang':
      return;
    case 'reset':
      socket.resetAndDestroy();
      return;
    case 'half':
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"data":', () =>
        socket.resetAndDestroy(),
      );
      return;
    case 'garbage':
      socket.end('\u0000\u0001\u0002 this is not HTTP \r\n\r\n');
      return;
    case 'drip': {
      response.writeHead(200, { 'content-type': 'application/json' });
      const timer = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(timer));
      return;
    }
    case 'flood':
      response.writeHead(200, { 'content-type': 'application/json' });
      flood(response);
      return;
    case 'redirect':
      response.writeHead(302, { location: '/elsewhere' }).end();
      return;
    default:
      answer satisfies never;
  }
};

const respond = async (answer: Answer, response: ServerResponse, socket: Socket) => {
  if (typeof answer === 'string') return give(answer, response, socket);
  const { status = 200, headers, body = '', afterMs } = answer;
  if (afterMs !== undefined) await new Promise((resolve) => setTimeout(resolve, afterMs));
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? 'text/plain' : 'application/json';
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text), ...headers }).end(text);
};

/** A real HTTP server on a free port of 127.0.0.1 that keeps what it is sent and answers as it is told. */
export const startReceiver = async ({ answer, rate, failureShare = 0 }: ReceiverOptions = {}): Promise<Receiver> => {
  const received: Received[] = [];
  const arrivals: number[] = [];
  const waiting = new Set<() => void>();
  const sockets = new Map<Socket, number>();
  const gate = rate && createRateGate(rate);
  const chance = createChance(1);
  let connections = 0;
  let answerOf = answer ?? (() => contented);

  const decide = (request: Received): Answer | Promise<Answer> => {
    const refusal = gate?.(request.at);
    if (refusal !== undefined) return refusal;
    return failureShare > 0 && chance() < failureShare ? { status: 500, body: { error: 'it failed' } } : answerOf(request);
  };

  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const at = performance.now();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks).toString();
      const one: Received = {
        at,
        method: request.method ?? '',
        path: request.url ?? '',
        headers: request.headers,
        body,
        get json() {
          return parseJson(body);
        },
        connection: sockets.get(request.socket) ?? 0,
      };
      received.push(one);
      arrivals.push(at);
      for (const look of waiting) look();
      await respond(await decide(one), response, request.socket);
    });
  };

  const server = createServer({ keepAliveTimeout: 60_000 }, take);
  server.on('connection', (socket) => {
    connections += 1;
    sockets.set(socket, connections);
    socket.on('error', () => undefined); // a sender may reset
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP

  return {
    url: `http://127.0.0.1:${port}/`,
    received,
    arrivals,
    connections: () => connections,
    waitFor(wanted, timeoutMs = 10_000) {
      const isThere = () => (typeof wanted === 'number' ? received.length >= wanted : wanted(received));
      return new Promise((resolve, reject) => {
        const end = (settle: () => void) => {
          clearTimeout(timer);
          waiting.delete(look);
          settle();
        };
        const look = () => isThere() && end(resolve);
        const late = () =>
          end(() =>
            reject(new Error(`the receiver got ${received.length} requests within ${timeoutMs} ms, which is not what was waited for`)),
          );
        const timer = setTimeout(late, timeoutMs);
        waiting.add(look);
        look();
      });
    },
    answerWith(next) {
      answerOf = next;
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets.keys()) socket.destroy();
      await closed;
    },
  };
};
