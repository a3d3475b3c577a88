import { sql } from 'kysely';
import type { Database, RepeatedStatement, Trx, Write } from '../../database/database.ts';
import { asRow, elementsOf } from '../../database/dialect.ts';
import type { FactRow, Tables } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import { idBorder } from '../../foundation/ids.ts';
import type { PageRequest } from '../../foundation/page.ts';
import { decodeCursor } from '../../foundation/page.ts';
import type { IncomingEvent } from '../../intake/intake.ts';

/** A fact with its content. */
export type StoredFact = Omit<FactRow, 'position'> & { readonly position: number; readonly content: string };

export interface EventFilter {
  readonly state?: FactRow['state'];
  readonly type?: string;
  readonly source?: string;
  readonly sender?: string;
  readonly from?: number;
  readonly to?: number;
  readonly q?: string;
}

/** How the deliveries of a fact changed, to be counted into its state. */
export interface FactProgress {
  readonly factPosition: number;
  /** Change of the number of unfinished deliveries. */
  readonly open: number;
  /** Change of the number of deliveries that are dead or parked. */
  readonly stuck: number;
}

/** What fan-out has to know of a fact. */
export type UnroutedFact = Pick<StoredFact, 'position' | 'id' | 'tenantId' | 'type' | 'orderingKey' | 'receivedAt' | 'isOwn'>;

/** Where a fact stands after fan-out, with how many deliveries it has. */
interface RoutedState {
  readonly position: number;
  readonly state: FactRow['state'];
  readonly open: number;
}

interface FactValues {
  readonly factId: string;
  readonly tenantId: string;
  readonly senderId: string;
  readonly source: string;
  readonly eventId: string;
  readonly type: string;
  readonly orderingKey: string | null;
  readonly receivedAt: number;
  readonly isOwn: number;
  readonly traceparent: string | null;
  readonly tracestate: string | null;
  readonly content: string;
}

export const valuesOf = (event: IncomingEvent, isOwn: boolean): FactValues => ({
  factId: event.factId,
  tenantId: event.tenantId,
  senderId: event.senderId,
  source: event.source,
  eventId: event.eventId,
  type: event.type,
  orderingKey: event.orderingKey ?? null,
  receivedAt: event.receivedAt,
  isOwn: isOwn ? 1 : 0,
  traceparent: event.traceparent ?? null,
  tracestate: event.tracestate ?? null,
  content: event.content,
});

/** What a lane sends of a fact, and needs to send it. */
export type FactToSend = Pick<StoredFact, 'id' | 'eventId' | 'type' | 'receivedAt' | 'traceparent' | 'tracestate' | 'content'>;

/** A fact without its content, which may be large. */
export type FactHead = Omit<StoredFact, 'content'>;

/** A page ends before its contents are larger than this, so that no number of readers holds up the events that come in. */
const maxPageBytes = 2 * 1024 * 1024;

/** Callers choose ids, so any number of events may have the same one. */
const maxOfOneId = 1_000;

// Written as a literal: a partial index is surely used only where the query says the same as the index.
const isAccepted = sql<boolean>`"state" = 'accepted'`;
/** An expression, so that not the index of all the tenant's facts is taken for it. */
const tenantAside = sql<string>`"tenantId" || ''`;
const isUnfinished = sql<boolean>`"state" <> 'accepted' and "state" <> 'delivered' and "state" <> 'no-target'`;
const isInState = (state: FactRow['state']) => {
  if (state === 'accepted') return isAccepted;
  const isSo = sql<boolean>`"state" = ${state}`;
  return state === 'waiting' || state === 'dead' ? sql<boolean>`${isUnfinished} and ${isSo}` : isSo;
};

const toSendColumns = ['id', 'eventId', 'type', 'receivedAt', 'traceparent', 'tracestate'] as const satisfies (keyof FactToSend)[];

/** A delivery of the fact ended well, which is what mostly happens. */
const isDelivered = ({ open, stuck }: FactProgress): boolean => open === -1 && stuck === 0;

export const createEventStore = (database: Database) => {
  const { build, read } = database;

  const insertFact = template<FactValues>(
    build
      .insertInto('facts')
      .values({
        id: slot<string>('factId'),
        tenantId: slot<string>('tenantId'),
        senderId: slot<string>('senderId'),
        source: slot<string>('source'),
        eventId: slot<string>('eventId'),
        type: slot<string>('type'),
        orderingKey: slot<string | null>('orderingKey'),
        receivedAt: slot<number>('receivedAt'),
        state: 'accepted',
        openDeliveries: 0,
        stuckDeliveries: 0,
        isOwn: slot<number>('isOwn'),
        traceparent: slot<string | null>('traceparent'),
        tracestate: slot<string | null>('tracestate'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const insertContent = template<FactValues>(
    build
      .insertInto('factContents')
      .columns(['position', 'content'])
      .expression((eb) =>
        eb
          .selectFrom('facts')
          .select(['position', sql.val(slot<string>('content')).as('content')])
          .where('id', '=', slot<string>('factId')),
      ),
  );
  const routeFact = template<RoutedState>(
    build
      .updateTable('facts')
      .set({ state: slot<FactRow['state']>('state'), openDeliveries: slot<number>('open') })
      .where('position', '=', slot<number>('position'))
      .where('state', '=', 'accepted'),
  );
  const settleFact = template<FactProgress>(
    build
      .updateTable('facts')
      .set((eb) => ({
        openDeliveries: eb('openDeliveries', '+', slot<number>('open')),
        stuckDeliveries: eb('stuckDeliveries', '+', slot<number>('stuck')),
        state: eb
          .case()
          .when(eb('openDeliveries', '+', slot<number>('open')), '>', 0)
          .then(sql.lit<FactRow['state']>('waiting'))
          .when(eb('stuckDeliveries', '+', slot<number>('stuck')), '>', 0)
          .then(sql.lit<FactRow['state']>('dead'))
          .else(sql.lit<FactRow['state']>('delivered'))
          .end(),
      }))
      .where('position', '=', slot<number>('factPosition')),
  );
  const settleDelivered = template<{ positions: string }>(
    build
      .updateTable('facts')
      .set((eb) => ({
        openDeliveries: eb('openDeliveries', '-', 1),
        state: eb
          .case()
          .when('openDeliveries', '>', 1)
          .then(sql.lit<FactRow['state']>('waiting'))
          .when('stuckDeliveries', '>', 0)
          .then(sql.lit<FactRow['state']>('dead'))
          .else(sql.lit<FactRow['state']>('delivered'))
          .end(),
      }))
      .where('position', 'in', sql<number>`(select "value" from ${elementsOf(slot<string>('positions'))})`),
  );
  const addToCount = template<{ tenantId: string; name: Tables['factCounts']['name']; amount: number }>(
    build
      .insertInto('factCounts')
      .values({ tenantId: slot<string>('tenantId'), name: slot<Tables['factCounts']['name']>('name'), amount: slot<number>('amount') })
      .onConflict((conflict) =>
        conflict.columns(['tenantId', 'name']).doUpdateSet((eb) => ({ amount: eb('factCounts.amount', '+', eb.ref('excluded.amount')) })),
      ),
  );

  const withContent = () =>
    read
      .selectFrom('facts')
      .innerJoin('factContents', 'factContents.position', 'facts.position')
      .selectAll('facts')
      .select('factContents.content');

  return {
    /** The first write tells by what it left unchanged which facts are not new; `contents` must follow only those that are. */
    insertFacts(values: readonly FactValues[]): { facts: RepeatedStatement; contents: RepeatedStatement } {
      return { facts: insertFact.rows(values), contents: insertContent.rows(values) };
    },

    routeFacts: (routed: readonly RoutedState[]): RepeatedStatement => routeFact.rows(routed, routed.length),

    /** Those that lost one delivery, which was delivered, are changed in one statement; each counts once, since a target gets a fact once. */
    settleFacts(progress: readonly FactProgress[]): Write[] {
      const delivered = progress.filter(isDelivered).map(({ factPosition }) => factPosition);
      const others = progress.filter((one) => !isDelivered(one));
      return [
        ...(delivered.length === 0
          ? []
          : [{ ...settleDelivered.row({ positions: JSON.stringify(delivered) }), mustChange: delivered.length }]),
        ...(others.length === 0 ? [] : [settleFact.rows(others)]),
      ];
    },

    addToCounts: (counts: readonly { tenantId: string; name: Tables['factCounts']['name']; amount: number }[]): Write[] =>
      counts.length === 0 ? [] : [addToCount.rows(counts)],

    /** Facts that were not fanned out yet, oldest first; of all tenants, for the fan-out alone. */
    findUnrouted: (limit: number): Promise<readonly UnroutedFact[]> =>
      read
        .selectFrom('facts')
        .select(['position', 'id', 'tenantId', 'type', 'orderingKey', 'receivedAt', 'isOwn'])
        .where(isAccepted)
        .orderBy('position')
        .limit(limit)
        .execute(),

    async findFirstReceipt(event: IncomingEvent): Promise<number | undefined> {
      const first = await read
        .selectFrom('facts')
        .select('receivedAt')
        .where('tenantId', '=', event.tenantId)
        .where('eventId', '=', event.eventId)
        .where('senderId', '=', event.senderId)
        .where('source', '=', event.source)
        .executeTakeFirst();
      return first?.receivedAt;
    },

    /** The caller's own event of that id, else the newest of the tenant. */
    async findEvent(
      caller: Caller,
      eventId: string,
      { source, sender }: { source?: string; sender?: string },
    ): Promise<StoredFact | undefined> {
      let query = withContent().where('tenantId', '=', caller.tenantId).where('eventId', '=', eventId);
      if (source !== undefined) query = query.where('source', '=', source);
      if (sender !== undefined) query = query.where('senderId', '=', sender);
      return await query.orderBy(sql`"senderId" = ${caller.id}`, 'desc').orderBy('facts.position', 'desc').limit(1).executeTakeFirst();
    },

    /** Where the facts of that id in the tenant stand, whoever sent them; the newest ones, where more have it than anybody means. */
    async findPositions({ tenantId }: TenantScope, eventId: string): Promise<readonly number[]> {
      const rows = await read
        .selectFrom('facts')
        .select('position')
        .where('tenantId', '=', tenantId)
        .where('eventId', '=', eventId)
        .orderBy('position', 'desc')
        .limit(maxOfOneId)
        .execute();
      return rows.map(({ position }) => position);
    },

    /** Newest first, up to `limit`, fewer where they are large; `hasMore` tells whether others follow. */
    async listEvents(
      { tenantId }: TenantScope,
      filter: EventFilter,
      { limit, cursor }: PageRequest,
    ): Promise<{ facts: readonly StoredFact[]; hasMore: boolean }> {
      let query = read
        .selectFrom('facts')
        .innerJoin('factContents', 'factContents.position', 'facts.position')
        .select(['facts.position', sql<number>`octet_length("content")`.as('bytes')])
        .where(filter.state === 'accepted' ? tenantAside : sql<string>`"tenantId"`, '=', tenantId)
        .where('isOwn', '=', 0);
      if (cursor !== undefined) query = query.where('facts.position', '<', decodeCursor(cursor, ['number'] as const)[0]);
      if (filter.state !== undefined) query = query.where(isInState(filter.state));
      if (filter.type !== undefined) query = query.where('type', '=', filter.type);
      if (filter.source !== undefined) query = query.where('source', '=', filter.source);
      if (filter.sender !== undefined) query = query.where('senderId', '=', filter.sender);
      if (filter.from !== undefined) query = query.where('receivedAt', '>=', filter.from);
      if (filter.to !== undefined) query = query.where('receivedAt', '<', filter.to);
      if (filter.q !== undefined) {
        const pattern = `%${filter.q.replaceAll(/[\\%_]/g, '\\$&')}%`;
        query = query.where(({ or }) =>
          or([
            sql<boolean>`"eventId" like ${pattern} escape '\\'`,
            sql<boolean>`"type" like ${pattern} escape '\\'`,
            sql<boolean>`"content" like ${pattern} escape '\\'`,
          ]),
        );
      }
      const found = await query
        .orderBy('facts.position', 'desc')
        .limit(limit + 1)
        .execute();
      const shown = found.slice(0, countWithin(found.slice(0, limit), maxPageBytes)).map(({ position }) => position);
      if (shown.length === 0) return { facts: [], hasMore: false };
      const facts = await withContent().where('facts.position', 'in', shown).orderBy('facts.position', 'desc').execute();
      return { facts, hasMore: shown.length < found.length };
    },

    /** As `findFacts`, for those who need no contents. */
    async findHeads(factIds: readonly string[]): Promise<ReadonlyMap<string, FactHead>> {
      const rows = factIds.length === 0 ? [] : await read.selectFrom('facts').selectAll().where('id', 'in', factIds).execute();
      return new Map(rows.map((row) => [row.id, row]));
    },

    /** By their positions, for lanes, which have them from this tenant's own deliveries. One that is gone is not among them. */
    async findFacts(positions: readonly number[]): Promise<ReadonlyMap<number, FactToSend>> {
      if (positions.length === 0) return new Map();
      const rows = await read
        .selectFrom('facts')
        .innerJoin('factContents', 'factContents.position', 'facts.position')
        .select(['facts.position', asRow(toSendColumns), 'content'])
        .where('facts.position', 'in', sql<number>`(select "value" from ${elementsOf(JSON.stringify(positions))})`)
        .execute();
      return new Map(
        rows.map(({ position, row, content }) => [position, { ...(JSON.parse(row) as Omit<FactToSend, 'content'>), content }]),
      ); // as selected
    },

    /** Inside a transaction: nothing is written meanwhile. */
    async newestPosition({ query }: Trx): Promise<number> {
      const newest = await query.selectFrom('facts').select('position').orderBy('position', 'desc').limit(1).executeTakeFirst();
      return newest?.position ?? 0;
    },

    async readCounts({ tenantId }: TenantScope): Promise<Readonly<Record<string, number>>> {
      const rows = await read.selectFrom('factCounts').select(['name', 'amount']).where('tenantId', '=', tenantId).execute();
      return Object.fromEntries(rows.map(({ name, amount }) => [name, amount]));
    },

    async countUnrouted({ tenantId }: TenantScope): Promise<number> {
      const row = await read
        .selectFrom('facts')
        .select(({ fn }) => fn.countAll<number>().as('amount'))
        .where(tenantAside, '=', tenantId)
        .where(isAccepted)
        .executeTakeFirst();
      return row?.amount ?? 0;
    },

    /** Finished facts that came in before `before`, oldest first: what retention may remove. Ids sort by time, so newer ones are not looked at. */
    findExpired: (before: number, limit: number): Promise<readonly { id: string; position: number }[]> =>
      read
        .selectFrom('facts')
        .select(['id', 'position'])
        .where('id', '<', idBorder('fact', before))
        .where('state', 'in', ['delivered', 'no-target'])
        .orderBy('id')
        .limit(limit)
        .execute(),

    removeFacts(positions: readonly number[]): Write[] {
      if (positions.length === 0) return [];
      // Looked at again here: where a replay has opened one of them since they were found, the whole act is refused.
      const finished = build
        .deleteFrom('facts')
        .where('position', 'in', positions)
        .where('state', 'in', ['delivered', 'no-target'])
        .compile();
      return [{ ...finished, mustChange: positions.length }, build.deleteFrom('factContents').where('position', 'in', positions).compile()];
    },
  };
};

/** How many of the first ones have no more bytes together than `limit`; one at least. */
const countWithin = (rows: readonly { readonly bytes: number }[], limit: number): number => {
  let sum = 0;
  const over = rows.findIndex(({ bytes }, index) => {
    sum += bytes;
    return index > 0 && sum > limit;
  });
  return over === -1 ? rows.length : over;
};

export type EventStore = ReturnType<typeof createEventStore>;
