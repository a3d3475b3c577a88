import { sql } from 'kysely';
import type { Database, Statement, Trx } from '../../../database/database.ts';
import { slot, template } from '../../../database/template.ts';
import { fileColumns, type NewFileRow } from '../file-store.ts';
import { isHidden } from '../sight-store.ts';
import type { Viewer } from '../viewer.ts';
import { below } from './folder-store.ts';

/** A file in a folder that is removed. */
export interface FileBelow extends NewFileRow {
  /** 1 where its folder or one above it has a lock, unlocked or not. */
  readonly isUnderLock: number;
}

type Query = Trx['query'];

export type FolderRemovalStore = ReturnType<typeof createFolderRemovalStore>;

/** What a folder holds, with all folders below it. Reads are inside the transaction of the removal. */
export const createFolderRemovalStore = ({ build }: Pick<Database, 'build'>) => {
  const trashFile = template<{ id: string; at: number }>(
    build
      .updateTable('files')
      .set({ state: 'trashed', folderId: null, trashedAt: slot('at'), updatedAt: slot('at') })
      .where('id', '=', slot<string>('id')),
  );
  const takeOut = template<{ id: string }>(build.updateTable('files').set({ folderId: null }).where('id', '=', slot<string>('id')));
  const removeFolder = template<{ id: string }>(build.deleteFrom('folders').where('id', '=', slot<string>('id')));

  return {
    /** Its folder goes, so it comes back at the top level. */
    trashFile: (row: { id: string; at: number }): Statement => ({ ...trashFile.row(row), mustChange: 1 }),
    /** For what is no stored file: it is at the top level from here on. */
    takeOut: (row: { id: string }): Statement => ({ ...takeOut.row(row), mustChange: 1 }),
    removeFolder: (row: { id: string }): Statement => ({ ...removeFolder.row(row), mustChange: 1 }),

    /** Whether it or one below it is hidden from the viewer. */
    async holdsHidden(viewer: Viewer, folderId: string, query: Query): Promise<boolean> {
      const hidden = await below(query, folderId)
        .selectFrom('folders')
        .innerJoin('below', 'below.id', 'folders.id')
        .select('folders.id')
        .where(sql<boolean>`${isHidden('folders.id', viewer)}`)
        .limit(1)
        .executeTakeFirst();
      return hidden !== undefined;
    },

    /** At most `limit` files of any state, in any order. */
    findFiles: ({ tenantId }: Viewer, folderId: string, limit: number, query: Query): Promise<readonly FileBelow[]> =>
      below(query, folderId)
        .selectFrom('files')
        .innerJoin('below', 'below.id', 'files.folderId')
        .select(fileColumns)
        .select(isHidden('files.folderId', { tenantId, unlocked: [] }).as('isUnderLock'))
        .limit(limit)
        .execute(),

    /** At most `limit` folders, the lowest first, itself last. */
    async findFolders(folderId: string, limit: number, query: Query): Promise<readonly string[]> {
      const rows = await below(query, folderId).selectFrom('below').select('id').orderBy('level', 'desc').limit(limit).execute();
      return rows.map(({ id }) => id);
    },
  };
};
