import type { Database, RepeatedStatement } from '../../../database/database.ts';
import type { BlobRemovalRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';

export type BlobRemovalStore = ReturnType<typeof createBlobRemovalStore>;

/** Bytes that are to be removed; those of all tenants, since whoever works on them works on all. */
export const createBlobRemovalStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const order = template<BlobRemovalRow>(
    build
      .insertInto('blobRemovals')
      .values({ blobKey: slot('blobKey'), dueAt: slot('dueAt') })
      .onConflict((conflict) => conflict.columns(['blobKey', 'dueAt']).doNothing()),
  );
  const end = template<BlobRemovalRow>(
    build.deleteFrom('blobRemovals').where('blobKey', '=', slot<string>('blobKey')).where('dueAt', '=', slot<number>('dueAt')),
  );
  return {
    orderRemovals: (rows: readonly BlobRemovalRow[]): RepeatedStatement => order.rows(rows),
    endRemovals: (rows: readonly BlobRemovalRow[]): RepeatedStatement => end.rows(rows),
    listDueRemovals: (now: number, limit: number): Promise<BlobRemovalRow[]> =>
      read.selectFrom('blobRemovals').selectAll().where('dueAt', '<=', now).orderBy('dueAt').limit(limit).execute(),
  };
};
