import type { Database, Statement, Trx } from '../../../database/database.ts';
import { slot, template } from '../../../database/template.ts';
import type { TenantScope } from '../../../foundation/caller.ts';
import { fileColumns, type NewFileRow } from '../file-store.ts';
import { isHidden } from '../sight-store.ts';

/** A file that waits for its bytes, with what is to be known of it when they are there. */
export interface ExpectedFile extends NewFileRow {
  /** 1 where it lies within a locked folder, unlocked or not. */
  readonly isUnderLock: number;
}

export type SettleStore = ReturnType<typeof createSettleStore>;

/** What becomes of expected files. */
export const createSettleStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const open = ['expected', 'checking'] as const;

  const setStored = template<{ id: string; type: string; size: number; sha256: string; at: number }>(
    build
      .updateTable('files')
      .set({ state: 'stored', reason: null, type: slot('type'), size: slot('size'), sha256: slot('sha256'), updatedAt: slot('at') })
      .where('id', '=', slot<string>('id'))
      .where('state', 'in', open),
  );
  const setRejected = template<{ id: string; reason: string; at: number }>(
    build
      .updateTable('files')
      .set({ state: 'rejected', reason: slot('reason'), updatedAt: slot('at') })
      .where('id', '=', slot<string>('id'))
      .where('state', 'in', open),
  );
  const setSize = template<{ id: string; size: number }>(
    build
      .updateTable('files')
      .set({ size: slot('size') })
      .where('id', '=', slot<string>('id'))
      .where('state', '=', 'expected'),
  );
  const touchFile = template<{ id: string; at: number }>(
    build
      .updateTable('files')
      .set({ updatedAt: slot('at') })
      .where('id', '=', slot<string>('id'))
      .where('state', '=', 'expected'),
  );

  const expected = (query: Trx['query'], { tenantId }: TenantScope, id: string): Promise<ExpectedFile | undefined> =>
    query
      .selectFrom('files')
      .select(fileColumns)
      .select(isHidden('files.folderId', { tenantId, unlocked: [] }).as('isUnderLock'))
      .where('files.tenantId', '=', tenantId)
      .where('files.id', '=', id)
      .executeTakeFirst();

  return {
    setStored: (row: Parameters<typeof setStored.row>[0]): Statement => ({ ...setStored.row(row), mustChange: 1 }),
    setRejected: (row: Parameters<typeof setRejected.row>[0]): Statement => ({ ...setRejected.row(row), mustChange: 1 }),
    /** The room that is held for an expected file. */
    setSize: (row: { id: string; size: number }): Statement => ({ ...setSize.row(row), mustChange: 1 }),
    /** Bytes came: it is not given up yet. */
    touchFile: (row: { id: string; at: number }): Statement => touchFile.row(row),

    /** Of any owner and in any state: asked by acts that know whose it is. */
    findExpected: (scope: TenantScope, id: string): Promise<ExpectedFile | undefined> => expected(read, scope, id),
    /** The same within a transaction. */
    expectedIn: expected,
  };
};
