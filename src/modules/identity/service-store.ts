import type { Database, Statement, Trx } from '../../database/database.ts';
import type { ServiceRow, ServiceSecretRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { TenantScope } from '../../foundation/caller.ts';
import { decodeCursor, type PageRequest } from '../../foundation/page.ts';
import { laterThanBefore } from './change-store.ts';

/** A secret as its tenant may see it. */
export type SecretSeen = Pick<ServiceSecretRow, 'id' | 'serviceId' | 'createdAt' | 'lastUsedAt'>;

export interface HeldService {
  readonly service: ServiceRow;
  readonly secrets: number;
}

export type ServiceStore = ReturnType<typeof createServiceStore>;

export const createServiceStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertService = template<ServiceRow>(
    build.insertInto('services').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      name: slot('name'),
      authId: slot('authId'),
      scopesJson: slot('scopesJson'),
      createdAt: slot('createdAt'),
      updatedAt: slot('updatedAt'),
    }),
  );
  const insertSecret = template<ServiceSecretRow>(
    build.insertInto('serviceSecrets').values({
      id: slot('id'),
      serviceId: slot('serviceId'),
      secretHash: slot('secretHash'),
      createdAt: slot('createdAt'),
      lastUsedAt: slot('lastUsedAt'),
    }),
  );
  const markSecretUsed = template<{ id: string; at: number }>(
    build
      .updateTable('serviceSecrets')
      .set({ lastUsedAt: slot('at') })
      .where('id', '=', slot<string>('id')),
  );
  const updateService = template<Omit<ServiceRow, 'authId' | 'createdAt'>>(
    build
      .updateTable('services')
      .set({ name: slot('name'), scopesJson: slot('scopesJson'), updatedAt: slot('updatedAt') })
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId')),
  );
  const removeService = template<{ tenantId: string; id: string }>(
    build.deleteFrom('services').where('id', '=', slot<string>('id')).where('tenantId', '=', slot<string>('tenantId')),
  );
  const removeSecret = template<{ serviceId: string; id: string }>(
    build.deleteFrom('serviceSecrets').where('id', '=', slot<string>('id')).where('serviceId', '=', slot<string>('serviceId')),
  );

  return {
    insertService: insertService.row,
    insertSecret: insertSecret.row,
    /** Refused by the database when the secret was removed meanwhile. */
    markSecretUsed: (row: { id: string; at: number }): Statement => ({ ...markSecretUsed.row(row), mustChange: 1 }),
    updateService: (row: Omit<ServiceRow, 'authId' | 'createdAt'>): Statement => ({ ...updateService.row(row), mustChange: 1 }),
    /** Its secrets go with it. */
    removeService: (row: { tenantId: string; id: string }): Statement => ({ ...removeService.row(row), mustChange: 1 }),
    removeSecret: (row: { serviceId: string; id: string }): Statement => ({ ...removeSecret.row(row), mustChange: 1 }),

    findService: (scope: TenantScope, id: string): Promise<ServiceRow | undefined> =>
      read.selectFrom('services').selectAll().where('id', '=', id).where('tenantId', '=', scope.tenantId).executeTakeFirst(),

    /** Newest first, one more than the limit. */
    async listServices(scope: TenantScope, { limit, cursor }: PageRequest): Promise<ServiceRow[]> {
      const query = read
        .selectFrom('services')
        .selectAll()
        .where('tenantId', '=', scope.tenantId)
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (cursor === undefined) return await query.execute();
      const [id] = decodeCursor(cursor, ['string'] as const);
      return await query.where('id', '<', id).execute();
    },

    /** Of services that were read under their tenant's scope; oldest first. */
    async listSecrets(serviceIds: readonly string[]): Promise<SecretSeen[]> {
      if (serviceIds.length === 0) return [];
      return await read
        .selectFrom('serviceSecrets')
        .select(['id', 'serviceId', 'createdAt', 'lastUsedAt'])
        .where('serviceId', 'in', serviceIds)
        .orderBy('id')
        .execute();
    },

    /** Signing in knows no tenant yet: the `authId` is unique in the instance. */
    findServiceByAuthId: (authId: string): Promise<ServiceRow | undefined> =>
      read.selectFrom('services').selectAll().where('authId', '=', authId).executeTakeFirst(),

    listSecretHashes: (serviceId: string): Promise<Pick<ServiceSecretRow, 'id' | 'secretHash'>[]> =>
      read.selectFrom('serviceSecrets').select(['id', 'secretHash']).where('serviceId', '=', serviceId).orderBy('id').execute(),

    /** Services of all tenants that were changed since `since`, with what they may do now; for tokens that are out. */
    listChangedServices: (since: number): Promise<Pick<ServiceRow, 'id' | 'scopesJson' | 'updatedAt'>[]> =>
      read.selectFrom('services').select(['id', 'scopesJson', 'updatedAt']).where('updatedAt', '>=', since).execute(),

    /**
     * Notes that the service changes, and tells how many secrets it has; undefined when it is not there. The update comes first, since
     * it holds the row: nobody else changes the service or its secrets until the transaction ends.
     */
    async holdService({ query }: Pick<Trx, 'query'>, scope: TenantScope, id: string, now: number): Promise<HeldService | undefined> {
      const service = await query
        .updateTable('services')
        .set({ updatedAt: laterThanBefore(now) })
        .where('id', '=', id)
        .where('tenantId', '=', scope.tenantId)
        .returningAll()
        .executeTakeFirst();
      if (!service) return undefined;
      const secrets = await query.selectFrom('serviceSecrets').select('id').where('serviceId', '=', id).execute();
      return { service, secrets: secrets.length };
    },
  };
};
