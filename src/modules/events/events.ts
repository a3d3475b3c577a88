import type { Database, Trx, Write } from '../../database/database.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import { Problem } from '../../foundation/problem.ts';
import type { Bell } from '../../foundation/work.ts';
import type { FactWriter, Intake, IntakeReceipt } from '../../intake/intake.ts';
import type { Trace } from '../trace/trace.ts';
import type { EventIn } from './event-form.ts';
import { createEventStore, type FactHead, type FactToSend, type StoredFact, valuesOf } from './event-store.ts';
import { createEventWriter } from './event-writer.ts';
import type { OwnFact } from './own-facts.ts';
import { createRoutingStore, type FactProgress, type WantedFact, type Wave } from './routing-store.ts';

export type { EventFilter, FactToSend, StoredFact } from './event-store.ts';
export { createEventTraceStore } from './event-trace-store.ts';
export { isReservedType, type OwnFact, ownFactTypes } from './own-facts.ts';
export type { FactProgress, WantedFact } from './routing-store.ts';

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
  /** The oldest facts that were not fanned out yet. */
  nextWave: ReturnType<typeof createRoutingStore>['findWave'];
  /** Those of the wave that have one of the types, oldest first. */
  unrouted: ReturnType<typeof createRoutingStore>['findUnrouted'];
  /**
   * The writes that record what fan-out found for a wave: `wanted` by some targets, all others by none. Refused as a whole when one of them
   * was fanned out already.
   */
  routed(wave: Wave, wanted: readonly WantedFact[], at: number): Write[];
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
  const routing = createRoutingStore(database);
  const intake = openIntake(createEventWriter({ database, store }));

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
      return facts.length === 0 ? [] : [store.insertFacts(facts.map((fact) => ownFactValues(fact, ids.next('fact'), at)))];
    },
    announce: () => arrived.ring(),

    async find(caller, eventId, which) {
      const found = await store.findEvent(caller, eventId, which);
      if (!found) throw new Problem('not-found', `There is no event ${eventId}.`);
      return found;
    },
    positionsOf: store.findPositions,
    list: store.listEvents,
    nextWave: routing.findWave,
    unrouted: routing.findUnrouted,

    routed(wave, wanted, at) {
      const perTenant = new Map<string, number>();
      for (const { tenantId, amount } of wave.kinds) perTenant.set(tenantId, (perTenant.get(tenantId) ?? 0) + amount);
      return [
        ...routing.routeWave(wave, wanted, at),
        ...routing.addToCounts([...perTenant].map(([tenantId, amount]) => ({ tenantId, name: 'routed', amount }))),
      ];
    },
    settled: routing.settleFacts,
    facts: store.findFacts,
    heads: store.findHeads,
    newestPosition: store.newestPosition,

    async totals(scope) {
      const [counts, unrouted] = await Promise.all([routing.readCounts(scope), routing.countUnrouted(scope)]);
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
