import type { Database, Trx, Write } from '../../database/database.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import { Problem } from '../../foundation/problem.ts';
import type { Bell } from '../../foundation/work.ts';
import type { FactWriter, Intake, IntakeReceipt } from '../../intake/intake.ts';
import type { Trace } from '../trace/trace.ts';
import type { EventIn } from './event-form.ts';
import { createEventStore, type FactHead, type FactProgress, type FactToSend, type StoredFact, valuesOf } from './event-store.ts';
import { createEventWriter } from './event-writer.ts';
import type { OwnFact } from './own-facts.ts';

export type { EventFilter, FactProgress, FactToSend, StoredFact } from './event-store.ts';
export { isReservedType, type OwnFact, ownFactTypes } from './own-facts.ts';

/** Where a request stands in the sender's own trace (W3C Trace Context), and our id of it. */
export interface RequestOrigin {
  readonly requestId?: string;
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/** An event that was taken. */
export interface EventReceipt extends IntakeReceipt {
  readonly id: string;
}

/** A fact that fan-out has found targets for, or none. */
export interface RoutedFact {
  readonly factId: string;
  readonly position: number;
  readonly tenantId: string;
  readonly targets: number;
}

export interface Events {
  /** Resolves when all events are durable, all or none; a repeated one changes nothing. Rejects with `Unavailable`. */
  accept(caller: Caller, events: readonly EventIn[], origin: RequestOrigin): Promise<readonly EventReceipt[]>;
  /** The writes that tell facts of our own, for the transaction of the change. Ring `arrived` afterwards by `announce`. */
  append(facts: readonly OwnFact[]): Write[];
  /** Tells the fan-out that facts were written. */
  announce(): void;
  find(caller: Caller, eventId: string, which: { source?: string; sender?: string }): Promise<StoredFact>;
  /** Where the facts of that event id in the tenant stand, whoever sent them. */
  positionsOf: ReturnType<typeof createEventStore>['findPositions'];
  list: ReturnType<typeof createEventStore>['listEvents'];
  /** Facts not fanned out yet, oldest first. */
  unrouted: ReturnType<typeof createEventStore>['findUnrouted'];
  /** The writes that record what fan-out found. Refused as a whole when one of them was fanned out already. */
  routed(facts: readonly RoutedFact[], at: number): Write[];
  /** The writes that count finished or reopened deliveries into the state of their facts. */
  settled(progress: readonly FactProgress[]): Write[];
  /** With their contents, which may be large: not more than are about to be sent. */
  facts(positions: readonly number[]): Promise<ReadonlyMap<number, FactToSend>>;
  heads(factIds: readonly string[]): Promise<ReadonlyMap<string, FactHead>>;
  newestPosition(trx: Trx): Promise<number>;
  /** How many events came in and how many of them were fanned out. */
  totals(scope: TenantScope): Promise<{ accepted: number; routed: number }>;
  expired: ReturnType<typeof createEventStore>['findExpired'];
  removal(facts: readonly { id: string; position: number }[]): Write[];
}

export interface EventsNeeds {
  readonly database: Database;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Rung when facts were written. */
  readonly arrived: Bell;
  /** Makes the intake over the place where events are written. */
  readonly openIntake: (writer: FactWriter) => Intake;
}

export const createEvents = ({ database, trace, clock, ids, arrived, openIntake }: EventsNeeds): { events: Events; intake: Intake } => {
  const store = createEventStore(database);
  const intake = openIntake(createEventWriter({ database, store, trace }));

  const events: Events = {
    async accept(caller, incoming, origin) {
      const receivedAt = clock.now();
      const receipts = await intake.append(
        incoming.map((event) => ({
          factId: ids.next('fact'),
          tenantId: caller.tenantId,
          senderId: caller.id,
          source: event.source ?? caller.id,
          eventId: event.id,
          type: event.type,
          orderingKey: event.key,
          receivedAt,
          content: event.content,
          requestId: origin.requestId,
          traceparent: origin.traceparent,
          tracestate: origin.tracestate,
        })),
      );
      arrived.ring();
      return receipts.map((receipt, index) => ({ id: incoming[index]?.id ?? '', ...receipt }));
    },

    append(facts) {
      const at = clock.now();
      const values = facts.map((fact) => ownFactValues(fact, ids.next('fact'), at));
      const { facts: rows, contents } = store.insertFacts(values);
      const entries = values.map((value) => ({
        tenantId: value.tenantId,
        subject: value.factId,
        kind: 'event',
        at,
        what: 'accepted' as const,
        who: value.senderId,
      }));
      return facts.length === 0 ? [] : [rows, contents, ...trace.entries(entries)];
    },
    announce: () => arrived.ring(),

    async find(caller, eventId, which) {
      const found = await store.findEvent(caller, eventId, which);
      if (!found) throw new Problem('not-found', `There is no event ${eventId}.`);
      return found;
    },
    positionsOf: store.findPositions,
    list: store.listEvents,
    unrouted: store.findUnrouted,

    routed(facts, at) {
      const perTenant = new Map<string, number>();
      for (const { tenantId } of facts) perTenant.set(tenantId, (perTenant.get(tenantId) ?? 0) + 1);
      return [
        store.routeFacts(
          facts.map(({ position, targets }) => ({ position, state: targets === 0 ? 'no-target' : 'waiting', open: targets })),
        ),
        ...store.addToCounts([...perTenant].map(([tenantId, amount]) => ({ tenantId, name: 'routed', amount }))),
        ...trace.entries(
          facts.map(({ factId, tenantId, targets }) => ({
            tenantId,
            subject: factId,
            kind: 'event',
            at,
            what: targets === 0 ? ('no-target' as const) : ('routed' as const),
            detail: targets === 0 ? undefined : { targets },
          })),
        ),
      ];
    },
    settled: store.settleFacts,
    facts: store.findFacts,
    heads: store.findHeads,
    newestPosition: store.newestPosition,

    async totals(scope) {
      const [counts, unrouted] = await Promise.all([store.readCounts(scope), store.countUnrouted(scope)]);
      const routed = counts.routed ?? 0;
      return { accepted: routed + unrouted, routed };
    },
    expired: store.findExpired,
    removal: (facts) => [...store.removeFacts(facts.map(({ position }) => position)), ...trace.removeSubjects(facts.map(({ id }) => id))],
  };
  return { events, intake };
};

const ownFactValues = (fact: OwnFact, factId: string, at: number) => {
  const senderId = fact.who ?? 'entrepot';
  return valuesOf(
    {
      factId,
      tenantId: fact.tenantId,
      senderId,
      source: 'entrepot',
      eventId: factId,
      type: fact.type,
      orderingKey: fact.orderingKey,
      receivedAt: at,
      content: JSON.stringify({ id: factId, name: fact.type, timestamp: toRfc3339(at), body: fact.body }),
      requestId: undefined,
      traceparent: undefined,
      tracestate: undefined,
    },
    true,
  );
};
