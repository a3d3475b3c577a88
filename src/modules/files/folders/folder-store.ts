import { sql } from 'kysely';
import type { Database, Statement, Trx } from '../../../database/database.ts';
import { elementsOf } from '../../../database/dialect.ts';
import type { FolderRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import { decodeCursor, type PageRequest } from '../../../foundation/page.ts';
import { isHidden, isOpenFolder } from '../sight-store.ts';
import type { Viewer } from '../viewer.ts';

export interface SeenFolder extends FolderRow {
  /** 1 where it is locked, or lies within a locked one, and was not unlocked. */
  readonly isHidden: number;
  /** 1 where a folder above it hides it, whatever its own lock. */
  readonly isWithinHidden: number;
  /** 1 where it or one above it has a lock, unlocked or not. */
  readonly isUnderLock: number;
}

/** The id of a folder, or `root` for the top level. */
export type Place = string;

export const topLevel = 'root';

/** `below`: the folder, with all that lie in it, however deep; `level` is 1 for itself. */
export const below = (query: Trx['query'], folderId: string) =>
  query.withRecursive('below', (cte) =>
    cte
      .selectFrom('folders')
      .select(['id', sql<number>`1`.as('level')])
      .where('id', '=', folderId)
      .unionAll(
        cte
          .selectFrom('folders')
          .innerJoin('below', 'below.id', 'folders.parentId')
          .select(['folders.id', sql<number>`"below"."level" + 1`.as('level')]),
      ),
  );

export type FolderStore = ReturnType<typeof createFolderStore>;

export const createFolderStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertFolder = template<FolderRow>(
    build.insertInto('folders').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      ownerId: slot('ownerId'),
      parentId: slot('parentId'),
      name: slot('name'),
      nameKey: slot('nameKey'),
      lockHash: slot('lockHash'),
      createdAt: slot('createdAt'),
      updatedAt: slot('updatedAt'),
    }),
  );
  const updateFolder = template<Pick<FolderRow, 'id' | 'name' | 'nameKey' | 'parentId' | 'updatedAt'>>(
    build
      .updateTable('folders')
      .set({ name: slot('name'), nameKey: slot('nameKey'), parentId: slot('parentId'), updatedAt: slot('updatedAt') })
      .where('id', '=', slot<string>('id')),
  );
  const setLock = template<Pick<FolderRow, 'id' | 'lockHash' | 'updatedAt'>>(
    build
      .updateTable('folders')
      .set({ lockHash: slot('lockHash'), updatedAt: slot('updatedAt') })
      .where('id', '=', slot<string>('id')),
  );
  const removeLock = template<{ id: string; lockHash: string; updatedAt: number }>(
    build
      .updateTable('folders')
      .set({ lockHash: null, updatedAt: slot('updatedAt') })
      .where('id', '=', slot<string>('id'))
      .where('lockHash', '=', slot<string>('lockHash')),
  );
  const holdFolder = template<{ id: string; tenantId: string; unlockedJson: string }>(
    build
      .updateTable('folders')
      .set((eb) => ({ updatedAt: eb.ref('updatedAt') }))
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId'))
      .where(isOpenFolder(slot('tenantId'), slot('unlockedJson'))),
  );

  const seen = (viewer: Viewer, query = read) =>
    query
      .selectFrom('folders')
      .selectAll()
      .select([
        isHidden('folders.id', viewer).as('isHidden'),
        isHidden('folders.parentId', viewer).as('isWithinHidden'),
        isHidden('folders.id', { tenantId: viewer.tenantId, unlocked: [] }).as('isUnderLock'),
      ])
      .where('folders.tenantId', '=', viewer.tenantId)
      .where('folders.ownerId', '=', viewer.ownerId);

  return {
    insertFolder: insertFolder.row,
    updateFolder: (row: Pick<FolderRow, 'id' | 'name' | 'nameKey' | 'parentId' | 'updatedAt'>): Statement => ({
      ...updateFolder.row(row),
      mustChange: 1,
    }),
    setLock: (row: Pick<FolderRow, 'id' | 'lockHash' | 'updatedAt'>): Statement => ({ ...setLock.row(row), mustChange: 1 }),
    /** Refused where it is not this lock any more. */
    removeLock: (row: { id: string; lockHash: string; updatedAt: number }): Statement => ({ ...removeLock.row(row), mustChange: 1 }),

    /** Refused where the folder is gone, or hidden from the viewer by now; while the transaction lasts nobody else changes it. */
    holdFolder: ({ tenantId, unlocked }: Pick<Viewer, 'tenantId' | 'unlocked'>, id: string): Statement => ({
      ...holdFolder.row({ id, tenantId, unlockedJson: JSON.stringify(unlocked) }),
      mustChange: 1,
    }),

    /** The viewer's own folder; within a transaction by its `query`. */
    findFolder: (viewer: Viewer, id: string, query = read): Promise<SeenFolder | undefined> =>
      seen(viewer, query).where('folders.id', '=', id).executeTakeFirst(),

    /** The viewer's own folders that none above them hides, newest first, one more than the limit; `parent` leaves those in it. */
    listFolders(viewer: Viewer, { parent, limit, cursor }: PageRequest & { readonly parent?: Place | undefined }): Promise<SeenFolder[]> {
      let query = seen(viewer).where(sql<boolean>`not ${isHidden('folders.parentId', viewer)}`);
      if (parent === topLevel) query = query.where('folders.parentId', 'is', null);
      else if (parent !== undefined) query = query.where('folders.parentId', '=', parent);
      if (cursor !== undefined) query = query.where('folders.id', '<', decodeCursor(cursor, ['string'] as const)[0]);
      return query
        .orderBy('folders.id', 'desc')
        .limit(limit + 1)
        .execute();
    },

    /** The folder and all above it, itself first. */
    async pathOf(folderId: string, query = read): Promise<readonly string[]> {
      const rows = await query
        .withRecursive('path', (cte) =>
          cte
            .selectFrom('folders')
            .select(['id', 'parentId', sql<number>`1`.as('level')])
            .where('id', '=', folderId)
            .unionAll(
              cte
                .selectFrom('folders')
                .innerJoin('path', 'path.parentId', 'folders.id')
                .select(['folders.id', 'folders.parentId', sql<number>`"path"."level" + 1`.as('level')]),
            ),
        )
        .selectFrom('path')
        .select('id')
        .orderBy('level')
        .execute();
      return rows.map(({ id }) => id);
    },

    /** How many levels the folder and those below it have. */
    async heightOf(folderId: string, query = read): Promise<number> {
      const row = await below(query, folderId)
        .selectFrom('below')
        .select(({ fn }) => fn.max<number>('level').as('levels'))
        .executeTakeFirst();
      return row?.levels ?? 0;
    },

    /** The locks of the viewer's own folders among these. */
    async findLocks(
      { tenantId, ownerId }: Pick<Viewer, 'tenantId' | 'ownerId'>,
      ids: readonly string[],
    ): Promise<ReadonlyMap<string, string>> {
      const rows = await read
        .selectFrom('folders')
        .select(['id', 'lockHash'])
        .where('id', 'in', sql<string>`(select "value" from ${elementsOf(JSON.stringify(ids))})`)
        .where('tenantId', '=', tenantId)
        .where('ownerId', '=', ownerId)
        .execute();
      return new Map(rows.flatMap(({ id, lockHash }) => (lockHash === null ? [] : [[id, lockHash]])));
    },
  };
};
