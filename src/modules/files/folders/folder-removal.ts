import type { Database, Trx, Write } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Events, OwnFact } from '../../events/events.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import type { FileFacts } from '../file-facts.ts';
import type { Ledger } from '../ledger-store.ts';
import type { Actor } from '../viewer.ts';
import { lockedFolder, noFolder } from './folder-gate.ts';
import type { FileBelow, FolderRemovalStore } from './folder-removal-store.ts';
import type { FolderStore } from './folder-store.ts';
import { entryOf } from './folder-trace.ts';

/**
 * Removes the folder and all below it; stored files in them go to the trash, and everything else that was in them to the top level. Throws
 * `not-found`, and `locked` where one of the folders is hidden from the viewer.
 *
 * A folder of usual size goes in one transaction. A huge one goes in steps, so that nobody waits long for the writer: what is in the trash
 * says so after each, and the folder is there until it is empty. If that is broken off, what is left is a folder as any other, and asking
 * once more goes on.
 */
export type RemoveFolder = (actor: Actor, id: string) => Promise<void>;

/** Files and folders of one step: some 50 ms of the one writer. */
const mostInStep = 250;

export const createRemoveFolder = ({
  database,
  store,
  removalStore,
  ledger,
  facts,
  events,
  trace,
  clock,
  alsoRemoves = [],
}: {
  database: Pick<Database, 'transaction'>;
  store: Pick<FolderStore, 'findFolder'>;
  removalStore: FolderRemovalStore;
  ledger: Ledger;
  facts: FileFacts;
  events: Pick<Events, 'append' | 'announce'>;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  /** The writes that end what others made of these folders (shares). */
  alsoRemoves?: readonly ((folderIds: readonly string[]) => readonly Write[])[];
}): RemoveFolder => {
  const trash = (actor: Actor, files: readonly FileBelow[], folderId: string): Write[] => {
    const at = clock.now();
    const writes: Write[] = [];
    const told: OwnFact[] = [];
    const entries: TraceEntryIn[] = [];
    for (const { isUnderLock, ...file } of files) {
      if (file.state !== 'stored') {
        writes.push(...ledger.around(file.id, [removalStore.takeOut(file)]));
        continue;
      }
      const trashed = { ...file, state: 'trashed', folderId: null, trashedAt: at, updatedAt: at } as const;
      writes.push(...ledger.around(file.id, [removalStore.trashFile({ id: file.id, at })]));
      told.push(facts.of('file.trashed', trashed, { isUnderLock: isUnderLock === 1, who: actor.viewer.callerId }));
      entries.push(entryOf(actor, 'file', file.id, { what: 'trashed', at, detail: { folder: folderId } }));
    }
    return [...writes, ...events.append(told), ...trace.entries(entries)];
  };

  /** Resolves with whether the folder is gone now. */
  const step = async (actor: Actor, id: string, { query, run }: Trx): Promise<boolean> => {
    const { viewer } = actor;
    const files = await removalStore.findFiles(viewer, id, mostInStep, query);
    await run(trash(actor, files, id));
    if (files.length === mostInStep) return false;
    const folderIds = await removalStore.findFolders(id, mostInStep, query);
    const at = clock.now();
    const deleted = folderIds.map((folderId) =>
      entryOf(actor, 'folder', folderId, { what: 'deleted', at, ...(folderId === id ? {} : { detail: { with: id } }) }),
    );
    await run([
      ...folderIds.map((folderId) => removalStore.removeFolder({ id: folderId })),
      ...alsoRemoves.flatMap((remove) => remove(folderIds)),
      ...trace.entries(deleted),
    ]);
    return folderIds.includes(id);
  };

  return async (actor, id) => {
    const { viewer } = actor;
    for (let isGone = false; !isGone; ) {
      isGone = await database.transaction(async (trx) => {
        // Asked before each step: a lock that comes in between counts.
        const folder = await store.findFolder(viewer, id, trx.query);
        if (folder === undefined) throw noFolder(id);
        if (folder.isHidden === 1 || (await removalStore.holdsHidden(viewer, id, trx.query))) throw lockedFolder();
        return await step(actor, id, trx);
      });
      events.announce();
    }
  };
};
