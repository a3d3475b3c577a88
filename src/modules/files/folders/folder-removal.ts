import type { Database, Trx, Write } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Events, OwnFact } from '../../events/events.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import type { FileFacts } from '../file-facts.ts';
import type { Ledger } from '../ledger-store.ts';
import type { Actor, Viewer } from '../viewer.ts';
import { lockedFolder, noFolder } from './folder-gate.ts';
import type { FileBelow, FolderRemovalStore } from './folder-removal-store.ts';
import type { FolderStore, SeenFolder } from './folder-store.ts';
import { entryOf } from './folder-trace.ts';

/**
 * Removes the folder and all below it; stored files in them go to the trash, and everything else that was in them to the top level, or to
 * the folder around it where that is under a lock. Throws `not-found`, and `locked` where one of the folders is hidden from the viewer.
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
  alsoRemoves?: readonly ((folderIds: readonly string[], actor: Actor, query: Trx['query']) => Promise<readonly Write[]>)[];
}): RemoveFolder => {
  /** Where its files are from here on: what a lock above goes on hiding stays in that one's reach, all else is at the top level. */
  const homeOf = async (viewer: Viewer, { parentId }: SeenFolder, query: Trx['query']): Promise<string | null> => {
    const parent = parentId === null ? undefined : await store.findFolder(viewer, parentId, query);
    return parent?.isUnderLock === 1 ? parent.id : null;
  };

  const trash = (actor: Actor, files: readonly FileBelow[], from: string, folderId: string | null): Write[] => {
    const at = clock.now();
    const writes: Write[] = [];
    const told: OwnFact[] = [];
    const entries: TraceEntryIn[] = [];
    for (const { isUnderLock, ...file } of files) {
      if (file.state !== 'stored') {
        writes.push(...ledger.around(file.id, [removalStore.takeOut({ id: file.id, folderId })]));
        continue;
      }
      const trashed = { ...file, state: 'trashed', folderId, trashedAt: at, updatedAt: at } as const;
      writes.push(...ledger.around(file.id, [removalStore.trashFile({ id: file.id, at, folderId })]));
      told.push(facts.of('file.trashed', trashed, { isUnderLock: isUnderLock === 1, who: actor.viewer.callerId }));
      entries.push(entryOf(actor, 'file', file.id, { what: 'trashed', at, detail: { folder: from } }));
    }
    return [...writes, ...events.append(told), ...trace.entries(entries)];
  };

  /** Resolves with whether the folder is gone now. */
  const step = async (actor: Actor, folder: SeenFolder, { query, run }: Trx): Promise<boolean> => {
    const { viewer } = actor;
    const { id } = folder;
    const files = await removalStore.findFiles(viewer, id, mostInStep, query);
    await run(trash(actor, files, id, await homeOf(viewer, folder, query)));
    if (files.length === mostInStep) return false;
    const folderIds = await removalStore.findFolders(id, mostInStep, query);
    const at = clock.now();
    const deleted = folderIds.map((folderId) =>
      entryOf(actor, 'folder', folderId, { what: 'deleted', at, ...(folderId === id ? {} : { detail: { with: id } }) }),
    );
    const also = await Promise.all(alsoRemoves.map((remove) => remove(folderIds, actor, query)));
    await run([...folderIds.map((folderId) => removalStore.removeFolder({ id: folderId })), ...also.flat(), ...trace.entries(deleted)]);
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
        return await step(actor, folder, trx);
      });
      events.announce();
    }
  };
};
