import type { Database, Statement } from '../../database/database.ts';
import type { FolderRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import { isHidden } from './sight-store.ts';
import type { Viewer } from './viewer.ts';

export interface SeenFolder extends FolderRow {
  /** 1 where it is locked, or lies within a locked one, and was not unlocked. */
  readonly isHidden: number;
  /** 1 where it or one above it has a lock, unlocked or not. */
  readonly isUnderLock: number;
}

export type FolderStore = ReturnType<typeof createFolderStore>;

export const createFolderStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const holdFolder = template<{ id: string; tenantId: string }>(
    build
      .updateTable('folders')
      .set((eb) => ({ updatedAt: eb.ref('updatedAt') }))
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId')),
  );
  return {
    /** Refused where the folder is gone; while the transaction lasts nobody else changes it. */
    holdFolder: (row: { id: string; tenantId: string }): Statement => ({ ...holdFolder.row(row), mustChange: 1 }),

    /** The viewer's own folder. */
    findFolder: (viewer: Viewer, id: string): Promise<SeenFolder | undefined> =>
      read
        .selectFrom('folders')
        .selectAll()
        .select([
          isHidden('folders.id', viewer).as('isHidden'),
          isHidden('folders.id', { tenantId: viewer.tenantId, unlocked: [] }).as('isUnderLock'),
        ])
        .where('folders.id', '=', id)
        .where('folders.tenantId', '=', viewer.tenantId)
        .where('folders.ownerId', '=', viewer.ownerId)
        .executeTakeFirst(),
  };
};
