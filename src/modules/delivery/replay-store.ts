import { sql } from 'kysely';
import type { Database, Trx } from '../../database/database.ts';
import type { TenantScope } from '../../foundation/caller.ts';
import {
  type DeliveryFilter,
  type DeliveryState,
  isForTarget,
  isFreeInLane,
  isHeldInLane,
  isInState,
  isUnderWayTo,
  type StoredDelivery,
} from './delivery-store.ts';

const finalStates: readonly DeliveryState[] = ['dead', 'parked', 'delivered'];
const stuckStates: readonly DeliveryState[] = ['dead', 'parked'];

export const createReplayStore = ({ read }: Database) => ({
  /** The places of finished deliveries behind `after`, oldest first: looked for before the transaction, which holds the one writer. */
  async findFinished(
    { tenantId }: TenantScope,
    { filter, after, limit }: { filter: DeliveryFilter; after: number; limit: number },
  ): Promise<readonly number[]> {
    const { state, target, type, from, to } = filter;
    const states = state === undefined ? stuckStates : finalStates.filter((final) => final === state);
    const found = await Promise.all(
      states.map((one) => {
        let rows = read.selectFrom('deliveries').select('position').where('tenantId', '=', tenantId).where('position', '>', after);
        if (target !== undefined) rows = rows.where(isForTarget(target, one));
        if (type !== undefined) rows = rows.where('type', '=', type);
        if (from !== undefined) rows = rows.where('createdAt', '>=', from);
        if (to !== undefined) rows = rows.where('createdAt', '<', to);
        return rows.where(isInState(one)).orderBy('position').limit(limit).execute();
      }),
    );
    return found
      .flat()
      .map(({ position }) => position)
      .toSorted((one, other) => one - other)
      .slice(0, limit);
  },

  /** Those of them that still are finished and whose target is still there. */
  findReplayable: (
    { query }: Trx,
    { tenantId }: TenantScope,
    which: { readonly id: string } | { readonly positions: readonly number[]; readonly state: DeliveryState | undefined },
  ): Promise<StoredDelivery[]> => {
    const rows = query
      .selectFrom('deliveries')
      .selectAll()
      .where('tenantId', '=', tenantId)
      .where('targetId', 'in', (eb) => eb.selectFrom('targets').select('id').where('deletedAt', 'is', null));
    if ('id' in which) return rows.where('id', '=', which.id).where('state', 'in', finalStates).execute();
    const states = which.state === undefined ? stuckStates : [which.state];
    return rows.where('position', 'in', which.positions).where('state', 'in', states).orderBy('position').execute();
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
      .selectFrom('laneKeys')
      .crossJoin('deliveries') // SQLite keeps this order: the few blocked keys first
      .selectAll('deliveries')
      .where('laneKeys.targetId', '=', targetId)
      .where(sql<boolean>`"isBlocked" = 1`)
      .whereRef('deliveries.targetId', '=', 'laneKeys.targetId')
      .whereRef('deliveries.orderingKey', '=', 'laneKeys.orderingKey')
      .where(sql<boolean>`"isHeld" = 1`)
      .where('deliveries.state', 'in', ['waiting', 'retrying'])
      .limit(limit)
      .execute(),

  /** Everything of a target that is not finished: what waits, what is held and, if asked for, what is under way. */
  async findOpen(
    { query }: Trx,
    targetId: string,
    { withUnderWay, limit }: { withUnderWay: boolean; limit: number },
  ): Promise<StoredDelivery[]> {
    const found: StoredDelivery[] = [];
    const isTargets = isForTarget(targetId, undefined);
    const open = [sql<boolean>`${isTargets} and ${isFreeInLane}`, sql<boolean>`${isTargets} and ${isHeldInLane}`];
    for (const isOpen of [...open, ...(withUnderWay ? [isUnderWayTo(targetId)] : [])]) {
      if (found.length === limit) break;
      const rows = query.selectFrom('deliveries').selectAll().where(isOpen);
      found.push(...(await rows.limit(limit - found.length).execute()));
    }
    return found;
  },

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
