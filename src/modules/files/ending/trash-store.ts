import { sql } from 'kysely';
import type { Database, Statement } from '../../../database/database.ts';
import type { EndedFileRow, FileRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import { fileColumns, type NewFileRow } from '../file-store.ts';
import { isHidden } from '../sight-store.ts';

/** Whose belongings; those of its tenant. */
export interface Owner {
  readonly tenantId: string;
  readonly ownerId: string;
}

export type TrashStore = ReturnType<typeof createTrashStore>;

/**
 * The end of files: the way into the trash and out of it, and rows that go for good. Every change names the state that it was made for and
 * is refused (`WriteRefused`) where the row has another one by then. What is read here is read for jobs and for the file's owner.
 */
export const createTrashStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const id = slot<string>('id');
  const markTrashed = template<{ id: string; at: number }>(
    build
      .updateTable('files')
      .set({ state: 'trashed', trashedAt: slot<number>('at'), updatedAt: slot<number>('at') })
      .where('id', '=', id)
      .where('state', '=', 'stored'),
  );
  const markRestored = template<{ id: string; at: number; folderId: string | null }>(
    build
      .updateTable('files')
      .set({ state: 'stored', trashedAt: null, updatedAt: slot<number>('at'), folderId: slot<string | null>('folderId') })
      .where('id', '=', id)
      .where('state', '=', 'trashed'),
  );
  const removeFile = template<Pick<FileRow, 'id' | 'state' | 'updatedAt'>>(
    build
      .deleteFrom('files')
      .where('id', '=', id)
      .where('state', '=', slot<FileRow['state']>('state'))
      .where('updatedAt', '=', slot<number>('updatedAt')),
  );
  const noteEnd = template<EndedFileRow>(
    build
      .insertInto('endedFiles')
      .values({ id, tenantId: slot('tenantId'), ownerId: slot('ownerId'), endedAt: slot('endedAt') })
      .onConflict((conflict) => conflict.column('id').doNothing()),
  );
  const forgetEndsBefore = template<{ before: number; limit: number }>(
    build
      .deleteFrom('endedFiles')
      .where('id', 'in', (eb) =>
        eb.selectFrom('endedFiles').select('id').where('endedAt', '<', slot<number>('before')).limit(slot<number>('limit')),
      ),
  );
  const removeUsage = template<Owner>(
    build
      .deleteFrom('fileUsage')
      .where('tenantId', '=', slot<string>('tenantId'))
      .where('ownerId', '=', slot<string>('ownerId'))
      .where('files', '=', 0),
  );

  const idsOf = async (table: 'endedFiles' | 'folders', { tenantId, ownerId }: Owner, limit: number): Promise<string[]> => {
    const rows = await read
      .selectFrom(table)
      .select('id')
      .where('ownerId', '=', ownerId)
      .where('tenantId', '=', tenantId)
      .limit(limit)
      .execute();
    return rows.map((row) => row.id);
  };

  return {
    markTrashed: (row: { id: string; at: number }): Statement => ({ ...markTrashed.row(row), mustChange: 1 }),
    markRestored: (row: { id: string; at: number; folderId: string | null }): Statement => ({ ...markRestored.row(row), mustChange: 1 }),
    /** Refused where the row is not as it was read, so that nothing that was restored meanwhile goes. */
    removeFile: (row: Pick<FileRow, 'id' | 'state' | 'updatedAt'>): Statement => ({ ...removeFile.row(row), mustChange: 1 }),
    noteEnd: noteEnd.row,
    /** At most `limit` of them. */
    forgetEndsBefore: forgetEndsBefore.row,
    /** Of an owner who has no files any more. */
    removeUsage: removeUsage.row,
    forgetEnds: (ids: readonly string[]): Statement => build.deleteFrom('endedFiles').where('id', 'in', ids).compile(),
    removeFolders: (ids: readonly string[]): Statement => build.deleteFrom('folders').where('id', 'in', ids).compile(),

    findRow: (fileId: string): Promise<NewFileRow | undefined> =>
      read.selectFrom('files').select(fileColumns).where('id', '=', fileId).executeTakeFirst(),

    /** Whether a folder above has a lock, unlocked or not. */
    async isUnderLock({ tenantId, folderId }: Pick<FileRow, 'tenantId' | 'folderId'>): Promise<boolean> {
      if (folderId === null) return false;
      const folder = await read
        .selectFrom('folders')
        .select(isHidden('folders.id', { tenantId, unlocked: [] }).as('isUnderLock'))
        .where('folders.id', '=', folderId)
        .where('folders.tenantId', '=', tenantId)
        .executeTakeFirst();
      return folder?.isUnderLock === 1;
    },

    /** Of all tenants. */
    listTrashedBefore: (before: number, limit: number): Promise<NewFileRow[]> =>
      read
        .selectFrom('files')
        .select(fileColumns)
        .where('trashedAt', 'is not', null)
        .where('trashedAt', '<', before)
        .where('state', '=', 'trashed')
        .orderBy('trashedAt')
        .limit(limit)
        .execute(),

    /** Files of all tenants that never came to be and at which nothing happened since. */
    listGivenUpBefore: (before: number, { limit, offset }: { limit: number; offset: number }): Promise<NewFileRow[]> =>
      read
        .selectFrom('files')
        .select(fileColumns)
        .where(sql<boolean>`"state" in ('expected', 'checking', 'rejected') and "state" <> 'checking'`) // the words of the index
        .where('createdAt', '<', before)
        .where('updatedAt', '<', before)
        .orderBy('createdAt')
        .orderBy('id')
        .limit(limit)
        .offset(offset)
        .execute(),

    listFilesOf: ({ tenantId, ownerId }: Owner, limit: number): Promise<NewFileRow[]> =>
      read.selectFrom('files').select(fileColumns).where('ownerId', '=', ownerId).where('tenantId', '=', tenantId).limit(limit).execute(),
    listEndsOf: (owner: Owner, limit: number) => idsOf('endedFiles', owner, limit),
    listFoldersOf: (owner: Owner, limit: number) => idsOf('folders', owner, limit),
  };
};
