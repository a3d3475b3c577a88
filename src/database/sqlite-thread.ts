import { Worker } from 'node:worker_threads';
import { Unavailable } from '../foundation/problem.ts';
import { UniqueViolation, type Write, WriteRefused, type WriteResult } from './database.ts';
import type { SentWrite, SqliteCall, SqliteFailure, SqliteGroup, SqliteReply, SqliteThreadData } from './sqlite-messages.ts';

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

/** The id of what nobody waits for. */
const noAnswer = -1;

/** So many statements get numbers; they are few, but some are made up as they are needed. */
const mostNumbers = 300;

interface WaitingCall {
  readonly id: number;
  readonly since: number;
  resolve(result: Result): void;
  reject(error: Error): void;
}

/** A connection in a worker thread. A thread that dies is started anew with the next call; what it was doing is rejected. */
export class SqliteThread {
  readonly #data: SqliteThreadData;
  /**
   * In the order of the calls, in which the thread answers. Not a map by id: what one drops from a busy map stays in memory until the next
   * full collection, and here that would be every row that was read.
   */
  #waiting: WaitingCall[] = [];
  #worker: Worker | undefined;
  #opened: Promise<void> | undefined;
  #isOpen = false;
  #lastId = 0;
  readonly #numbers = new Map<string, number>();

  constructor(data: SqliteThreadData) {
    this.#data = data;
  }

  /** How many calls have no answer yet. */
  get load(): number {
    return this.#waiting.length;
  }

  get isStarted(): boolean {
    return this.#opened !== undefined;
  }

  /** How long the call that it is at has been waiting; opening is no call. */
  get waitingMs(): number {
    const [first] = this.#waiting;
    return first && this.#isOpen ? performance.now() - first.since : 0;
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

  /** Ends the thread unless something is asked of it; the next call starts it anew. */
  rest(): void {
    if (!this.#isOpen || this.load > 0) return;
    this.#worker?.postMessage({ id: noAnswer, kind: 'close' });
    this.#worker = undefined;
    this.#opened = undefined;
    this.#isOpen = false;
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
      this.#waiting.push({ id, since: performance.now(), resolve, reject });
      this.#worker?.postMessage(call.kind === 'group' ? { id, ...this.#numbered(call.acts) } : { id, ...call });
    });
  }

  /** Texts of statements are longer than their values, and are always the same. */
  #numbered(acts: readonly (readonly Write[])[]): SqliteGroup {
    const texts: { number: number; sql: string }[] = [];
    const numberOf = (sql: string): string | number => {
      const known = this.#numbers.get(sql);
      if (known !== undefined) return known;
      const number = this.#numbers.size;
      if (number === mostNumbers) return sql;
      this.#numbers.set(sql, number);
      texts.push({ number, sql });
      return number;
    };
    const sent = acts.map((writes) => writes.map((write): SentWrite => ({ ...write, sql: numberOf(write.sql) })));
    return { kind: 'group', acts: sent, texts };
  }

  async #start(): Promise<void> {
    this.#numbers.clear();
    const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: this.#data });
    this.#worker = worker;
    const opening = new Promise<Result>((resolve, reject) => this.#waiting.push({ id: 0, since: performance.now(), resolve, reject }));
    // What a thread before this one still has to say, if only that it is gone, does not concern the calls of this one.
    const lose = (error: Error) => this.#worker === worker && this.#lose(error);
    worker.on('message', ({ id, result }: SqliteReply) => {
      if (this.#waiting[0]?.id === id) this.#waiting.shift()?.resolve(result);
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
    for (const { reject } of this.#waiting) reject(new Unavailable('The database thread ended.', { cause }));
    this.#waiting = [];
  }
}
