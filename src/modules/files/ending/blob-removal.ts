import type { BlobStore } from '../../../blobs/blob-store.ts';
import { BodyInUse } from '../../../blobs/blob-store.ts';
import type { Database, Write } from '../../../database/database.ts';
import type { BlobRemovalRow, FileRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { createBell, startLoop, type Worker } from '../../../foundation/work.ts';
import { derivedKeysOf } from '../blob-keys.ts';
import type { BlobRemovalStore } from './blob-removal-store.ts';

/**
 * Removes bytes whose row is gone. The order stands in the database before the row is gone, and stays until the bytes are: whatever ends
 * the process, the next start goes on. Who is reading them reads to the end.
 */
export interface BlobRemoval {
  /** The writes that order the removal of all bytes of the file, for the transaction that removes its row; `announce` afterwards. */
  writes(file: Pick<FileRow, 'id' | 'type' | 'state'>, at: number): Write[];
  announce(): void;
  startWorker(): Worker;
}

/**
 * So long after its row went, something that was under way then may still write bytes of a file (a thumbnail is being made, the last
 * piece of an upload arrives): they are removed once more after this.
 */
const settleMs = 30_000;
/** Other processes order removals without ringing here. */
const lookEveryMs = 5_000;
const keysInRound = 200;
/** Each waits for an fsync of its folder, which those that go on together share. */
const keysAtOnce = 8;

export const createBlobRemoval = ({
  database,
  blobs,
  store,
  clock,
  log,
}: {
  database: Pick<Database, 'write'>;
  blobs: Pick<BlobStore, 'remove' | 'offsetOf' | 'discard'>;
  store: BlobRemovalStore;
  clock: Clock;
  log: Log;
}): BlobRemoval => {
  const bell = createBell(clock);

  /** Whole bytes first: what came in pieces and became whole in a crash may have two names, and without the first it is unfinished again. */
  const removeBytes = async (key: string): Promise<void> => {
    await blobs.remove(key);
    if ((await blobs.offsetOf(key)) !== undefined) await blobs.discard(key);
  };

  /** Resolves with whether the bytes are gone; else they are tried again. */
  const removeOrTell = async ({ blobKey, dueAt }: BlobRemovalRow): Promise<boolean> => {
    try {
      await removeBytes(blobKey);
      return true;
    } catch (error) {
      if (!(error instanceof BodyInUse)) log.error({ err: error, blob: blobKey, dueAt }, 'blob.not-removed');
      return false;
    }
  };

  const removeDue = async (signal: AbortSignal): Promise<{ found: number; removed: number }> => {
    const due = await store.listDueRemovals(clock.now(), keysInRound);
    const gone: BlobRemovalRow[] = [];
    for (let at = 0; at < due.length && !signal.aborted; at += keysAtOnce) {
      const some = due.slice(at, at + keysAtOnce);
      const outcomes = await Promise.all(some.map(removeOrTell));
      gone.push(...some.filter((_, index) => outcomes[index]));
    }
    if (gone.length > 0) {
      await database.write([store.endRemovals(gone)]);
      log.info({ removed: gone.length }, 'blobs.removed');
    }
    return { found: due.length, removed: gone.length };
  };

  return {
    writes(file, at) {
      const derived = derivedKeysOf(file);
      const late = file.state === 'stored' || file.state === 'trashed' ? derived : [file.id, ...derived];
      return [
        store.orderRemovals([
          ...[file.id, ...derived].map((blobKey) => ({ blobKey, dueAt: at })),
          ...late.map((blobKey) => ({ blobKey, dueAt: at + settleMs })),
        ]),
      ];
    },
    announce: () => bell.ring(),
    startWorker: () =>
      startLoop({
        name: 'files.blob-removal',
        clock,
        log,
        async round(signal) {
          const { found, removed } = await removeDue(signal);
          if (found === keysInRound && removed > 0) return; // there are more
          await bell.wait(lookEveryMs, signal);
        },
      }),
  };
};
