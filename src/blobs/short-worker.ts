import { linkSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { createFolderSyncer } from './folder-syncer.ts';
import { type ShortEnds, type ShortFault, type ShortPutIn, slotBytes } from './short-messages.ts';
import { writeShortHere } from './write-short.ts';

// Puts of short bodies in a thread of their own, which may wait: what only speaks to the file system's memory is done here and now, without
// a way to the thread pool and back. What waits for the disk goes to the pool, so that it makes many files durable at once.
//
// As everywhere: a file gets its name when its bytes are durable, and is answered when the name is durable as well.

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread.');

const memory = new Uint8Array(workerData as SharedArrayBuffer); // given by short-thread.ts alone
const syncer = createFolderSyncer();

const removeOrLeave = (path: string) => {
  try {
    unlinkSync(path);
  } catch {
    // The sweeper finds it.
  }
};

/** Until it is answered, or told that it failed, `from` stays: by that the asker would know the file if this thread died. */
const putOne = async (from: string, to: string, bytes: Uint8Array): Promise<void> => {
  try {
    await writeShortHere(from, bytes);
    linkSync(from, to); // never replaces what has the name already, a rename would
    await syncer.sync(dirname(to)).catch((error: unknown) => {
      removeOrLeave(to);
      throw error;
    });
  } finally {
    removeOrLeave(from);
  }
};

const faultOf = (error: unknown): ShortFault => {
  const { message, code, errno } = error as NodeJS.ErrnoException; // only the file system throws here
  return { message, ...(code !== undefined && { code }), ...(errno !== undefined && { errno }) };
};

let done: number[] = [];
let failed: { slot: number; fault: ShortFault }[] = [];
let isTelling = false;

/** All that ended in one turn of the event loop is told at once. */
const tellSoon = () => {
  if (isTelling) return;
  isTelling = true;
  setImmediate(() => {
    port.postMessage({ done, failed } satisfies ShortEnds);
    done = [];
    failed = [];
    isTelling = false;
  });
};

tellSoon(); // that it stands

port.on('message', (puts: readonly ShortPutIn[]) => {
  for (const { slot, size, from, to } of puts) {
    const begin = slot * slotBytes;
    putOne(from, to, memory.subarray(begin, begin + size))
      .then(
        () => done.push(slot),
        (error: unknown) => failed.push({ slot, fault: faultOf(error) }),
      )
      .finally(tellSoon);
  }
});
