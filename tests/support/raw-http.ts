import { connect } from 'node:net';
import type { Json } from './given.ts';
import { noteRefusal } from './refusals-seen.ts';
import type { TestServer } from './start-server.ts';

/** One answer of a connection, as it came. */
export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: Json;
}

const answerPattern = /HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n/g;

/** The answers in what came back on a connection; bodies are read as JSON. */
const answersIn = (text: string): RawAnswer[] => {
  const starts = [...text.matchAll(answerPattern)];
  return starts.map((start, index) => {
    const whole = text.slice(start.index, starts[index + 1]?.index);
    const headEnd = whole.indexOf('\r\n\r\n');
    const body = whole.slice(headEnd + 4);
    return { status: Number(start[1]), head: whole.slice(0, headEnd), body: body.startsWith('{') ? JSON.parse(body) : undefined };
  });
};

/** A connection on which bytes are written by hand. */
export interface RawConnection {
  write(text: string): void;
  /** Resolves with all answers when the server hangs up, or when so many have come. */
  answers(wanted?: number): Promise<readonly RawAnswer[]>;
  close(): void;
}

/** Opens a connection; what is refused on it is noted for `request`, e.g. `GET /v1/version`. */
export const openConnection = async ({ url }: Pick<TestServer, 'url'>, request: `${string} ${string}`): Promise<RawConnection> => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const [method = '', path = ''] = request.split(' ');
  let text = '';
  let isClosed = false;
  let look = () => {};
  socket.on('error', () => undefined); // the server may reset; `close` follows
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
    look();
  });
  socket.on('close', () => {
    isClosed = true;
    look();
  });
  return {
    write: (piece) => void socket.write(piece),
    answers: (wanted = Number.POSITIVE_INFINITY) =>
      new Promise((resolve) => {
        look = () => {
          const isWhole = [...text.matchAll(answerPattern)].length >= wanted && text.endsWith('}');
          if (!isClosed && !isWhole) return;
          look = () => {};
          const answers = answersIn(text);
          for (const { status, body } of answers) noteRefusal(method, path, status, JSON.stringify(body) ?? '');
          resolve(answers);
        };
        look();
      }),
    close: () => void socket.destroy(),
  };
};
