import type { Database, Write } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';

/** A delete that takes what ended before `before`, at most `limit` rows at a time. */
export type Cleaning = (row: { before: number; limit: number }) => Write;

const batchRows = 500;

/** Removes what has ended, in small pieces, so that nobody waits for the writer. Resolves with how many rows went. */
export const cleanUp = async ({
  database,
  clock,
  steps,
  signal,
}: {
  database: Pick<Database, 'write'>;
  clock: Clock;
  steps: readonly { readonly remove: Cleaning; readonly keptMs: number }[];
  signal: AbortSignal;
}): Promise<number> => {
  let removed = 0;
  for (const { remove, keptMs } of steps) {
    for (let changes = batchRows; changes === batchRows && !signal.aborted; ) {
      const [result] = await database.write([remove({ before: clock.now() - keptMs, limit: batchRows })]);
      changes = result?.changes ?? 0;
      removed += changes;
      if (changes === batchRows) await clock.sleep(20, signal);
    }
  }
  return removed;
};
