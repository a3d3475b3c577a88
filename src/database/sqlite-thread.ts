import { Worker } from 'node:worker_threads';
import { Unavailable } from '../foundation/problem.ts';
import { UniqueViolation, WriteRefused, type WriteResult } from './database.ts';
import type { SqliteCall, SqliteFailure, SqliteReply, SqliteThreadData } from './sqlite-messages.ts';

type Result = SqliteReply['result'];

/** The error that a failure in the thread is for its asker. */
export const errorOf = (failure: SqliteFailure): Error => {
  switch (failure.kind) {
    case 'unavailable':
      return new Unavailable(`The database cannot be used now: ${failure.message}`);
    case 'unique':
      return new UniqueViolation(failure.message);
    case 'refused':
      return new WriteRefused();
    case 'fault':
      return new Error(`SQLite: ${failure.message} (code ${failure.code})`);
    default:
      return failure.kind satisfies never;
  }
};

/** A connection in a worker thread. A thread that dies is started anew with the next call; what it was doing is rejected. */
export class SqliteThread {
  readonly #data: SqliteThreadData;
  /** In the order of their calls. */
  readonly #waiting = new Map<number, { since: number; resolve: (result: Result) => void; reject: (error: Error) => void }>();
  #worker: Worker | undefined;
  #opened: Promise<void> | undefined;
  #isOpen = false;
  #lastId = 0;

  constructor(data: SqliteThreadData) {
    this.#data = data;
  }

  /** How many calls have no answer yet. */
  get load(): number {
    return this.#waiting.size;
  }

  get isStarted(): boolean {
    return this.#opened !== undefined;
  }

  /** How long the call that it is at has been waiting. */
  get waitingMs(): number {
    const [first] = this.#waiting.values();
    return first ? performance.now() - first.since : 0;
  }

  /** Resolves when the connection stands; rejects with why it cannot. */
  open(): Promise<void> {
    this.#opened ??= this.#start();
    return this.#opened;
  }

  async call(call: SqliteCall): Promise<Result> {
    if (!this.#isOpen) await this.open();
    const result = await this.#post(call);
    if (result.kind === 'failure') throw errorOf(result.failure);
    return result;
  }

  /** The results of a `query` or `run`. */
  async rows(call: SqliteCall): Promise<readonly WriteResult[]> {
    const result = await this.call(call);
    return result.kind === 'rows' ? result.results : [];
  }

  async close(): Promise<void> {
    if (!this.#opened) return;
    await this.call({ kind: 'close' }).catch(() => undefined); // a thread that died has closed
    await this.#worker?.terminate();
  }

  #post(call: SqliteCall): Promise<Result> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { since: performance.now(), resolve, reject });
      this.#worker?.postMessage({ id, ...call });
    });
  }

  async #start(): Promise<void> {
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: this.#data });
    this.#worker = worker;
    const opening = new Promise<Result>((resolve, reject) => this.#waiting.set(0, { since: performance.now(), resolve, reject }));
    // What a thread before this one still has to say, if only that it is gone, does not concern the calls of this one.
    const lose = (error: Error) => this.#worker === worker && this.#lose(error);
    worker.on('message', ({ id, result }: SqliteReply) => {
      this.#waiting.get(id)?.resolve(result);
      this.#waiting.delete(id);
    });
    worker.on('error', lose);
    worker.on('exit', () => lose(new Error('the thread ended')));
    const result = await opening;
    if (result.kind === 'failure') {
      await worker.terminate();
      throw errorOf(result.failure);
    }
    this.#isOpen = true;
  }

  #lose(cause: Error): void {
    this.#opened = undefined;
    this.#isOpen = false;
    for (const { reject } of this.#waiting.values()) reject(new Unavailable('The database thread ended.', { cause }));
    this.#waiting.clear();
  }
}
