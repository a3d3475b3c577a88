import type { Trx } from '../../database/database.ts';
import type { TenantScope } from '../../foundation/caller.ts';
import type { DeliveryFilter, StoredDelivery } from './delivery-store.ts';

export const createReplayStore = () => ({
  /** Finished deliveries of targets that are still there, oldest first. */
  async findReplayable(
    { query }: Trx,
    { tenantId }: TenantScope,
    { id, filter = {}, after = 0, limit }: { id?: string; filter?: DeliveryFilter; after?: number; limit: number },
  ): Promise<StoredDelivery[]> {
    let rows = query
      .selectFrom('deliveries')
      .selectAll()
      .where('tenantId', '=', tenantId)
      .where('position', '>', after)
      .where('targetId', 'in', (eb) => eb.selectFrom('targets').select('id').where('deletedAt', 'is', null));
    if (id !== undefined) rows = rows.where('id', '=', id).where('state', 'in', ['dead', 'parked', 'delivered']);
    else if (filter.state === undefined) rows = rows.where('state', 'in', ['dead', 'parked']);
    else rows = rows.where('state', '=', filter.state).where('state', 'in', ['dead', 'parked', 'delivered']);
    if (filter.target !== undefined) rows = rows.where('targetId', '=', filter.target);
    if (filter.type !== undefined) rows = rows.where('type', '=', filter.type);
    if (filter.from !== undefined) rows = rows.where('createdAt', '>=', filter.from);
    if (filter.to !== undefined) rows = rows.where('createdAt', '<', filter.to);
    return await rows.orderBy('position').limit(limit).execute();
  },

  /** Which of their targets deliver in order of keys. */
  async orderedTargets({ query }: Trx, rows: readonly StoredDelivery[]): Promise<ReadonlySet<string>> {
    const ids = [...new Set(rows.map(({ targetId }) => targetId))];
    const found =
      ids.length === 0 ? [] : await query.selectFrom('targets').select('id').where('id', 'in', ids).where('ordering', '=', 'key').execute();
    return new Set(found.map(({ id }) => id));
  },

  /** They wait again with all their attempts; keyed ones are held until their key's turn is found. */
  async putBack({ query }: Trx, rows: readonly StoredDelivery[], ordered: ReadonlySet<string>, now: number): Promise<void> {
    const change = (list: readonly StoredDelivery[], isHeld: number) =>
      query
        .updateTable('deliveries')
        .set({ state: 'waiting', queue: 'replay', dueAt: 0, attempts: 0, reason: null, updatedAt: now, isHeld })
        .where(
          'id',
          'in',
          list.map(({ id }) => id),
        )
        .execute();
    const keyed = rows.filter(({ targetId, orderingKey }) => orderingKey !== null && ordered.has(targetId));
    const free = rows.filter((row) => !keyed.includes(row));
    if (keyed.length > 0) await change(keyed, 1);
    if (free.length > 0) await change(free, 0);
  },

  /** Held deliveries behind a dead head of a target that wants them parked. */
  findBlocked: ({ query }: Trx, targetId: string, limit: number): Promise<StoredDelivery[]> =>
    query
      .selectFrom('deliveries')
      .innerJoin('laneKeys', (join) =>
        join.onRef('laneKeys.targetId', '=', 'deliveries.targetId').onRef('laneKeys.orderingKey', '=', 'deliveries.orderingKey'),
      )
      .selectAll('deliveries')
      .where('deliveries.targetId', '=', targetId)
      .where('laneKeys.isBlocked', '=', 1)
      .where('deliveries.isHeld', '=', 1)
      .where('deliveries.state', 'in', ['waiting', 'retrying'])
      .orderBy('deliveries.position')
      .limit(limit)
      .execute(),

  /** Everything of a target that is not finished. */
  findOpen: (
    { query }: Trx,
    targetId: string,
    { withUnderWay, limit }: { withUnderWay: boolean; limit: number },
  ): Promise<StoredDelivery[]> =>
    query
      .selectFrom('deliveries')
      .selectAll()
      .where('targetId', '=', targetId)
      .where('state', 'in', withUnderWay ? ['waiting', 'retrying', 'delivering'] : ['waiting', 'retrying'])
      .orderBy('position')
      .limit(limit)
      .execute(),

  /** They need a hand from now on. */
  async park({ query }: Trx, rows: readonly StoredDelivery[], reason: string, now: number): Promise<void> {
    await query
      .updateTable('deliveries')
      .set({ state: 'parked', isHeld: 0, reason, updatedAt: now })
      .where(
        'id',
        'in',
        rows.map(({ id }) => id),
      )
      .execute();
  },
});
