import type { Database, Trx } from '../../../database/database.ts';
import type { FolderRow } from '../../../database/tables.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import { type Page, type PageRequest, toPage } from '../../../foundation/page.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace } from '../../trace/trace.ts';
import { cleanName, nameKey } from '../file-names.ts';
import type { Actor, Viewer } from '../viewer.ts';
import { lockedFolder, noFolder } from './folder-gate.ts';
import { type FolderStore, type Place, type SeenFolder, topLevel } from './folder-store.ts';
import { entryOf } from './folder-trace.ts';

/** A folder as its owner sees it. */
export interface FolderResource {
  readonly id: string;
  readonly name: string;
  readonly parentId?: string;
  /** It has a lock, whether it was unlocked or not. */
  readonly locked: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/**
 * The folders of each owner are a tree of its own: ids count, so folders side by side may have the same name, as files may. To everybody
 * else they are not there (`not-found`). What lies in a locked folder, and every change of a locked one, is `locked`.
 */
export interface Folders {
  create(actor: Actor, wanted: { name: string; parentId?: string | null }): Promise<FolderResource>;
  /** All that no lock hides; locked folders themselves are among them. */
  list(viewer: Viewer, which: PageRequest & { readonly parent?: Place | undefined }): Promise<Page<FolderResource>>;
  get(viewer: Viewer, id: string): Promise<FolderResource>;
  /** Throws `conflict` where it would come to lie in itself, also by moves at the same time, or too deep. */
  change(actor: Actor, id: string, changes: { name?: string; parentId?: string | null }): Promise<FolderResource>;
}

/** Levels of folders, one in the other. */
const mostLevels = 64;

export const createFolders = ({
  database,
  store,
  trace,
  clock,
  ids,
}: {
  database: Pick<Database, 'transaction'>;
  store: FolderStore;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  ids: Ids;
}): Folders => {
  /** The folder and all above it. Inside a transaction, so that nobody moves one of them meanwhile. */
  const pathTo = async ({ query }: Trx, viewer: Viewer, parentId: string | null): Promise<readonly string[]> => {
    if (parentId === null) return [];
    const parent = await store.findFolder(viewer, parentId, query);
    if (parent === undefined) throw noFolder(parentId);
    if (parent.isHidden === 1) throw lockedFolder();
    return await store.pathOf(parentId, query);
  };

  return {
    async create(actor, wanted) {
      const { viewer } = actor;
      const name = cleanName(wanted.name, { in: 'body', at: '/name' });
      const parentId = wanted.parentId ?? null;
      const at = clock.now();
      const row: FolderRow = {
        ...{ id: ids.next('folder'), tenantId: viewer.tenantId, ownerId: viewer.ownerId, parentId, name, nameKey: nameKey(name) },
        ...{ lockHash: null, createdAt: at, updatedAt: at },
      };
      await database.transaction(async (trx) => {
        const path = await pathTo(trx, viewer, parentId);
        if (path.length >= mostLevels) throw tooDeep();
        const created = entryOf(actor, 'folder', row.id, {
          what: 'created',
          at,
          detail: { name, ...(parentId === null ? {} : { parentId }) },
        });
        await trx.run([store.insertFolder(row), ...trace.entries([created])]);
      });
      return resourceOfFolder(row);
    },

    async list(viewer, which) {
      if (which.parent !== undefined && which.parent !== topLevel) {
        const parent = await store.findFolder(viewer, which.parent);
        if (parent === undefined) throw noFolder(which.parent);
        if (parent.isHidden === 1) throw lockedFolder();
      }
      const rows = await store.listFolders(viewer, which);
      return toPage(rows, which.limit, ({ id }) => [id], resourceOfFolder);
    },

    async get(viewer, id) {
      const folder = await store.findFolder(viewer, id);
      if (folder === undefined) throw noFolder(id);
      if (folder.isWithinHidden === 1) throw lockedFolder();
      return resourceOfFolder(folder);
    },

    async change(actor, id, changes) {
      const { viewer } = actor;
      const cleaned = changes.name === undefined ? undefined : cleanName(changes.name, { in: 'body', at: '/name' });
      const at = clock.now();
      return await database.transaction(async (trx) => {
        const folder = await store.findFolder(viewer, id, trx.query);
        if (folder === undefined) throw noFolder(id);
        if (folder.isHidden === 1) throw lockedFolder();
        const name = cleaned ?? folder.name;
        const parentId = changes.parentId === undefined ? folder.parentId : changes.parentId;
        const changed = { ...(name === folder.name ? {} : { name }), ...(parentId === folder.parentId ? {} : { parentId }) };
        if (Object.keys(changed).length === 0) return resourceOfFolder(folder);
        if ('parentId' in changed) {
          const path = await pathTo(trx, viewer, parentId);
          if (path.includes(id)) throw new Problem('conflict', 'A folder cannot lie within itself.');
          if (path.length + (await store.heightOf(id, trx.query)) > mostLevels) throw tooDeep();
        }
        const row: SeenFolder = { ...folder, name, nameKey: nameKey(name), parentId, updatedAt: at };
        const entry = entryOf(actor, 'folder', id, { what: 'changed', at, detail: changed });
        await trx.run([store.updateFolder(row), ...trace.entries([entry])]);
        return resourceOfFolder(row);
      });
    },
  };
};

const tooDeep = () => new Problem('conflict', `Folders may lie in each other on up to ${mostLevels} levels.`);

const resourceOfFolder = ({ id, name, parentId, lockHash, createdAt, updatedAt }: FolderRow): FolderResource => ({
  ...{ id, name },
  ...(parentId === null ? {} : { parentId }),
  ...{ locked: lockHash !== null, createdAt: toRfc3339(createdAt), updatedAt: toRfc3339(updatedAt) },
});
