import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { Bag, InBag } from '../../../foundation/bag.ts';
import { failureOf } from './outbound-failure.ts';

/** One POST to somewhere outside. */
export interface OutboundRequest {
  readonly url: URL;
  readonly headers: Record<string, string>;
  readonly body: string | Buffer;
  /** For the whole of it: resolving, connecting, sending, reading. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Called at most once, in the turn in which the request is written to a connected socket, right after that. */
  onSent?(): void;
}

export type Reply =
  /** A status arrived. `body` holds at most 64 KiB; `brokenOff` says why the rest of it is missing. */
  | { status: number; headers: IncomingHttpHeaders; body: Buffer; brokenOff?: string }
  /** None did. */
  | { status?: never; reason: string };

/** A request under way. */
export interface Running extends InBag {
  readonly signal: AbortSignal | undefined;
  cutOff(reason: string): void;
}

const maxBodyBytes = 64 * 1024;

/** Never rejects. What is under way stands in `running`, where it can be cut off. */
export const exchange = (agent: Dispatcher, running: Bag<Running>, request: OutboundRequest): Promise<Reply> =>
  new Promise((resolve) => {
    const { url, headers, body } = request;
    const one = new Exchange(running, request, resolve);
    if (request.signal?.aborted) return one.cutOff('The try was cut off.');
    agent.dispatch({ origin: url.origin, path: url.pathname + url.search, method: 'POST', headers, body }, one);
  });

const isOverdue = (one: Exchange) => one.overdue();
const emptyBody = Buffer.alloc(0);

/** A whole or broken answer. Most are judged without a look at their headers, so these are read when somebody asks. */
class Answer {
  readonly status: number;
  readonly body: Buffer;
  readonly brokenOff?: string;
  readonly #rawHeaders: readonly Buffer[];

  constructor(status: number, rawHeaders: readonly Buffer[], body: Buffer, brokenOff: string | undefined) {
    this.status = status;
    this.body = body;
    if (brokenOff !== undefined) this.brokenOff = brokenOff;
    this.#rawHeaders = rawHeaders;
  }

  /** Names in lower case; of a repeated one the first value, which is what all we ask for count by. */
  get headers(): IncomingHttpHeaders {
    const headers: IncomingHttpHeaders = Object.create(null);
    for (let at = 0; at + 1 < this.#rawHeaders.length; at += 2) {
      const name = this.#rawHeaders[at]?.toString('latin1').toLowerCase() ?? '';
      headers[name] ??= this.#rawHeaders[at + 1]?.toString('latin1');
    }
    return headers;
  }
}

/**
 * One request and its answer. Settles once, at whatever comes first: the whole answer, too much of it, an error, the time limit, or being
 * cut off. Speaks undici's older handler interface, under which headers are read only where somebody asks for them.
 */
class Exchange implements Running, Dispatcher.DispatchHandler {
  place = 0;
  readonly signal: AbortSignal | undefined;
  readonly #request: OutboundRequest;
  readonly #running: Bag<Running>;
  readonly #resolve: (reply: Reply) => void;
  readonly #timer: NodeJS.Timeout;
  #isSettled = false;
  #abort: ((error: Error) => void) | undefined;
  #status = 0;
  #rawHeaders: readonly Buffer[] = [];
  #chunks: Buffer[] = [];
  #bodyBytes = 0;

  constructor(running: Bag<Running>, request: OutboundRequest, resolve: (reply: Reply) => void) {
    this.#request = request;
    this.#running = running;
    this.#resolve = resolve;
    this.signal = request.signal;
    this.#timer = setTimeout(isOverdue, request.timeoutMs, this);
    running.add(this);
  }

  /** Before a connection exists there is nothing to reset: the request is dropped as soon as it would be written. */
  cutOff(reason: string) {
    this.#settle(reason);
    this.#abort?.(new Error(reason));
  }

  overdue() {
    this.cutOff(`No whole answer came within ${this.#request.timeoutMs} ms.`);
  }

  onConnect(abort: (error?: Error) => void) {
    this.#abort = abort;
    if (this.#isSettled) abort(new Error('settled before it was sent'));
  }

  /**
   * After the write and not before it: a process that is held up in between would count the request as earlier than it was. Undici calls
   * this one although its types do not name it.
   */
  onRequestSent() {
    this.#request.onSent?.();
  }

  onHeaders(statusCode: number, rawHeaders: readonly Buffer[]) {
    if (statusCode < 200) return true; // informational: the answer is still to come
    this.#status = statusCode;
    this.#rawHeaders = rawHeaders;
    return true;
  }

  onData(chunk: Buffer) {
    this.#chunks.push(chunk);
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > maxBodyBytes) this.cutOff('The answer is larger than 64 KiB.');
    return true;
  }

  onComplete() {
    this.#settle(undefined);
  }

  onError(error: Error) {
    this.#settle(failureOf(error, this.#request.url.host));
  }

  #settle(brokenOff: string | undefined) {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#running.remove(this);
    if (this.#status === 0) return this.#resolve({ reason: brokenOff ?? 'The answer has no status.' });
    const [first = emptyBody] = this.#chunks;
    const body = this.#chunks.length < 2 ? first : Buffer.concat(this.#chunks);
    this.#resolve(new Answer(this.#status, this.#rawHeaders, body.subarray(0, maxBodyBytes), brokenOff));
  }
}
