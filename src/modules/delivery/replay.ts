import type { Database, Trx } from '../../database/database.ts';
import type { Caller } from '../../foundation/caller.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Events } from '../events/events.ts';
import type { Trace } from '../trace/trace.ts';
import type { DeliveryFilter, DeliveryState, DeliveryStore, StoredDelivery } from './delivery-store.ts';
import type { KeyStore } from './key-store.ts';
import { createReplayStore } from './replay-store.ts';
import { countChanges } from './settle.ts';
import type { TargetStore } from './target-store.ts';

export interface ReplayNeeds {
  readonly database: Database;
  readonly events: Events;
  readonly trace: Trace;
  readonly deliveries: DeliveryStore;
  readonly keys: KeyStore;
  readonly targets: TargetStore;
  readonly clock: Clock;
}

/** A transaction holds the one writer, so many deliveries are put back in steps. */
const deliveriesInStep = 500;

const stuckStates: ReadonlySet<DeliveryState> = new Set(['dead', 'parked']);

/** Puts finished deliveries back into their lane, behind what is live. */
export const createReplay = (needs: ReplayNeeds) => {
  const store = createReplayStore(needs.database);

  const reopen = async (trx: Trx, rows: readonly StoredDelivery[], who: string): Promise<ReadonlySet<string>> => {
    const { events, trace, deliveries, keys, targets, clock } = needs;
    const now = clock.now();
    const names = await targets.targetNames({ tenantId: rows[0]?.tenantId ?? '' });
    const ordered = await store.orderedTargets(trx, rows);
    const keyed = rows.flatMap(({ targetId, orderingKey }) =>
      orderingKey !== null && ordered.has(targetId) ? [{ targetId, orderingKey }] : [],
    );
    await store.putBack(trx, rows, ordered, now);
    const byTarget = Map.groupBy(rows, ({ targetId }) => targetId);
    await trx.run([
      ...events.settled(rows.map(({ factPosition, state }) => ({ factPosition, open: 1, stuck: stuckStates.has(state) ? -1 : 0 }))),
      ...[...byTarget].flatMap(([id, list]) =>
        deliveries.addToCounts(
          countChanges(
            { id, tenantId: list[0]?.tenantId ?? '' },
            list.map(({ state }) => ({ from: state, to: 'waiting' })),
          ),
        ),
      ),
      ...keys.reopenKeys(keyed),
      ...trace.entries(
        rows.map((row) => ({
          tenantId: row.tenantId,
          subject: row.factId,
          kind: 'event',
          deliveryId: row.id,
          at: now,
          what: 'replayed' as const,
          who,
          place: names.get(row.targetId),
        })),
      ),
    ]);
    return new Set(byTarget.keys());
  };

  return {
    /** One delivery; `undefined` when there is none of that id in the caller's tenant that is finished and whose target is still there. */
    async one(caller: Caller, id: string): Promise<ReadonlySet<string> | undefined> {
      return await needs.database.transaction(async (trx) => {
        const rows = await store.findReplayable(trx, caller, { id });
        return rows.length === 0 ? undefined : await reopen(trx, rows, caller.id);
      });
    },

    /** All that are dead or parked (or in the state that is asked for) and fit the filter, oldest first; what dies again meanwhile is not taken twice. */
    async many(caller: Caller, filter: DeliveryFilter): Promise<{ count: number; targetIds: ReadonlySet<string> }> {
      const targetIds = new Set<string>();
      let count = 0;
      for (let after = 0; ; ) {
        const positions = await store.findFinished(caller, { filter, after, limit: deliveriesInStep });
        const last = positions.at(-1);
        if (last === undefined) return { count, targetIds };
        count += await needs.database.transaction(async (trx) => {
          const found = await store.findReplayable(trx, caller, { positions, state: filter.state });
          if (found.length > 0) for (const id of await reopen(trx, found, caller.id)) targetIds.add(id);
          return found.length;
        });
        after = last;
      }
    },
  };
};
