import type { Queue, Quotas } from './delivery-store.ts';

/** Of ten slots seven are for live deliveries, two for retries, one for replays: live first, none starved. */
const turn: readonly Queue[] = ['live', 'live', 'live', 'retry', 'live', 'live', 'replay', 'live', 'retry', 'live'];

/** Gives out the next slots to the queues in turn. A queue that has nothing leaves its slots to the others. */
export const createClaimTurns = () => {
  let place = 0;
  return {
    next(slots: number): Quotas {
      const quotas = { live: 0, retry: 0, replay: 0 };
      for (let index = 0; index < slots; index += 1) {
        quotas[turn[(place + index) % turn.length] ?? 'live'] += 1;
      }
      place = (place + slots) % turn.length;
      return quotas;
    },
  };
};
