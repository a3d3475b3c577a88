import type { Database, Statement, Trx, Write } from '../../database/database.ts';
import type { TenantScope } from '../../foundation/caller.ts';
import { decodeCursor, type PageRequest } from '../../foundation/page.ts';
import type { Seal } from '../../foundation/secret.ts';
import { type TargetRecord, toTargetRecord, toTargetRow } from './target-record.ts';

export const createTargetStore = ({ database, seal }: { database: Database; seal: Seal }) => {
  const { build, read } = database;
  const alive = () => read.selectFrom('targets').selectAll().where('deletedAt', 'is', null);
  return {
    insertTarget: (target: TargetRecord): Write[] => [build.insertInto('targets').values(toTargetRow(target, seal)).compile()],

    /** Refused when somebody changed the target since `seenAt`. */
    updateTarget(target: TargetRecord, seenAt: number): Write[] {
      const { id, tenantId, ...columns } = toTargetRow(target, seal);
      const update = build
        .updateTable('targets')
        .set(columns)
        .where('id', '=', id)
        .where('tenantId', '=', tenantId)
        .where('updatedAt', '=', seenAt)
        .where('deletedAt', 'is', null);
      return [{ ...update.compile(), mustChange: 1 }];
    },

    setState: ({ id, tenantId }: TargetRecord, state: 'active' | 'paused', reason: string | null, now: number): Write[] => [
      build
        .updateTable('targets')
        .set({ state, pausedReason: reason, updatedAt: now })
        .where('id', '=', id)
        .where('tenantId', '=', tenantId)
        .compile(),
    ],

    markDeleted: (trx: Trx, { tenantId }: TenantScope, id: string, now: number) =>
      trx.query
        .updateTable('targets')
        .set({ deletedAt: now, updatedAt: now })
        .where('id', '=', id)
        .where('tenantId', '=', tenantId)
        .where('deletedAt', 'is', null)
        .execute(),

    async findTarget({ tenantId }: TenantScope, id: string): Promise<TargetRecord | undefined> {
      const row = await alive().where('tenantId', '=', tenantId).where('id', '=', id).executeTakeFirst();
      return row && toTargetRecord(row, seal);
    },

    async findTargetFromSettings({ tenantId }: TenantScope): Promise<TargetRecord | undefined> {
      const row = await alive().where('tenantId', '=', tenantId).where('isFromSettings', '=', 1).executeTakeFirst();
      return row && toTargetRecord(row, seal);
    },

    async listTargets({ tenantId }: TenantScope, { limit, cursor }: PageRequest): Promise<readonly TargetRecord[]> {
      let query = alive().where('tenantId', '=', tenantId);
      if (cursor !== undefined) query = query.where('id', '<', decodeCursor(cursor, ['string'] as const)[0]);
      const rows = await query
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
      return rows.map((row) => toTargetRecord(row, seal));
    },

    /** Names by id, of deleted targets too: deliveries and traces outlive them. */
    async targetNames({ tenantId }: TenantScope): Promise<ReadonlyMap<string, string>> {
      const rows = await read.selectFrom('targets').select(['id', 'name']).where('tenantId', '=', tenantId).execute();
      return new Map(rows.map(({ id, name }) => [id, name]));
    },

    /** Of all tenants, for retention alone: deleted targets of which something is still open. */
    deletedBefore: (before: number) =>
      read
        .selectFrom('targets')
        .select('id')
        .where('deletedAt', '<', before)
        .where('id', 'in', (eb) =>
          eb.selectFrom('deliveryCounts').select('targetId').where('state', 'in', ['waiting', 'retrying']).where('amount', '>', 0),
        )
        .execute(),

    /** To stand in an act that relies on the target as it was read: the act is refused when somebody has changed, paused or deleted it since. */
    unchanged: ({ id, updatedAt }: TargetRecord): Statement => ({
      ...build
        .selectFrom('targets')
        .select('id')
        .where('id', '=', id)
        .where('updatedAt', '=', updatedAt)
        .where('deletedAt', 'is', null)
        .compile(),
      mustChange: 1,
    }),

    /** Of all tenants, for fan-out and lanes alone. Without the configuration, which costs an opening each. */
    everyTarget: () =>
      read
        .selectFrom('targets')
        .select(['id', 'tenantId', 'typesJson', 'ordering', 'onDead', 'afterPosition', 'state', 'updatedAt'])
        .where('deletedAt', 'is', null)
        .execute(),
  };
};

export type TargetStore = ReturnType<typeof createTargetStore>;
