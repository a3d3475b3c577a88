import type { Database } from '../../database/database.ts';
import { WriteRefused } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Log } from '../../foundation/log.ts';
import { startRounds, type Worker } from '../../foundation/work.ts';
import type { Events } from '../events/events.ts';
import type { Trace } from '../trace/trace.ts';
import type { DeliveryStore } from './delivery-store.ts';
import type { Parking } from './parking.ts';
import type { TargetStore } from './target-store.ts';

const lookEveryMs = 10 * 60_000;
const firstLookMs = 30_000;
/** Small steps, so that nobody waits behind a removal. */
const factsInStep = 200;

/** Removes what is finished and older than the retention: facts, their deliveries and traces. What is not delivered stays for ever. */
export const startRetention = ({
  database,
  events,
  deliveries,
  targets,
  parking,
  trace,
  clock,
  log,
  retentionMs,
}: {
  database: Database;
  events: Events;
  deliveries: DeliveryStore;
  targets: TargetStore;
  parking: Parking;
  trace: Trace;
  clock: Clock;
  log: Log;
  retentionMs: number;
}): Worker =>
  startRounds({
    ...{ name: 'retention', clock, log, firstMs: firstLookMs, everyMs: lookEveryMs },
    async round(signal) {
      const before = clock.now() - retentionMs;
      let removed = 0;
      for (let full = true; full && !signal.aborted; ) {
        const facts = await events.expired(before, factsInStep);
        if (facts.length > 0)
          await database
            .write([...events.removal(facts), ...deliveries.removeOfFacts(facts.map(({ position }) => position))])
            .catch(ignoreRefusal);
        removed += facts.length;
        full = facts.length === factsInStep;
      }
      while (!signal.aborted && (await trace.removeOld(before, factsInStep)) === factsInStep);
      // A delivery that was under way when its target was deleted has come back since, or its process is gone.
      for (const { id } of await targets.deletedBefore(clock.now() - lookEveryMs)) await parking.parkOpen(id, { withUnderWay: true });
      if (removed > 0) log.info({ removed, before }, 'retention.removed');
    },
  });

/** One of them was replayed in between; the next look finds the others. */
const ignoreRefusal = (error: unknown) => {
  if (!(error instanceof WriteRefused)) throw error;
  return [];
};
