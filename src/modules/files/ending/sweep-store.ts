import type { Database } from '../../../database/database.ts';
import type { FileRow } from '../../../database/tables.ts';

export type SweepStore = ReturnType<typeof createSweepStore>;

/** What the sweeper compares with the bytes: rows of all tenants. */
export const createSweepStore = ({ read }: Pick<Database, 'read'>) => ({
  async findStates(ids: readonly string[]): Promise<ReadonlyMap<string, FileRow['state']>> {
    const rows = await read.selectFrom('files').select(['id', 'state']).where('id', 'in', ids).execute();
    return new Map(rows.map(({ id, state }) => [id, state]));
  },

  /** Files whose bytes are promised to be there, in the order in which they were made. */
  listKeptAfter: (position: number, limit: number): Promise<{ position: number; id: string; size: number }[]> =>
    read
      .selectFrom('files')
      .select(['position', 'id', 'size'])
      .where('position', '>', position)
      .where('state', 'in', ['checking', 'stored', 'trashed'])
      .orderBy('position')
      .limit(limit)
      .execute(),

  findKept: (id: string): Promise<Pick<FileRow, 'size'> | undefined> =>
    read.selectFrom('files').select('size').where('id', '=', id).where('state', 'in', ['checking', 'stored', 'trashed']).executeTakeFirst(),
});
