import type { Write } from '../../database/database.ts';
import { toRfc3339 } from '../../foundation/clock.ts';
import type { Events, OwnFact } from '../events/events.ts';
import type { Trace, TraceEntryIn } from '../trace/trace.ts';
import { attemptsIn, type DeliveryPast, showDelivery } from './delivery-resource.ts';
import type { CountChange, DeliveryState, DeliveryStore, StoredDelivery } from './delivery-store.ts';
import { type Judgement, openStateOf } from './judgement.ts';
import type { KeyStore } from './key-store.ts';
import type { TargetRecord } from './target-record.ts';

export interface SettleNeeds {
  readonly events: Events;
  readonly trace: Trace;
  readonly deliveries: DeliveryStore;
  readonly keys: KeyStore;
}

/** The writes that record how tries ended: states, counts, the facts' progress, the trace, the keys, and what dead ones tell, for which `pasts` has what was before. */
export const settleWrites = (
  { events, trace, deliveries, keys }: SettleNeeds,
  target: TargetRecord,
  judgements: readonly Judgement[],
  pasts: ReadonlyMap<string, DeliveryPast>,
): Write[] => {
  const finished = judgements.filter(({ settlement }) => isFinal(settlement.state));
  const heads = (list: readonly Judgement[]) =>
    list.flatMap(({ delivery }) =>
      delivery.orderingKey === null ? [] : [{ targetId: target.id, orderingKey: delivery.orderingKey, id: delivery.id }],
    );
  const isBlocking = ({ settlement }: Judgement) =>
    settlement.state !== 'delivered' && target.ordering === 'key' && target.onDead === 'park';
  return [
    ...deliveries.settleDeliveries(judgements.map(({ settlement }) => settlement)),
    ...deliveries.addToCounts(
      countChanges(
        target,
        judgements.map(({ delivery, settlement }) => ({ from: openStateOf(delivery), to: settlement.state })),
      ),
    ),
    ...events.settled(
      finished.map(({ delivery, settlement }) => ({
        factPosition: delivery.factPosition,
        open: -1,
        stuck: settlement.state === 'delivered' ? 0 : 1,
      })),
    ),
    ...trace.delivered(
      { tenantId: target.tenantId, place: target.name },
      judgements.filter(isDelivered).map((judgement) => ({
        subject: judgement.delivery.factId,
        deliveryId: judgement.delivery.id,
        at: judgement.settlement.updatedAt,
        attempt: attemptOf(judgement),
      })),
    ),
    ...trace.entries(judgements.filter((judgement) => !isDelivered(judgement)).map((judgement) => entryOf(target, judgement))),
    // Whatever the target says of order now: it may have been changed while these were under way, and a head that ends without
    // passing on would hold its key for ever.
    ...keys.passOn(heads(finished.filter((judgement) => !isBlocking(judgement)))),
    ...keys.blockKeys(heads(finished.filter(isBlocking))),
    ...events.append(deadAndTold(judgements).map((judgement) => deadFact(judgement, pasts.get(judgement.delivery.id)))),
  ];
};

/** Those that a fact is told of. That such a fact could not be delivered is not told again. */
const deadAndTold = (judgements: readonly Judgement[]) =>
  judgements.filter(({ delivery, settlement }) => settlement.state === 'dead' && delivery.type !== 'delivery.dead');

/** What `settleWrites` needs to know of deliveries that died: read before, since the writes stand alone. */
export const readPasts = async (
  { events, trace }: SettleNeeds,
  target: TargetRecord,
  judgements: readonly Judgement[],
): Promise<ReadonlyMap<string, DeliveryPast>> => {
  const deliveries = deadAndTold(judgements).map(({ delivery }) => delivery);
  if (deliveries.length === 0) return new Map();
  const [entries, facts] = await Promise.all([
    trace.ofDeliveries(
      target,
      deliveries.map(({ id }) => id),
    ),
    events.heads(deliveries.map(({ factId }) => factId)),
  ]);
  return new Map(
    deliveries.map(({ id, factId }) => [
      id,
      { eventId: facts.get(factId)?.eventId ?? factId, attempts: attemptsIn(entries.get(id) ?? []) },
    ]),
  );
};

const isFinal = (state: DeliveryState) => state === 'delivered' || state === 'dead' || state === 'parked';

/**
 * The changes of a target's counts for deliveries that went from one state to another. One that is under way still counts where it was
 * before, so that taking it and giving it back write no counts.
 */
export const countChanges = (
  target: { readonly id: string; readonly tenantId: string },
  moves: readonly { from?: DeliveryState; to?: DeliveryState }[],
): CountChange[] => {
  const amounts = new Map<DeliveryState, number>();
  const add = (state: DeliveryState | undefined, amount: number) => state && amounts.set(state, (amounts.get(state) ?? 0) + amount);
  for (const { from, to } of moves) {
    add(from, -1);
    add(to, 1);
  }
  return [...amounts]
    .filter(([, amount]) => amount !== 0)
    .map(([state, amount]) => ({ targetId: target.id, tenantId: target.tenantId, state, amount }));
};

const isDelivered = ({ settlement }: Judgement) => settlement.state === 'delivered';

const attemptOf = ({ outcome, durationMs, settlement }: Judgement) => ({
  outcome: outcome.outcome,
  ...(outcome.status === undefined ? {} : { status: outcome.status }),
  ...(settlement.reason === null ? {} : { reason: settlement.reason }),
  durationMs,
});

const entryOf = (target: TargetRecord, judgement: Judgement): TraceEntryIn => {
  const { delivery, outcome, durationMs, settlement } = judgement;
  const entry = (what: TraceEntryIn['what'], detail?: object, attempt?: object): TraceEntryIn => ({
    tenantId: delivery.tenantId,
    subject: delivery.factId,
    kind: 'event',
    deliveryId: delivery.id,
    at: settlement.updatedAt,
    what,
    place: target.name,
    detail,
    attempt,
  });
  const reason = settlement.reason === null ? {} : { reason: settlement.reason };
  const status = outcome.status === undefined ? {} : { status: outcome.status };
  if (outcome.outcome === 'unsendable') return entry('parked', reason);
  if (outcome.outcome === 'throttled') {
    const pause = outcome.retryAfterMs === undefined ? {} : { retryAfterMs: outcome.retryAfterMs };
    return entry('throttled', { ...status, ...reason, ...pause, durationMs });
  }
  const attempt = attemptOf(judgement);
  switch (settlement.state) {
    case 'retrying':
      return entry('retrying', { nextAt: toRfc3339(settlement.dueAt) }, attempt);
    case 'dead':
      return entry('dead', reason, attempt);
    default:
      return entry('attempted', attempt);
  }
};

const deadFact = (judgement: Judgement, past: DeliveryPast | undefined): OwnFact => {
  const { delivery, settlement } = judgement;
  const last = { at: toRfc3339(settlement.updatedAt), ...attemptOf(judgement) };
  const { eventId = delivery.factId, attempts = [] } = past ?? {};
  return {
    tenantId: delivery.tenantId,
    type: 'delivery.dead',
    body: showDelivery({ ...delivery, ...settlement }, { eventId, attempts: [...attempts, last] }),
  };
};

/** The writes that give deliveries back which were taken but not tried, or whose try nobody saw the end of. */
export const releaseWrites = (
  { deliveries, trace }: SettleNeeds,
  target: TargetRecord,
  released: readonly StoredDelivery[],
  { now, reason }: { now: number; reason: string | undefined },
): Write[] => {
  if (released.length === 0) return [];
  return [
    ...deliveries.settleDeliveries(
      released.map((delivery) => ({
        position: delivery.position,
        state: openStateOf(delivery),
        queue: delivery.queue,
        dueAt: delivery.dueAt,
        attempts: delivery.attempts,
        reason: delivery.reason,
        updatedAt: now,
      })),
    ),
    ...(reason === undefined
      ? []
      : trace.entries(
          released.map((delivery) => ({
            tenantId: delivery.tenantId,
            subject: delivery.factId,
            kind: 'event',
            deliveryId: delivery.id,
            at: now,
            what: 'retrying' as const,
            place: target.name,
            detail: { reason, nextAt: toRfc3339(now) },
          })),
        )),
  ];
};
