import { sql } from 'kysely';
import type { Database } from '../../database/database.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import type { KeptEntry } from '../trace/trace.ts';

/** What a fact's rows tell of its trace. */
export interface TracedFact {
  readonly position: number;
  readonly id: string;
  readonly tenantId: string;
  readonly senderId: string;
  readonly source: string;
  readonly eventId: string;
  readonly type: string;
  readonly receivedAt: number;
  readonly requestId: string | null;
}

/** With what fan-out found; null before. */
export interface RoutedTrace {
  readonly targets: number | null;
  readonly routedAt: number | null;
}

const columns = [
  'facts.position',
  'facts.id',
  'facts.tenantId',
  'facts.senderId',
  'facts.source',
  'facts.eventId',
  'facts.type',
  'facts.receivedAt',
  'facts.requestId',
] as const;

/** An expression, so that the event's id is looked for and not the tenant's newest facts are gone through. */
const newestFirst = sql`+"facts"."position"`;

/** A request brings up to so many events at once, and NDJSON any number. */
const mostOfRequest = 5_000;
/** Callers choose ids, so any number of events may have the same one. */
const mostOfOneId = 100;

/**
 * The entries of events that stand in the facts' own rows. That an event was accepted is told by its being there, and what fan-out found by
 * its state: writing that down once more would cost as much again as the event itself.
 */
export const createEventTraceStore = ({ read }: Database) => {
  const traced = () =>
    read
      .selectFrom('facts')
      .leftJoin('factStates', 'factStates.position', 'facts.position')
      .select([...columns, 'factStates.targets', 'factStates.routedAt']);

  return {
    async ofItem(caller: Caller, id: string): Promise<{ subject: string; entries: readonly KeptEntry[] } | undefined> {
      const ofTenant = () => traced().where('facts.tenantId', '=', caller.tenantId);
      const own = await ofTenant().where('facts.id', '=', id).executeTakeFirst();
      if (own) return told(own);
      const named = await ofTenant().where('facts.eventId', '=', id).orderBy(newestFirst, 'desc').limit(mostOfOneId).execute();
      const fact = named.find(({ senderId }) => senderId === caller.id) ?? named[0];
      return fact && told(fact);
    },

    async ofRequest({ tenantId }: TenantScope, requestId: string): Promise<readonly KeptEntry[]> {
      const facts = await traced()
        .where('facts.requestId', '=', requestId)
        .where('facts.tenantId', '=', tenantId)
        .orderBy('facts.position')
        .limit(mostOfRequest)
        .execute();
      return facts.map(acceptedEntry);
    },

    /** For the live view: facts in the order in which they were written. */
    acceptedAfter: (position: number, limit: number): Promise<readonly TracedFact[]> =>
      read.selectFrom('facts').select(columns).where('position', '>', position).orderBy('position').limit(limit).execute(),

    /** The same in the order in which they were fanned out. */
    routedAfter: (position: number, limit: number): Promise<readonly (TracedFact & { targets: number; routedAt: number })[]> =>
      read
        .selectFrom('factStates')
        .innerJoin('facts', 'facts.position', 'factStates.position')
        .select([...columns, 'factStates.targets', 'factStates.routedAt'])
        .where('factStates.position', '>', position)
        .orderBy('factStates.position')
        .limit(limit)
        .execute(),

    async newest(): Promise<{ accepted: number; routed: number }> {
      const row = await read
        .selectNoFrom((eb) => [
          eb.selectFrom('facts').select('position').orderBy('position', 'desc').limit(1).as('accepted'),
          eb.selectFrom('factStates').select('position').orderBy('position', 'desc').limit(1).as('routed'),
        ])
        .executeTakeFirst();
      return { accepted: row?.accepted ?? 0, routed: row?.routed ?? 0 };
    },
  };
};

const told = (fact: TracedFact & RoutedTrace) => ({ subject: fact.id, entries: [acceptedEntry(fact), ...routedEntry(fact)] });

const entryOf = (fact: TracedFact): Omit<KeptEntry, 'at' | 'what'> => ({
  tenantId: fact.tenantId,
  subject: fact.id,
  kind: 'event',
  itemId: null,
  deliveryId: null,
  requestId: null,
  who: null,
  place: null,
  detailJson: null,
});

export const acceptedEntry = (fact: TracedFact): KeptEntry => ({
  ...entryOf(fact),
  itemId: fact.eventId,
  requestId: fact.requestId,
  at: fact.receivedAt,
  what: 'accepted',
  who: fact.senderId,
});

/** None where the fact was not fanned out yet. */
export const routedEntry = (fact: TracedFact & RoutedTrace): readonly KeptEntry[] => {
  const { targets, routedAt } = fact;
  if (targets === null || routedAt === null) return [];
  if (targets === 0) return [{ ...entryOf(fact), at: routedAt, what: 'no-target' }];
  return [{ ...entryOf(fact), at: routedAt, what: 'routed', detailJson: JSON.stringify({ targets }) }];
};

export type EventTraceStore = ReturnType<typeof createEventTraceStore>;
