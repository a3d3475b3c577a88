import type { Database, Write } from '../../../database/database.ts';
import type { RemovalRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { createBell, startLoop, type Worker } from '../../../foundation/work.ts';
import type { Trace } from '../../trace/trace.ts';
import type { RemovalStore } from './removal-store.ts';

/** A person whose account was deleted. */
export interface RemovedPerson {
  readonly id: string;
  readonly tenantId: string;
}

/** What one part of the product keeps of a person. */
export interface RemovalStep {
  readonly name: string;
  /** Removes some of it, in a short piece of work; resolves with whether nothing is left. Called again after a crash, also when it was done. */
  removeSome(person: RemovedPerson, signal: AbortSignal): Promise<boolean>;
}

/** Removes what deleted accounts owned, step by step; whatever ends the process, the next start goes on where it was. */
export interface Removals {
  /** The write that orders the removal, for the transaction that deletes the account; ring by `announce` afterwards. */
  writes(person: RemovedPerson): Write[];
  announce(): void;
  startWorker(): Worker;
}

/** What was under way when the account was deleted may still have written something, so all is looked through once more after this. */
const settleMs = 10_000;
const removalsInRound = 20;
const idleMs = 30_000;

export const createRemovals = ({
  database,
  store,
  steps,
  clock,
  log,
}: {
  database: Pick<Database, 'write'>;
  store: RemovalStore;
  steps: readonly RemovalStep[];
  clock: Clock;
  log: Log;
}): Removals => {
  const bell = createBell(clock);

  const removeAll = async (person: RemovedPerson, signal: AbortSignal): Promise<void> => {
    for (const step of steps) {
      for (let isDone = false; !isDone && !signal.aborted; ) isDone = await step.removeSome(person, signal);
    }
  };

  /** Resolves with whether it is over. One that fails is told and tried again; the others go on. */
  const goOnOrTell = async (row: RemovalRow, signal: AbortSignal): Promise<boolean> => {
    try {
      return await goOn(row, signal);
    } catch (error) {
      log.error({ err: error, person: row.subject }, 'person.not-removed');
      return false;
    }
  };

  const goOn = async ({ subject, tenantId, createdAt }: RemovalRow, signal: AbortSignal): Promise<boolean> => {
    const isSettled = clock.now() >= createdAt + settleMs;
    await removeAll({ id: subject, tenantId }, signal);
    if (signal.aborted || !isSettled) return false;
    await database.write([store.endRemoval({ subject })]);
    log.info({ person: subject, ms: clock.now() - createdAt }, 'person.removed');
    return true;
  };

  return {
    writes: ({ id, tenantId }) => [store.insertRemoval({ subject: id, tenantId, kind: 'person', createdAt: clock.now() })],
    announce: () => bell.ring(),
    startWorker: () =>
      startLoop({
        name: 'identity.removals',
        clock,
        log,
        round: async (signal) => {
          const rows = await store.listRemovals(removalsInRound);
          let ended = 0;
          for (const row of rows) if (!signal.aborted && (await goOnOrTell(row, signal))) ended += 1;
          if (ended === removalsInRound) return;
          await bell.wait(rows.length === ended ? idleMs : settleMs, signal);
        },
      }),
  };
};

const entriesInStep = 500;

/** What identity itself keeps of a person besides its row, which goes with the account: in the end the trace has ids only. */
export const createIdentityRemoval = ({
  database,
  store,
  trace,
  clock,
}: {
  database: Pick<Database, 'write'>;
  store: RemovalStore;
  trace: Pick<Trace, 'scrub'>;
  clock: Clock;
}): RemovalStep => ({
  name: 'identity',
  async removeSome(person) {
    const subjects = [person.id, ...(await store.listDeviceIds(person, person.id))];
    if ((await trace.scrub(subjects, entriesInStep)) === entriesInStep) return false;
    await database.write(store.removeBelongings({ tenantId: person.tenantId, personId: person.id, at: clock.now() }));
    return true;
  },
});
