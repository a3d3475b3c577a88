import type { Database, Statement, Trx } from '../../../database/database.ts';
import type { TenantRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import { decodeCursor, type PageRequest } from '../../../foundation/page.ts';
import { laterThanBefore } from '../change-store.ts';

export type TenantStore = ReturnType<typeof createTenantStore>;

/** Tenants have no owner but the instance: who may see them is decided before. */
export const createTenantStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertTenant = template<TenantRow>(
    build.insertInto('tenants').values({
      id: slot('id'),
      slug: slot('slug'),
      name: slot('name'),
      state: slot('state'),
      confirmEmail: slot('confirmEmail'),
      signUp: slot('signUp'),
      quotaPerson: slot('quotaPerson'),
      quotaTenant: slot('quotaTenant'),
      createdAt: slot('createdAt'),
      updatedAt: slot('updatedAt'),
    }),
  );
  const updateTenant = template<TenantRow>(
    build
      .updateTable('tenants')
      .set({
        slug: slot('slug'),
        name: slot('name'),
        state: slot('state'),
        confirmEmail: slot('confirmEmail'),
        signUp: slot('signUp'),
        quotaPerson: slot('quotaPerson'),
        quotaTenant: slot('quotaTenant'),
        updatedAt: slot('updatedAt'),
      })
      .where('id', '=', slot<string>('id')),
  );

  return {
    /** Rejects with `UniqueViolation` when the slug is taken, as does `updateTenant`. */
    insertTenant: insertTenant.row,
    updateTenant: (row: TenantRow): Statement => ({ ...updateTenant.row(row), mustChange: 1 }),

    findTenant: (id: string): Promise<TenantRow | undefined> =>
      read.selectFrom('tenants').selectAll().where('id', '=', id).executeTakeFirst(),

    findTenantBySlug: (slug: string): Promise<TenantRow | undefined> =>
      read.selectFrom('tenants').selectAll().where('slug', '=', slug).executeTakeFirst(),

    /** Newest first, one more than the limit. */
    async listTenants({ limit, cursor }: PageRequest): Promise<TenantRow[]> {
      const query = read
        .selectFrom('tenants')
        .selectAll()
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (cursor === undefined) return await query.execute();
      const [id] = decodeCursor(cursor, ['string'] as const);
      return await query.where('id', '<', id).execute();
    },

    /** All that are suspended, and those that were changed since `since`; for the tokens that are out. */
    listTenantStates: (since: number): Promise<Pick<TenantRow, 'id' | 'state' | 'updatedAt'>[]> =>
      read
        .selectFrom('tenants')
        .select(['id', 'state', 'updatedAt'])
        .where((eb) => eb.or([eb('state', '=', 'suspended'), eb('updatedAt', '>=', since)]))
        .execute(),

    /** The tenant with the time of this change. Holds its row: nobody else changes it until the transaction ends. */
    holdTenant: ({ query }: Pick<Trx, 'query'>, id: string, now: number): Promise<TenantRow | undefined> =>
      query
        .updateTable('tenants')
        .set({ updatedAt: laterThanBefore(now) })
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirst(),
  };
};
