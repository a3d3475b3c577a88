import { type Database, type Write, WriteRefused } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Events } from '../../events/events.ts';
import type { Trace, TraceWhat } from '../../trace/trace.ts';
import type { FileActs } from '../file-acts.ts';
import type { FileFacts } from '../file-facts.ts';
import type { NewFileRow, SeenFile } from '../file-store.ts';
import type { FolderStore } from '../folders/folder-store.ts';
import type { Ledger } from '../ledger-store.ts';
import type { Viewer } from '../viewer.ts';
import type { FileRemoval } from './file-removal.ts';
import type { TrashStore } from './trash-store.ts';

/** Where an act comes from; the trace tells it. */
export interface ActOrigin {
  readonly address: string;
  readonly requestId: string;
}

/** The end of a file, as its owner brings it about. All throw what `FileActs.get` throws, and `not-allowed` for others who see the file. */
export interface Trash {
  /** Into the trash; nothing happens where it is there already. What was never stored has nothing to restore: it goes for good. */
  trash(viewer: Viewer, id: string, origin: ActOrigin): Promise<void>;
  /** Out of it, into its folder if that is still there. Nothing happens to a stored file; `conflict` for one that never was. */
  restore(viewer: Viewer, id: string, origin: ActOrigin): Promise<NewFileRow>;
  /** For good, whatever its state: the row is gone when this resolves, the bytes soon after. */
  remove(viewer: Viewer, id: string, origin: ActOrigin): Promise<void>;
}

/** So often somebody else may change the file between look and write before we give up. */
const mostTries = 10;

export const createTrash = ({
  database,
  acts,
  store,
  folders,
  removal,
  ledger,
  events,
  trace,
  facts,
  clock,
}: {
  database: Pick<Database, 'write'>;
  acts: Pick<FileActs, 'get'>;
  store: TrashStore;
  folders: Pick<FolderStore, 'findFolder' | 'holdFolder'>;
  removal: FileRemoval;
  ledger: Ledger;
  events: Pick<Events, 'append' | 'announce'>;
  trace: Pick<Trace, 'entries'>;
  facts: FileFacts;
  clock: Clock;
}): Trash => {
  const getOwn = async (viewer: Viewer, id: string): Promise<SeenFile> => {
    const file = await acts.get(viewer, id);
    if (file.ownerId !== viewer.ownerId) throw new Problem('not-allowed', 'Only its owner moves a file to the trash and out of it.');
    return file;
  };

  /** Looks at the file and tries; `attempt` is undefined where somebody else was faster, and what is there then is looked at anew. */
  const withOwn = async <Result>(viewer: Viewer, id: string, attempt: (file: SeenFile) => Promise<Result | undefined>): Promise<Result> => {
    for (let tries = 0; tries < mostTries; tries += 1) {
      const result = await attempt(await getOwn(viewer, id));
      if (result !== undefined) return result;
    }
    throw new Problem('conflict', 'The file is being changed; try again.');
  };

  /** Carries out a change with what is told of it; resolves with whether the file was as it was read. */
  const change = async (
    viewer: Viewer,
    row: NewFileRow,
    origin: ActOrigin,
    told: { what: TraceWhat; type: 'file.trashed' | 'file.restored'; writes: readonly Write[]; before?: readonly Write[] },
  ): Promise<boolean> => {
    const isUnderLock = await store.isUnderLock(row);
    const { tenantId, id } = row;
    const traced = { tenantId, subject: id, kind: 'file', at: row.updatedAt, what: told.what, ...tracedBy(viewer, origin) };
    try {
      await database.write([
        ...(told.before ?? []),
        ...ledger.around(id, told.writes),
        ...events.append([facts.of(told.type, row, { isUnderLock, who: viewer.callerId })]),
        ...trace.entries([traced]),
      ]);
    } catch (error) {
      if (error instanceof WriteRefused) return false;
      throw error;
    }
    events.announce();
    return true;
  };

  const removeOnce = async (viewer: Viewer, file: NewFileRow, origin: ActOrigin): Promise<true | undefined> => {
    const { who, ...traced } = tracedBy(viewer, origin);
    const isGone = await removal.remove(file, { who: viewer.callerId, tracedAs: who, ...traced, tells: 'file' });
    return isGone || undefined;
  };

  return {
    async trash(viewer, id, origin) {
      await withOwn(viewer, id, async (file) => {
        if (file.state === 'trashed') return true;
        if (file.state !== 'stored') return await removeOnce(viewer, file, origin);
        const at = clock.now();
        const row = rowOf({ ...file, state: 'trashed', trashedAt: at, updatedAt: at });
        const writes = [store.markTrashed({ id, at })];
        return (await change(viewer, row, origin, { what: 'trashed', type: 'file.trashed', writes })) || undefined;
      });
    },

    restore: (viewer, id, origin) =>
      withOwn(viewer, id, async (file) => {
        if (file.state === 'stored') return file;
        if (file.state !== 'trashed') throw new Problem('conflict', `The file is not in the trash: it is ${file.state}.`);
        const folder = file.folderId === null ? undefined : await folders.findFolder(viewer, file.folderId);
        const at = clock.now();
        const folderId = folder?.id ?? null;
        const row = rowOf({ ...file, state: 'stored', trashedAt: null, updatedAt: at, folderId });
        const writes = [store.markRestored({ id, at, folderId })];
        const before = folder === undefined ? [] : [folders.holdFolder(viewer, folder.id)];
        return (await change(viewer, row, origin, { what: 'restored', type: 'file.restored', writes, before })) ? row : undefined;
      }),

    async remove(viewer, id, origin) {
      await withOwn(viewer, id, (file) => removeOnce(viewer, file, origin));
    },
  };
};

/** A device acts for its person, and is named beside it. */
const tracedBy = ({ ownerId, callerId }: Viewer, { address, requestId }: ActOrigin) => ({
  who: ownerId,
  place: address,
  requestId,
  ...(callerId === ownerId ? {} : { detail: { by: callerId } }),
});

const rowOf = ({ isHidden: _hidden, isReadable: _readable, ...row }: SeenFile): NewFileRow => row;
