import { sql } from 'kysely';
import type { Database, RepeatedStatement, Trx, Write } from '../../database/database.ts';
import { asRow, elementsOf } from '../../database/dialect.ts';
import type { FactRow, FactStateRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import { idBorder } from '../../foundation/ids.ts';
import type { PageRequest } from '../../foundation/page.ts';
import { decodeCursor } from '../../foundation/page.ts';
import type { IncomingEvent } from '../../intake/intake.ts';

/** Where a fact stands. */
export type FactState = 'accepted' | FactStateRow['state'];

/** A fact with its content and where it stands. */
export type StoredFact = Omit<FactRow, 'position'> & { readonly position: number; readonly state: FactState };

export interface EventFilter {
  readonly state?: FactState;
  readonly type?: string;
  readonly source?: string;
  readonly sender?: string;
  readonly from?: number;
  readonly to?: number;
  readonly q?: string;
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
  readonly requestId: string | null;
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
  requestId: event.requestId ?? null,
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

/** What is not fanned out stands behind everything that is. */
const isAccepted = sql<boolean>`"facts"."position" > coalesce((select max("position") from "factStates"), 0)`;
/** An expression, so that not the index of all the tenant's facts is taken for it. */
const tenantAside = sql<string>`"facts"."tenantId" || ''`;
// Written as a literal: a partial index is surely used only where the query says the same as the index.
const isUnfinished = sql<boolean>`"state" <> 'delivered' and "state" <> 'no-target'`;

const headColumns = [
  'facts.position',
  'facts.id',
  'facts.tenantId',
  'facts.senderId',
  'facts.source',
  'facts.eventId',
  'facts.type',
  'facts.orderingKey',
  'facts.receivedAt',
  'facts.isOwn',
  'facts.requestId',
  'facts.traceparent',
  'facts.tracestate',
] as const;
const state = sql<FactState>`coalesce("factStates"."state", 'accepted')`.as('state');

const toSendColumns = ['id', 'eventId', 'type', 'receivedAt', 'traceparent', 'tracestate'] as const satisfies (keyof FactToSend)[];

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
        isOwn: slot<number>('isOwn'),
        requestId: slot<string | null>('requestId'),
        traceparent: slot<string | null>('traceparent'),
        tracestate: slot<string | null>('tracestate'),
        content: slot<string>('content'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const withState = () => read.selectFrom('facts').leftJoin('factStates', 'factStates.position', 'facts.position');
  const heads = () => withState().select([...headColumns, state]);
  const whole = () => heads().select('facts.content');

  return {
    /** The write tells by what it left unchanged which facts are not new. */
    insertFacts: (values: readonly FactValues[]): RepeatedStatement => insertFact.rows(values),

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

    /** The caller's own event of that id, else the newest of the tenant. Facts of our own tell of things that are not everybody's. */
    async findEvent(
      caller: Caller,
      eventId: string,
      { source, sender }: { source?: string; sender?: string },
    ): Promise<StoredFact | undefined> {
      let query = whole().where('facts.tenantId', '=', caller.tenantId).where('facts.eventId', '=', eventId);
      if (source !== undefined) query = query.where('facts.source', '=', source);
      if (sender !== undefined) query = query.where('facts.senderId', '=', sender);
      if (!caller.scopes.has('targets:manage')) query = query.where('facts.isOwn', '=', 0);
      return await query.orderBy(sql`"senderId" = ${caller.id}`, 'desc').orderBy('facts.position', 'desc').limit(1).executeTakeFirst();
    },

    /** Where the facts of that id in the tenant stand, whoever sent them; the newest ones, where more have it than anybody means. */
    async findPositions({ tenantId }: TenantScope, eventId: string): Promise<readonly number[]> {
      const rows = await read
        .selectFrom('facts')
        .select('position')
        .where('tenantId', '=', tenantId)
        .where('eventId', '=', eventId)
        .orderBy(sql`+"position"`, 'desc') // an expression, so that not the tenant's facts are gone through, newest first
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
      let query = withState()
        .select(['facts.position', sql<number>`octet_length("content")`.as('bytes')])
        .where(tenantOf(filter.state), '=', tenantId)
        .where('isOwn', '=', 0);
      if (cursor !== undefined) query = query.where(positionOf(filter.state), '<', decodeCursor(cursor, ['number'] as const)[0]);
      if (filter.state === 'accepted') query = query.where(isAccepted);
      else if (filter.state !== undefined) query = query.where(isInState(filter.state));
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
        .orderBy(positionOf(filter.state), 'desc')
        .limit(limit + 1)
        .execute();
      const shown = found.slice(0, countWithin(found.slice(0, limit), maxPageBytes)).map(({ position }) => position);
      if (shown.length === 0) return { facts: [], hasMore: false };
      const facts = await whole().where('facts.position', 'in', shown).orderBy('facts.position', 'desc').execute();
      return { facts, hasMore: shown.length < found.length };
    },

    /** As `findFacts`, for those who need no contents. */
    async findHeads(factIds: readonly string[]): Promise<ReadonlyMap<string, FactHead>> {
      const rows = factIds.length === 0 ? [] : await heads().where('facts.id', 'in', factIds).execute();
      return new Map(rows.map((row) => [row.id, row]));
    },

    /** By their positions, for lanes, which have them from this tenant's own deliveries. One that is gone is not among them. */
    async findFacts(positions: readonly number[]): Promise<ReadonlyMap<number, FactToSend>> {
      if (positions.length === 0) return new Map();
      const rows = await read
        .selectFrom('facts')
        .select(['position', asRow(toSendColumns), 'content'])
        .where('position', 'in', sql<number>`(select "value" from ${elementsOf(JSON.stringify(positions))})`)
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

    /** Finished facts that came in before `before`, oldest first: what retention may remove. Ids sort by time, so newer ones are not looked at. */
    findExpired: (before: number, limit: number): Promise<readonly { id: string; position: number }[]> =>
      read
        .selectFrom('facts')
        .innerJoin('factStates', 'factStates.position', 'facts.position')
        .select(['facts.id', 'facts.position'])
        .where('facts.id', '<', idBorder('fact', before))
        .where('factStates.state', 'in', ['delivered', 'no-target'])
        .orderBy('facts.id')
        .limit(limit)
        .execute(),

    removeFacts(positions: readonly number[]): Write[] {
      if (positions.length === 0) return [];
      // Looked at again here: where a replay has opened one of them since they were found, the whole act is refused.
      const finished = build
        .deleteFrom('factStates')
        .where('position', 'in', positions)
        .where('state', 'in', ['delivered', 'no-target'])
        .compile();
      return [{ ...finished, mustChange: positions.length }, build.deleteFrom('facts').where('position', 'in', positions).compile()];
    },
  };
};

/** Of most events one asks for the few that are unfinished, and those have an index; it is the states' own. */
const isUnfinishedState = (state: FactState | undefined) => state === 'waiting' || state === 'dead';
const isInState = (state: FactState) => {
  const isSo = sql<boolean>`"state" = ${state}`;
  return isUnfinishedState(state) ? sql<boolean>`${isUnfinished} and ${isSo}` : isSo;
};
const tenantOf = (state: FactState | undefined) => {
  if (state === 'accepted') return tenantAside;
  return isUnfinishedState(state) ? sql<string>`"factStates"."tenantId"` : sql<string>`"facts"."tenantId"`;
};
const positionOf = (state: FactState | undefined) =>
  isUnfinishedState(state) ? sql<number>`"factStates"."position"` : sql<number>`"facts"."position"`;

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
