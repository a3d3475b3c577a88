import { sql } from 'kysely';
import type { Database, Statement, Write, WriteResult } from '../../database/database.ts';
import { asRow, elementsOf } from '../../database/dialect.ts';
import type { DeliveryRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { TenantScope } from '../../foundation/caller.ts';
import { decodeCursor, type PageRequest } from '../../foundation/page.ts';

export type DeliveryState = DeliveryRow['state'];
export type StoredDelivery = Omit<DeliveryRow, 'position'> & { readonly position: number };
export type Queue = DeliveryRow['queue'];

/** A delivery as fan-out makes it. */
export interface NewDelivery {
  readonly id: string;
  readonly tenantId: string;
  readonly targetId: string;
  readonly factId: string;
  readonly factPosition: number;
  readonly type: string;
  readonly orderingKey: string | null;
  readonly createdAt: number;
}

/** What becomes of a delivery that was under way. */
export interface Settlement {
  readonly position: number;
  readonly state: DeliveryState;
  readonly queue: Queue;
  readonly dueAt: number;
  readonly attempts: number;
  readonly reason: string | null;
  readonly updatedAt: number;
}

export interface DeliveryFilter {
  readonly state?: DeliveryState;
  readonly target?: string;
  /** Where the facts stand that an event's id names. */
  readonly factPositions?: readonly number[];
  readonly type?: string;
  readonly from?: number;
  readonly to?: number;
}

/** How many of the next slots are for each queue. */
export type Quotas = Readonly<Record<Queue, number>>;

export interface CountChange {
  readonly targetId: string;
  readonly tenantId: string;
  readonly state: DeliveryState;
  readonly amount: number;
}

// Written as literals: SQLite and Postgres use a partial index only where the query says the same as the index, word for word.
const isFree = sql<boolean>`"isHeld" = 0 and "state" in ('waiting', 'retrying')`;
/** What a lane may claim, in any of its queues: all of them named, so that the index of due work is taken. */
export const isFreeInLane = sql<boolean>`"queue" in ('live', 'retry', 'replay') and ${isFree}`;
/** Held ones have a key: said so that the index of held ones is taken. */
export const isHeldInLane = sql<boolean>`"isHeld" = 1 and "orderingKey" > ''`;
const stuckStates: ReadonlySet<DeliveryState> = new Set(['dead', 'parked', 'retrying', 'delivering']);
const isStuck = sql<boolean>`"state" <> 'waiting' and "state" <> 'delivered'`;
/** Of most deliveries one asks for the few that are not as they should be, and those have an index. */
export const isInState = (state: DeliveryState) => {
  const isSo = sql<boolean>`"state" = ${state}`;
  return stuckStates.has(state) ? sql<boolean>`${isStuck} and ${isSo}` : isSo;
};

/** An expression where the index of those few is the better one, else the target's own. */
export const isForTarget = (targetId: string, state: DeliveryState | undefined) =>
  state !== undefined && stuckStates.has(state) ? sql<boolean>`"targetId" || '' = ${targetId}` : sql<boolean>`"targetId" = ${targetId}`;

/** Few are under way at a time, so they have no index of their own, which every claim and every end would have to keep. */
export const isUnderWayTo = (targetId: string) =>
  sql<boolean>`"tenantId" = (select "tenantId" from "targets" where "id" = ${targetId}) and ${isInState('delivering')} and ${isForTarget(targetId, 'delivering')}`;

/** A delivery with all its columns. */
const columns = [
  'position',
  'id',
  'tenantId',
  'targetId',
  'factId',
  'factPosition',
  'type',
  'orderingKey',
  'state',
  'queue',
  'isHeld',
  'dueAt',
  'attempts',
  'reason',
  'createdAt',
  'updatedAt',
] as const satisfies (keyof StoredDelivery)[];
export const createDeliveryStore = ({ build, read }: Database) => {
  const insertDelivery = template<NewDelivery>(
    build.insertInto('deliveries').values({
      id: slot<string>('id'),
      tenantId: slot<string>('tenantId'),
      targetId: slot<string>('targetId'),
      factId: slot<string>('factId'),
      factPosition: slot<number>('factPosition'),
      type: slot<string>('type'),
      orderingKey: slot<string | null>('orderingKey'),
      state: 'waiting',
      queue: 'live',
      // Only targets that want order have keys; decided where it is written, since the target may just have been changed.
      isHeld: sql<number>`case when exists (select 1 from "laneKeys" where "targetId" = ${slot<string>('targetId')}
        and "orderingKey" = ${slot<string | null>('orderingKey')} and "headId" <> ${slot<string>('id')}) then 1 else 0 end`,
      dueAt: 0,
      attempts: 0,
      reason: null,
      createdAt: slot<number>('createdAt'),
      updatedAt: slot<number>('createdAt'),
    }),
  );
  const claimKey = template<{ targetId: string; orderingKey: string; id: string }>(
    build
      .insertInto('laneKeys')
      .columns(['targetId', 'orderingKey', 'headId', 'isBlocked'])
      .expression((eb) =>
        eb
          .selectFrom('targets')
          .select([
            'id',
            sql.val(slot<string>('orderingKey')).as('orderingKey'),
            sql.val(slot<string>('id')).as('headId'),
            sql.lit(0).as('isBlocked'),
          ])
          .where('id', '=', slot<string>('targetId'))
          .where('ordering', '=', 'key'),
      )
      .onConflict((conflict) => conflict.doNothing()),
  );
  const settleDelivery = template<Settlement>(
    build
      .updateTable('deliveries')
      .set({
        state: slot<DeliveryState>('state'),
        queue: slot<Queue>('queue'),
        dueAt: slot<number>('dueAt'),
        attempts: slot<number>('attempts'),
        reason: slot<string | null>('reason'),
        updatedAt: slot<number>('updatedAt'),
      })
      .where('position', '=', slot<number>('position'))
      .where('state', '=', 'delivering'),
  );
  const deliverAll = template<{ positions: string; updatedAt: number }>(
    build
      .updateTable('deliveries')
      .set((eb) => ({ state: 'delivered', attempts: eb('attempts', '+', 1), reason: null, updatedAt: slot<number>('updatedAt') }))
      .where('position', 'in', sql<number>`(select "value" from ${elementsOf(slot<string>('positions'))})`)
      .where('state', '=', 'delivering'),
  );
  const addToCount = template<CountChange>(
    build
      .insertInto('deliveryCounts')
      .values({
        targetId: slot<string>('targetId'),
        tenantId: slot<string>('tenantId'),
        state: slot<DeliveryState>('state'),
        amount: slot<number>('amount'),
      })
      .onConflict((conflict) =>
        conflict
          .columns(['targetId', 'state'])
          .doUpdateSet((eb) => ({ amount: eb('deliveryCounts.amount', '+', eb.ref('excluded.amount')) })),
      ),
  );

  return {
    /** Order by key: the first delivery of a free key becomes its head, all others are held behind it. */
    insertDeliveries(deliveries: readonly NewDelivery[]): Write[] {
      if (deliveries.length === 0) return [];
      const keyed = deliveries.flatMap(({ targetId, orderingKey, id }) => (orderingKey === null ? [] : [{ targetId, orderingKey, id }]));
      return [...(keyed.length === 0 ? [] : [claimKey.rows(keyed)]), insertDelivery.rows(deliveries)];
    },

    /**
     * Takes up to `limit` deliveries that are due: as many from each queue as `quotas` says, and where a queue has fewer, more from the
     * others, live ones first. One statement, so no other owner can take the same.
     */
    claimDueDeliveries({ targetId, now, limit, quotas }: { targetId: string; now: number; limit: number; quotas: Quotas }): Statement {
      const due = (queue: Queue, preference: number) => sql`
        select "position", ${sql.lit(preference)} as "preference", row_number() over (order by "dueAt", "position") as "place", ${quotas[queue]} as "quota"
        from (select "position", "dueAt" from "deliveries"
          where "targetId" = ${targetId} and "queue" = ${queue} and ${isFree} and "dueAt" <= ${now}
          order by "dueAt", "position" limit ${limit}) as ${sql.id(queue)}`;
      return build
        .updateTable('deliveries')
        .set({ state: 'delivering', updatedAt: now })
        .where(
          'position',
          'in',
          sql<number>`(select "position" from (${due('live', 0)} union all ${due('retry', 1)} union all ${due('replay', 2)}) as "due"
            order by ("place" > "quota"), "preference", "place" limit ${limit})`,
        )
        .returning(asRow(columns))
        .compile();
    },

    /** The deliveries that a claim took. */
    claimedIn(result: WriteResult | undefined): StoredDelivery[] {
      return (result?.rows ?? []).map(({ row }) => JSON.parse(String(row)) as StoredDelivery); // what the claim returns
    },

    /** Those that were delivered are written down in one statement, all others one by one. */
    settleDeliveries(settlements: readonly Settlement[]): Write[] {
      const delivered = settlements.filter(({ state }) => state === 'delivered');
      const others = settlements.filter(({ state }) => state !== 'delivered');
      const positions = JSON.stringify(delivered.map(({ position }) => position));
      const updatedAt = Math.max(...delivered.map((settlement) => settlement.updatedAt));
      return [
        ...(delivered.length === 0 ? [] : [{ ...deliverAll.row({ positions, updatedAt }), mustChange: delivered.length }]),
        ...(others.length === 0 ? [] : [settleDelivery.rows(others, others.length)]),
      ];
    },

    addToCounts: (changes: readonly CountChange[]): Write[] => (changes.length === 0 ? [] : [addToCount.rows(changes)]),

    /** When the next delivery that waits for its time is due; `undefined` when none does. */
    async nextDueAt(targetId: string): Promise<number | undefined> {
      const first = (queue: Queue) =>
        read
          .selectFrom('deliveries')
          .select('dueAt')
          .where('targetId', '=', targetId)
          .where('queue', '=', queue)
          .where(isFree)
          .orderBy('dueAt')
          .limit(1)
          .executeTakeFirst();
      const found = await Promise.all([first('live'), first('retry'), first('replay')]);
      const times = found.flatMap((row) => (row ? [row.dueAt] : []));
      return times.length === 0 ? undefined : Math.min(...times);
    },

    /** Since when the oldest delivery that is not finished waits. */
    async oldestWaitingSince(targetId: string): Promise<number | undefined> {
      const head = (queue: Queue) =>
        read
          .selectFrom('deliveries')
          .select('createdAt')
          .where('targetId', '=', targetId)
          .where('queue', '=', queue)
          .where(isFree)
          .orderBy('dueAt')
          .orderBy('position')
          .limit(1)
          .executeTakeFirst();
      const found = await Promise.all([head('live'), head('retry'), head('replay')]);
      const times = found.flatMap((row) => (row ? [row.createdAt] : []));
      return times.length === 0 ? undefined : Math.min(...times);
    },

    /** Left under way by an owner that ended without a word; whether they arrived is not known, so they go out again. */
    findUnderWay: (targetId: string): Promise<readonly StoredDelivery[]> =>
      read.selectFrom('deliveries').selectAll().where(isUnderWayTo(targetId)).orderBy('position').execute(),

    /** A due time further away than any retry waits comes from a clock that went back since. */
    limitDueTimes: (targetId: string, latest: number): Statement =>
      build
        .updateTable('deliveries')
        .set({ dueAt: latest })
        .where('targetId', '=', targetId)
        .where('queue', '=', 'retry')
        .where(isFree)
        .where('dueAt', '>', latest)
        .compile(),

    async listDeliveries(
      { tenantId }: TenantScope,
      filter: DeliveryFilter,
      { limit, cursor }: PageRequest,
    ): Promise<readonly StoredDelivery[]> {
      let query = read.selectFrom('deliveries').selectAll().where('tenantId', '=', tenantId);
      if (cursor !== undefined) query = query.where('position', '<', decodeCursor(cursor, ['number'] as const)[0]);
      if (filter.state !== undefined) query = query.where(isInState(filter.state));
      if (filter.target !== undefined) query = query.where(isForTarget(filter.target, filter.state));
      if (filter.factPositions !== undefined) query = query.where('factPosition', 'in', filter.factPositions);
      if (filter.type !== undefined) query = query.where('type', '=', filter.type);
      if (filter.from !== undefined) query = query.where('createdAt', '>=', filter.from);
      if (filter.to !== undefined) query = query.where('createdAt', '<', filter.to);
      return await query
        .orderBy('position', 'desc')
        .limit(limit + 1)
        .execute();
    },

    findDelivery: ({ tenantId }: TenantScope, id: string): Promise<StoredDelivery | undefined> =>
      read.selectFrom('deliveries').selectAll().where('tenantId', '=', tenantId).where('id', '=', id).executeTakeFirst(),

    async deliveriesOfFacts({ tenantId }: TenantScope, positions: readonly number[]): Promise<readonly StoredDelivery[]> {
      if (positions.length === 0) return [];
      return await read
        .selectFrom('deliveries')
        .selectAll()
        .where('factPosition', 'in', positions)
        .where('tenantId', '=', tenantId)
        .orderBy('position')
        .execute();
    },

    readCounts: ({ tenantId }: TenantScope): Promise<readonly CountChange[]> =>
      read.selectFrom('deliveryCounts').selectAll().where('tenantId', '=', tenantId).execute(),

    readAllCounts: (): Promise<readonly CountChange[]> => read.selectFrom('deliveryCounts').selectAll().execute(),

    /** Of facts that retention removes; their counts stay, as running totals. */
    removeOfFacts: (positions: readonly number[]): Write[] =>
      positions.length === 0 ? [] : [build.deleteFrom('deliveries').where('factPosition', 'in', positions).compile()],
  };
};

export type DeliveryStore = ReturnType<typeof createDeliveryStore>;
