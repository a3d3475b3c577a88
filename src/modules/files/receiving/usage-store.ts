import type { Database } from '../../../database/database.ts';
import type { Viewer } from '../viewer.ts';

export type UsageStore = ReturnType<typeof createUsageStore>;

/** What files take, and what is held for parts of files that are not put together; the ledger and the uploads write it. */
export const createUsageStore = ({ read }: Pick<Database, 'read'>) => ({
  async findUsage({ tenantId, ownerId }: Viewer): Promise<{ personBytes: number; tenantBytes: number }> {
    const ofFiles = read
      .selectFrom('fileUsage')
      .select(['ownerId', 'bytes'])
      .where('tenantId', '=', tenantId)
      .where('ownerId', 'in', [ownerId, '']);
    const ofParts = read.selectFrom('uploads').select(['ownerId', 'reservedBytes as bytes']).where('tenantId', '=', tenantId);
    const [files, parts] = await Promise.all([ofFiles.execute(), ofParts.where('reservedBytes', '>', 0).execute()]);
    const sum = (rows: readonly { bytes: number }[]) => rows.reduce((whole, { bytes }) => whole + bytes, 0);
    return {
      personBytes: sum([...files, ...parts].filter((row) => row.ownerId === ownerId)),
      tenantBytes: sum([...files.filter((row) => row.ownerId === ''), ...parts]),
    };
  },
});
