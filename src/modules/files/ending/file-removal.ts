import { type Database, type Write, WriteRefused } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Events } from '../../events/events.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import type { FileFacts } from '../file-facts.ts';
import type { NewFileRow } from '../file-store.ts';
import type { Ledger } from '../ledger-store.ts';
import type { BlobRemoval } from './blob-removal.ts';
import type { TrashStore } from './trash-store.ts';

const entriesInStep = 500;

/** Who ends a file, and what is told of it. */
export interface Ending {
  /** The caller, or `entrepot` where time did it. */
  readonly who: string;
  /** Who stands in the trace, where it is another (a device acts for its person). */
  readonly tracedAs?: string;
  readonly place?: string;
  readonly requestId?: string;
  readonly detail?: object;
  /** What targets are told: the file as it was, its ids alone, or nothing. */
  readonly tells: 'file' | 'ids' | 'nothing';
}

/**
 * Ends a file for good, by the one road that all who do so take: its row goes with all that is counted of it, targets and trace are told, and its
 * bytes are ordered to be removed, all in one transaction. So whatever ends the process, either the file is there as it was, or its
 * bytes go. Of a file within a lock the trace keeps ids only: its folder does not hide the trace of what is gone.
 */
export interface FileRemoval {
  /** Resolves with false where the file changed since it was read: nothing was done then. */
  remove(file: NewFileRow, ending: Ending): Promise<boolean>;
}

/** Whoever made other things of files (shares, uploads, …) gives the writes that end those of one. */
export type RemoveAlso = (
  fileId: string,
  by: Pick<TraceEntryIn, 'who' | 'place' | 'requestId'>,
) => Promise<readonly Write[]> | readonly Write[];

export const createFileRemoval = ({
  database,
  store,
  blobRemoval,
  ledger,
  events,
  trace,
  facts,
  clock,
  alsoRemoves = [],
}: {
  database: Pick<Database, 'write'>;
  store: Pick<TrashStore, 'removeFile' | 'noteEnd' | 'isUnderLock'>;
  blobRemoval: Pick<BlobRemoval, 'writes' | 'announce'>;
  ledger: Ledger;
  events: Pick<Events, 'append' | 'announce'>;
  trace: Pick<Trace, 'entries' | 'scrub' | 'scrubbing'>;
  facts: FileFacts;
  clock: Clock;
  alsoRemoves?: readonly RemoveAlso[];
}): FileRemoval => {
  /** What was too much for the transaction: what came first, and tells of the bytes, went with that. */
  const scrubRest = async (id: string): Promise<void> => {
    while ((await trace.scrub([id], entriesInStep)) === entriesInStep);
  };
  return {
    async remove(file, { who, tracedAs = who, place, requestId, detail, tells }) {
      const { id, tenantId, ownerId } = file;
      const at = clock.now();
      const isUnderLock = tells === 'ids' || (await store.isUnderLock(file));
      // Of what is gone no address is told.
      const told = { ...file, state: 'trashed', updatedAt: at } as const;
      const also = await Promise.all(alsoRemoves.map((remove) => remove(id, { who: tracedAs, place, requestId })));
      try {
        await database.write([
          ...ledger.leave(id),
          store.removeFile(file),
          ...also.flat(),
          ...blobRemoval.writes(file, at),
          store.noteEnd({ id, tenantId, ownerId, endedAt: at }),
          ...(tells === 'nothing' ? [] : events.append([facts.of('file.deleted', told, { isUnderLock, who, more: { state: 'deleted' } })])),
          ...(isUnderLock ? [trace.scrubbing([id], entriesInStep)] : []),
          ...trace.entries([{ tenantId, subject: id, kind: 'file', requestId, at, what: 'deleted', who: tracedAs, place, detail }]),
        ]);
      } catch (error) {
        if (error instanceof WriteRefused) return false;
        throw error;
      }
      blobRemoval.announce();
      if (isUnderLock) await scrubRest(id);
      if (tells !== 'nothing') events.announce();
      return true;
    },
  };
};
