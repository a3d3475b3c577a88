import { lstat, unlink } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { Unavailable } from '../foundation/problem.ts';
import { orNothing } from './folder-faults.ts';
import { type ShortEnds, type ShortPutIn, slotBytes, slots } from './short-messages.ts';

/** So long without a put, and the thread ends: an idle server has its memory back. */
const restAfterMs = 5_000;

interface ShortPut {
  readonly from: string;
  readonly to: string;
  resolve(): void;
  reject(error: unknown): void;
}

/** Puts of short bodies in a thread, while there are many. */
export interface ShortThread {
  /**
   * Makes `from` with these bytes and gives it the name `to`, durably; `from` is gone in the end. Rejects with what the file system says, or
   * Unavailable where the thread died; then `to` does not name this file. Undefined where it takes none now, or none of
   * that size: others do it then.
   */
  put(from: string, to: string, bytes: Uint8Array): Promise<void> | undefined;
  /** Starts the thread unless it stands, is starting, or died just now; without puts it ends after a while. */
  begin(): void;
}

export const createShortThread = (program = new URL('./short-worker.ts', import.meta.url)): ShortThread => {
  let worker: Worker | undefined;
  let isStanding = false;
  let restTimer: NodeJS.Timeout | undefined;
  let isRecovering = false;
  let memory: Uint8Array = new Uint8Array(0);
  let free: number[] = [];
  const waiting = new Map<number, ShortPut>();
  let unsent: ShortPutIn[] = [];

  const send = () => {
    if (unsent.length > 0) worker?.postMessage(unsent);
    unsent = [];
  };

  const end = (slot: number): ShortPut | undefined => {
    const put = waiting.get(slot);
    waiting.delete(slot);
    free.push(slot);
    if (waiting.size === 0) {
      worker?.unref();
      restTimer?.refresh();
    }
    return put;
  };

  const lose = (cause: Error) => {
    worker = undefined;
    isStanding = false;
    memory = new Uint8Array(0);
    unsent = [];
    clearTimeout(restTimer);
    isRecovering = true;
    setTimeout(() => {
      isRecovering = false;
    }, restAfterMs).unref();
    const lost = [...waiting.values()];
    waiting.clear();
    for (const put of lost) clearAway(put).then(() => put.reject(new Unavailable('The thread that writes short blobs ended.', { cause })));
  };

  const rest = () => {
    if (waiting.size > 0 || worker === undefined) return;
    const resting = worker;
    worker = undefined;
    isStanding = false;
    memory = new Uint8Array(0);
    void resting.terminate();
  };

  const start = () => {
    const shared = new SharedArrayBuffer(slotBytes * slots);
    const starting = new Worker(program, { workerData: shared });
    worker = starting;
    starting.unref();
    // The first message says that it stands: one that cannot start costs no put.
    starting.once('message', () => {
      if (worker !== starting) return;
      isStanding = true;
      memory = new Uint8Array(shared);
      free = Array.from({ length: slots }, (_, slot) => slot);
      restTimer = setTimeout(rest, restAfterMs).unref();
    });
    starting.on('message', ({ done, failed }: ShortEnds) => {
      for (const slot of done) end(slot)?.resolve();
      for (const { slot, fault } of failed) end(slot)?.reject(Object.assign(new Error(fault.message), fault));
    });
    starting.on('error', (error) => worker === starting && lose(error));
    starting.on('exit', () => worker === starting && lose(new Error('the thread ended')));
  };

  return {
    put(from, to, bytes) {
      const slot = isStanding && bytes.byteLength <= slotBytes ? free.pop() : undefined;
      if (slot === undefined) return undefined;
      memory.set(bytes, slot * slotBytes);
      if (waiting.size === 0) worker?.ref();
      // What comes in the same turn of the event loop goes in one message.
      if (unsent.push({ slot, size: bytes.byteLength, from, to }) === 1) setImmediate(send);
      return new Promise((resolve, reject) => waiting.set(slot, { from, to, resolve, reject }));
    },
    begin() {
      if (worker === undefined && !isRecovering) start();
    },
  };
};

/** A name that a thread gave before it died is told by the first name, which it takes away later. What cannot be done is the sweeper's. */
const clearAway = async ({ from, to }: ShortPut): Promise<void> => {
  const [first, name] = await Promise.all([from, to].map((path) => lstat(path).catch(() => undefined)));
  if (first !== undefined && first.ino === name?.ino) await orNothing(unlink(to));
  await orNothing(unlink(from));
};
