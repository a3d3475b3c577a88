import { lstat, unlink } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { Unavailable } from '../foundation/problem.ts';
import { orNothing } from './folder-faults.ts';
import type { ShortEnds, ShortPuts } from './short-messages.ts';

/** What is longer waits for its bytes, not for ways between threads. */
const mostBytes = 128 * 1024;
/** So long without a put, and the thread ends: an idle server has its memory back. */
const restAfterMs = 5_000;

interface ShortPut {
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
  resolve(): void;
  reject(error: unknown): void;
}

/** Puts of short bodies in a thread, while there are many. */
export interface ShortThread {
  /**
   * Makes `from` with these bytes and gives it the name `to`, durably; `from` is gone in the end. Rejects with what the file system says, or
   * Unavailable where the thread died; then `to` does not name this file. Undefined where the thread does not stand: others do it then.
   */
  put(from: string, to: string, bytes: Uint8Array): Promise<void> | undefined;
  /** Starts the thread unless it stands or is starting; without puts it ends after a while. */
  begin(): void;
}

export const createShortThread = (program = new URL('./short-worker.ts', import.meta.url)): ShortThread => {
  let worker: Worker | undefined;
  let isStanding = false;
  let restTimer: NodeJS.Timeout | undefined;
  let lastId = 0;
  const waiting = new Map<number, ShortPut>();
  let unsent: number[] = [];

  const send = () => {
    const ids = unsent;
    unsent = [];
    const puts = ids.flatMap((id) => waiting.get(id) ?? []);
    if (worker === undefined || puts.length < ids.length) return; // it died meanwhile, and so they were told
    const sizes = puts.map(({ bytes }) => bytes.byteLength);
    // Copied, since whose the memory is and what else lies in it is not known here; all into one, which is given away.
    const all = new Uint8Array(sizes.reduce((sum, size) => sum + size, 0));
    let at = 0;
    for (const { bytes } of puts) {
      all.set(bytes, at);
      at += bytes.byteLength;
    }
    const message: ShortPuts = { ids, from: puts.map(({ from }) => from), to: puts.map(({ to }) => to), sizes, bytes: all };
    worker.postMessage(message, [all.buffer]);
  };

  const end = (id: number): ShortPut | undefined => {
    const put = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) {
      worker?.unref();
      restTimer?.refresh();
    }
    return put;
  };

  const lose = (cause: Error) => {
    worker = undefined;
    isStanding = false;
    unsent = [];
    clearTimeout(restTimer);
    const lost = [...waiting.values()];
    waiting.clear();
    for (const put of lost) clearAway(put).then(() => put.reject(new Unavailable('The thread that writes short blobs ended.', { cause })));
  };

  const rest = () => {
    if (waiting.size > 0 || worker === undefined) return;
    const resting = worker;
    worker = undefined;
    isStanding = false;
    void resting.terminate();
  };

  const start = () => {
    const starting = new Worker(program);
    worker = starting;
    starting.unref();
    starting.on('online', () => {
      if (worker !== starting) return;
      isStanding = true;
      restTimer = setTimeout(rest, restAfterMs).unref();
    });
    starting.on('message', ({ done, failed }: ShortEnds) => {
      for (const id of done) end(id)?.resolve();
      for (const { id, fault } of failed) end(id)?.reject(Object.assign(new Error(fault.message), fault));
    });
    starting.on('error', (error) => worker === starting && lose(error));
    starting.on('exit', () => worker === starting && lose(new Error('the thread ended')));
  };

  return {
    put(from, to, bytes) {
      if (!isStanding || bytes.byteLength > mostBytes) return undefined;
      return new Promise((resolve, reject) => {
        if (waiting.size === 0) worker?.ref();
        lastId += 1;
        waiting.set(lastId, { from, to, bytes, resolve, reject });
        // What comes in the same turn of the event loop goes in one message.
        if (unsent.push(lastId) === 1) setImmediate(send);
      });
    },
    begin() {
      if (worker === undefined) start();
    },
  };
};

/** A name that a thread gave before it died is told by the first name, which it takes away later. What cannot be done is the sweeper's. */
const clearAway = async ({ from, to }: ShortPut): Promise<void> => {
  const [first, name] = await Promise.all([from, to].map((path) => lstat(path).catch(() => undefined)));
  if (first !== undefined && first.ino === name?.ino) await orNothing(unlink(to));
  await orNothing(unlink(from));
};
