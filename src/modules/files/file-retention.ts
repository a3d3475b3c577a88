import type { Database } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Log } from '../../foundation/log.ts';
import { startLoop, type Worker } from '../../foundation/work.ts';
import type { FileRemoval } from './file-removal.ts';
import type { NewFileRow } from './file-store.ts';
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
  store,
  removal,
  clock,
  log,
  trashMs,
  retentionMs,
}: {
  database: Pick<Database, 'write'>;
  store: TrashStore;
  removal: FileRemoval;
  clock: Clock;
  log: Log;
  trashMs: number;
  /** How long traces are kept. */
  retentionMs: number;
}): FileRetention => {
  const removeAll = async (
    list: (limit: number) => Promise<NewFileRow[]>,
    { tells, signal }: { tells: 'file' | 'nothing'; signal: AbortSignal },
  ): Promise<number> => {
    let removed = 0;
    while (!signal.aborted) {
      const files = await list(filesInStep);
      const outcomes = await Promise.all(files.map((file) => removal.remove(file, { who: 'entrepot', tells })));
      const gone = outcomes.filter((isGone) => isGone).length;
      removed += gone;
      if (files.length < filesInStep || gone === 0) break;
    }
    return removed;
  };

  const look: FileRetention['look'] = async (signal) => {
    const now = clock.now();
    const trashed = await removeAll((limit) => store.listTrashedBefore(now - trashMs, limit), { tells: 'file', signal });
    // Nobody was told that they are there.
    const givenUp = await removeAll((limit) => store.listGivenUpBefore(now - unfinishedMs, limit), { tells: 'nothing', signal });
    for (let changes = endsInStep; changes === endsInStep && !signal.aborted; ) {
      const [result] = await database.write([store.forgetEndsBefore({ before: now - retentionMs, limit: endsInStep })]);
      changes = result?.changes ?? 0;
    }
    if (trashed + givenUp > 0) log.info({ trashed, givenUp }, 'files.ended');
    return trashed + givenUp;
  };

  let waitMs = firstLookMs;
  return {
    look,
    startWorker: () =>
      startLoop({
        name: 'files.retention',
        clock,
        log,
        async round(signal) {
          await clock.sleep(Math.min(waitMs, trashMs), signal);
          if (signal.aborted) return;
          waitMs = lookEveryMs;
          await look(signal);
        },
      }),
  };
};
