import { toRfc3339 } from '../../foundation/clock.ts';
import type { StoredEntry } from '../trace/trace.ts';
import type { DeliveryState, StoredDelivery } from './delivery-store.ts';

/** One try, as it is shown. */
export interface Attempt {
  readonly at: string;
  readonly outcome: string;
  readonly status?: number;
  readonly reason?: string;
  readonly durationMs: number;
}

/** What a delivery's trace tells of it, and the id by which callers know its event. */
export interface DeliveryPast {
  readonly eventId: string;
  readonly attempts: readonly Attempt[];
}

/** A delivery as GET shows it, and as `delivery.dead` tells of it. */
export const showDelivery = (
  delivery: Pick<StoredDelivery, 'id' | 'type' | 'targetId' | 'dueAt' | 'reason'> & { readonly state: DeliveryState },
  { eventId, attempts }: DeliveryPast,
) => ({
  id: delivery.id,
  eventId,
  type: delivery.type,
  target: delivery.targetId,
  state: delivery.state,
  ...(delivery.state === 'retrying' ? { nextAt: toRfc3339(delivery.dueAt) } : {}),
  ...(delivery.reason === null ? {} : { reason: delivery.reason }),
  attempts: [...attempts],
});

/** The tries among the entries of a delivery's trace, in order. */
export const attemptsIn = (entries: readonly StoredEntry[]): Attempt[] => entries.filter(({ what }) => what === 'attempted').map(toAttempt);

const toAttempt = (entry: StoredEntry): Attempt => {
  const { outcome, status, reason, durationMs } = JSON.parse(entry.detailJson ?? '{}') as Omit<Attempt, 'at'>; // written by `settleWrites`
  return {
    at: toRfc3339(entry.at),
    outcome,
    ...(status === undefined ? {} : { status }),
    ...(reason === undefined ? {} : { reason }),
    durationMs,
  };
};
