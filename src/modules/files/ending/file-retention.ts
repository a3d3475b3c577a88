import type { BlobStore } from '../../../blobs/blob-store.ts';
import type { Database, Statement } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { startRounds, type Worker } from '../../../foundation/work.ts';
import type { NewFileRow } from '../file-store.ts';
import type { FileRemoval } from './file-removal.ts';
import type { TrashStore } from './trash-store.ts';

const firstLookMs = 20_000;
const lookEveryMs = 10 * 60_000;
/** Short pieces, so that nobody waits behind them. */
const filesInStep = 50;
const endsInStep = 500;
/** Files that never came to be are given up after this long without a change. */
const unfinishedMs = 24 * 60 * 60_000;

export interface FileRetention {
  /** Ends what is over now; resolves with how many files went. */
  look(signal: AbortSignal): Promise<number>;
  startWorker(): Worker;
}

/** Empties the trash, and gives up files whose bytes never came or were refused. Nothing is kept in mind: each look asks the rows anew. */
export const createFileRetention = ({
  database,
  blobs,
  store,
  removal,
  clock,
  log,
  trashMs,
  retentionMs,
  alsoForgets = [],
}: {
  database: Pick<Database, 'write'>;
  blobs: Pick<BlobStore, 'offsetOf'>;
  store: TrashStore;
  removal: FileRemoval;
  clock: Clock;
  log: Log;
  trashMs: number;
  /** How long traces are kept. */
  retentionMs: number;
  /** What else tells of an end for as long as traces are kept, at most `limit` of it at once. */
  alsoForgets?: readonly ((older: { before: number; limit: number }) => Statement)[];
}): FileRetention => {
  /** Resolves with how many went; one that changed meanwhile stays. */
  const removeAll = async (files: readonly NewFileRow[], tells: 'file' | 'nothing'): Promise<number> => {
    const outcomes = await Promise.all(files.map((file) => removal.remove(file, { who: 'entrepot', tells })));
    return outcomes.filter((isGone) => isGone).length;
  };

  const emptyTrash = async (before: number, signal: AbortSignal): Promise<number> => {
    let removed = 0;
    while (!signal.aborted) {
      const files = await store.listTrashedBefore(before, filesInStep);
      const gone = await removeAll(files, 'file');
      removed += gone;
      if (files.length < filesInStep || gone === 0) break;
    }
    return removed;
  };

  /** A body of which a piece is there belongs to an upload that may go on, and that ends by itself when it has rested too long. */
  const isUnderWay = async ({ id, state }: NewFileRow): Promise<boolean> =>
    state === 'expected' && (await blobs.offsetOf(id)) !== undefined;

  /** Targets hear nothing: nobody was told that they are there. */
  const giveUpUnfinished = async (before: number, signal: AbortSignal): Promise<number> => {
    let removed = 0;
    let stayed = 0;
    while (!signal.aborted) {
      const files = await store.listGivenUpBefore(before, { limit: filesInStep, offset: stayed });
      const over: NewFileRow[] = [];
      for (const file of files) if (!(await isUnderWay(file))) over.push(file);
      const gone = await removeAll(over, 'nothing');
      removed += gone;
      stayed += files.length - gone;
      if (files.length < filesInStep) break;
    }
    return removed;
  };

  const look: FileRetention['look'] = async (signal) => {
    const now = clock.now();
    const trashed = await emptyTrash(now - trashMs, signal);
    const givenUp = await giveUpUnfinished(now - unfinishedMs, signal);
    for (const forget of [store.forgetEndsBefore, ...alsoForgets]) {
      for (let changes = endsInStep; changes === endsInStep && !signal.aborted; ) {
        const [result] = await database.write([forget({ before: now - retentionMs, limit: endsInStep })]);
        changes = result?.changes ?? 0;
      }
    }
    if (trashed + givenUp > 0) log.info({ trashed, givenUp }, 'files.ended');
    return trashed + givenUp;
  };

  return {
    look,
    startWorker: () =>
      startRounds({
        ...{ name: 'files.retention', clock, log, firstMs: Math.min(firstLookMs, trashMs), everyMs: Math.min(lookEveryMs, trashMs) },
        async round(signal) {
          await look(signal);
        },
      }),
  };
};
