import type { Database } from '../../../database/database.ts';
import type { Viewer } from '../viewer.ts';

export type UsageStore = ReturnType<typeof createUsageStore>;

/** What files take; the ledger writes it. */
export const createUsageStore = ({ read }: Pick<Database, 'read'>) => ({
  async findUsage({ tenantId, ownerId }: Viewer): Promise<{ personBytes: number; tenantBytes: number }> {
    const rows = await read
      .selectFrom('fileUsage')
      .select(['ownerId', 'bytes'])
      .where('tenantId', '=', tenantId)
      .where('ownerId', 'in', [ownerId, ''])
      .execute();
    const bytesOf = (owner: string): number => rows.find((row) => row.ownerId === owner)?.bytes ?? 0;
    return { personBytes: bytesOf(ownerId), tenantBytes: bytesOf('') };
  },
});
