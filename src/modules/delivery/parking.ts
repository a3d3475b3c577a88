import type { Database, Trx } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Events } from '../events/events.ts';
import type { Trace } from '../trace/trace.ts';
import type { DeliveryStore, StoredDelivery } from './delivery-store.ts';
import { createReplayStore } from './replay-store.ts';
import { countChanges } from './settle.ts';

/** A transaction holds the one writer, so many deliveries are parked in steps. */
const deliveriesInStep = 500;

/** Parks deliveries that cannot go on by themselves; a replay brings them back. */
export const createParking = ({
  database,
  events,
  trace,
  deliveries,
  clock,
}: {
  database: Database;
  events: Events;
  trace: Trace;
  deliveries: DeliveryStore;
  clock: Clock;
}) => {
  const store = createReplayStore(database);

  const parkAll = async (find: (trx: Trx) => Promise<readonly StoredDelivery[]>, reason: string) => {
    for (let parked = deliveriesInStep; parked === deliveriesInStep; ) {
      parked = await database.transaction(async (trx) => {
        const rows = await find(trx);
        if (rows.length > 0) await park(trx, rows, reason);
        return rows.length;
      });
    }
  };

  const park = async (trx: Trx, rows: readonly StoredDelivery[], reason: string) => {
    const now = clock.now();
    await store.park(trx, rows, reason, now);
    await trx.run([
      ...[...Map.groupBy(rows, ({ targetId }) => targetId)].flatMap(([id, list]) =>
        deliveries.addToCounts(
          countChanges(
            { id, tenantId: list[0]?.tenantId ?? '' },
            list.map(({ attempts }) => ({ from: attempts > 0 ? 'retrying' : 'waiting', to: 'parked' })),
          ),
        ),
      ),
      ...events.settled(rows.map(({ factPosition }) => ({ factPosition, open: -1, stuck: 1 }))),
      ...trace.entries(
        rows.map((row) => ({
          tenantId: row.tenantId,
          subject: row.factId,
          kind: 'event',
          deliveryId: row.id,
          at: now,
          what: 'parked' as const,
          detail: { reason },
        })),
      ),
    ]);
  };

  return {
    /** What waits behind dead heads of a target that wants it so. */
    parkBlocked: (targetId: string) =>
      parkAll((trx) => store.findBlocked(trx, targetId, deliveriesInStep), 'an earlier delivery of its key is dead'),
    /** Everything that waits for a target that was deleted. `withUnderWay`: nobody can be sending any more. */
    parkOpen: (targetId: string, { withUnderWay }: { withUnderWay: boolean }) =>
      parkAll((trx) => store.findOpen(trx, targetId, { withUnderWay, limit: deliveriesInStep }), 'its target was deleted'),
  };
};

export type Parking = ReturnType<typeof createParking>;
