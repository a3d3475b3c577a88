import { type AddressInfo, createServer } from 'node:net';
import { createMessageReader } from './http-bytes.ts';
import { serveProgram } from './program.ts';

// What targets point to: a receiver that takes everything at once and notes when it came. Its times are milliseconds since 1970.

export type ReceiverQuestion =
  /** Forget what came. */
  | { readonly ask: 'forget' }
  /** Wait until so many have come, or until nothing more came for `quietMs`. */
  | { readonly ask: 'wait'; readonly count: number; readonly quietMs: number }
  /** When each came. */
  | { readonly ask: 'arrivals' };

export interface ReceiverAnswer {
  readonly count: number;
  /** When the last of those asked for came; of `arrivals` all of them. */
  readonly at: number;
  readonly arrivals: readonly number[];
}

const answerBody = '{"data":{"processEvent":{"id":"1"}}}';
const answer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nkeep-alive: timeout=60\r\ncontent-length: ${answerBody.length}\r\n\r\n${answerBody}`;
const lookMs = 5;

let arrivals: number[] = [];
const nowMs = () => performance.timeOrigin + performance.now();

const server = createServer({ noDelay: true }, (socket) => {
  let isNew = true;
  const read = createMessageReader(() => {
    isNew = true;
    socket.write(answer, 'latin1');
  });
  socket.on('data', (chunk) => {
    // A request has arrived when its first byte has.
    if (isNew) arrivals.push(nowMs());
    isNew = false;
    read(chunk as Buffer); // no encoding is set
  });
  socket.on('error', () => undefined); // a sender may reset when it stops
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo; // it listens on TCP

const wait = async (count: number, quietMs: number) => {
  let seen = -1;
  for (let quietSince = nowMs(); arrivals.length < count && nowMs() - quietSince < quietMs; ) {
    if (arrivals.length !== seen) quietSince = nowMs();
    seen = arrivals.length;
    await new Promise((resolve) => setTimeout(resolve, lookMs));
  }
};

serveProgram<ReceiverQuestion, ReceiverAnswer>({ url: `http://127.0.0.1:${port}/` }, async (question) => {
  switch (question.ask) {
    case 'forget':
      arrivals = [];
      return { count: 0, at: nowMs(), arrivals };
    case 'wait':
      await wait(question.count, question.quietMs);
      return { count: arrivals.length, at: arrivals[Math.min(question.count, arrivals.length) - 1] ?? Number.NaN, arrivals: [] };
    case 'arrivals':
      return { count: arrivals.length, at: arrivals.at(-1) ?? Number.NaN, arrivals };
    default:
      return question satisfies never;
  }
});
