import type { Database } from '../../database/database.ts';
import type { TenantRow } from '../../database/tables.ts';

export type TenantStore = ReturnType<typeof createTenantStore>;

export const createTenantStore = ({ read }: Pick<Database, 'build' | 'read'>) => ({
  findTenant: (id: string): Promise<TenantRow | undefined> =>
    read.selectFrom('tenants').selectAll().where('id', '=', id).executeTakeFirst(),

  findTenantBySlug: (slug: string): Promise<TenantRow | undefined> =>
    read.selectFrom('tenants').selectAll().where('slug', '=', slug).executeTakeFirst(),

  /** For the tokens that are out. */
  async listSuspendedIds(): Promise<string[]> {
    const rows = await read.selectFrom('tenants').select('id').where('state', '=', 'suspended').execute();
    return rows.map(({ id }) => id);
  },
});
