import type { DeliveryState, Settlement, StoredDelivery } from './delivery-store.ts';
import { delayAfter } from './retry-schedule.ts';
import type { TargetRecord } from './target-record.ts';
import type { Outcome } from './targets/target.ts';

/** How one try of a delivery ended, and what becomes of the delivery. */
export interface Judgement {
  readonly delivery: StoredDelivery;
  readonly outcome: Outcome | { readonly outcome: 'unsendable'; readonly reason: string; readonly status?: undefined };
  readonly durationMs: number;
  readonly settlement: Settlement;
}

/** The next state of a delivery after one try: delivered, tried again, dead, parked, or waiting as if nothing had been tried. */
export const judge = (
  delivery: StoredDelivery,
  outcome: Judgement['outcome'],
  { target, durationMs, now, chance }: { target: TargetRecord; durationMs: number; now: number; chance: () => number },
): Judgement => {
  const settle = (state: DeliveryState, change: Partial<Settlement> = {}): Judgement => ({
    delivery,
    outcome,
    durationMs,
    settlement: {
      position: delivery.position,
      state,
      queue: delivery.queue,
      dueAt: delivery.dueAt,
      attempts: delivery.attempts,
      reason: 'reason' in outcome ? outcome.reason : null,
      updatedAt: now,
      ...change,
    },
  });
  const attempts = delivery.attempts + 1;
  switch (outcome.outcome) {
    case 'delivered':
      return settle('delivered', { attempts });
    case 'refused':
      return settle('dead', { attempts });
    case 'failed': {
      const delayMs = delayAfter(target.retry, attempts, chance);
      return delayMs === undefined ? settle('dead', { attempts }) : settle('retrying', { attempts, queue: 'retry', dueAt: now + delayMs });
    }
    case 'throttled':
    case 'gone':
      return settle(openStateOf(delivery));
    case 'unsendable':
      return settle('parked');
    default:
      return outcome satisfies never;
  }
};

/** The state in which a delivery waits that was taken but not tried. */
export const openStateOf = (delivery: StoredDelivery): 'waiting' | 'retrying' => (delivery.attempts > 0 ? 'retrying' : 'waiting');
