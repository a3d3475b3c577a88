import type { Database } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import type { Log } from '../../foundation/log.ts';
import { type Bell, startLoop, type Worker } from '../../foundation/work.ts';
import type { Events, WantedFact } from '../events/events.ts';
import type { DeliveryStore, NewDelivery } from './delivery-store.ts';
import type { LeaseStore } from './lease-store.ts';
import { wantsType } from './target-record.ts';
import type { TargetStore } from './target-store.ts';

export interface FanOutNeeds {
  readonly database: Database;
  readonly events: Events;
  readonly targets: TargetStore;
  readonly deliveries: DeliveryStore;
  readonly leases: LeaseStore;
  readonly isAlone: boolean;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Rung when facts were written. */
  readonly arrived: Bell;
  /** Told after deliveries were made for these targets. */
  readonly onRouted: (targetIds: ReadonlySet<string>) => void;
  /** Told after deliveries were made for a target that parks what follows a dead one of its key. */
  readonly onBlocked: (targetId: string) => void;
}

const factsInRound = 1_000;
/** A round is one transaction, and whoever sends an event meanwhile waits for it: with many targets it takes fewer facts. */
const deliveriesInRound = 4_000;
/** A round costs the same for one fact as for fifty, so under load some gather first; a fact that comes alone does not wait. */
const gatherMs = 20;
const pollMs = 1_000;
const leaseRetryMs = 1_000;

/** What a fact is wanted by. */
interface Kind {
  readonly tenantId: string;
  readonly type: string;
  readonly isOwn: number;
}

/** Finds for each fact the targets that want it and makes their deliveries; that nobody wants it is an outcome, too. */
export const startFanOut = (needs: FanOutNeeds): Worker => {
  const { database, events, targets, deliveries, leases, clock, ids, arrived } = needs;
  let lease: Awaited<ReturnType<LeaseStore['acquire']>>;
  let mostFacts = factsInRound;

  const round = async (signal: AbortSignal) => {
    lease ??= await leases.acquire('fan-out', clock.now(), { byForce: needs.isAlone });
    if (!lease) return await clock.sleep(leaseRetryMs, signal);
    const wave = await events.nextWave(mostFacts);
    if (!wave) return await arrived.wait(pollMs, signal);
    // Read after the facts: a target that was made before a fact came in is surely among them.
    const wanting = (await targets.everyTarget()).map((target) => ({ ...target, types: JSON.parse(target.typesJson) as string[] })); // written by `toTargetRow`
    const wantingKind = ({ tenantId, type, isOwn }: Kind) =>
      wanting.filter((target) => target.tenantId === tenantId && wantsType(target.types, { type, isOwn: isOwn === 1 }));
    const types = new Set(wave.kinds.filter((kind) => wantingKind(kind).length > 0).map(({ type }) => type));
    const facts = types.size === 0 ? [] : await events.unrouted(wave, [...types]);
    const now = clock.now();
    const made: NewDelivery[] = [];
    const wanted: WantedFact[] = [];
    for (const fact of facts) {
      const takers = wantingKind(fact).filter(({ afterPosition }) => fact.position > afterPosition);
      for (const target of takers) {
        made.push({
          id: ids.next('delivery'),
          tenantId: fact.tenantId,
          targetId: target.id,
          factId: fact.id,
          factPosition: fact.position,
          type: fact.type,
          orderingKey: fact.orderingKey,
          createdAt: fact.receivedAt,
        });
      }
      if (takers.length > 0) wanted.push({ position: fact.position, tenantId: fact.tenantId, targets: takers.length });
    }
    try {
      await database.write([
        leases.holdOn(lease, now, 0),
        ...events.routed(wave, wanted, now),
        ...deliveries.insertDeliveries(made),
        ...deliveries.addToCounts(countByTarget(made)),
      ]);
    } catch (error) {
      lease = undefined; // whether it was lost or the database is away: look again
      throw error;
    }
    const touched = new Set(made.map(({ targetId }) => targetId));
    needs.onRouted(touched);
    for (const { id, ordering, onDead } of wanting) if (touched.has(id) && ordering === 'key' && onDead === 'park') needs.onBlocked(id);
    const isBehind = wave.kinds.reduce((sum, { amount }) => sum + amount, 0) === mostFacts;
    mostFacts = Math.min(factsInRound, Math.ceil(deliveriesInRound / Math.max(1, wanting.length)));
    if (!isBehind) await clock.sleep(gatherMs, signal);
  };

  const worker = startLoop({ name: 'fan-out', clock, log: needs.log, round });
  return {
    name: worker.name,
    async stop() {
      await worker.stop();
      if (lease) await database.write(leases.release(lease)).catch(() => undefined); // it ends by itself
    },
  };
};

const countByTarget = (made: readonly NewDelivery[]) => {
  const counts = new Map<string, { targetId: string; tenantId: string; state: 'waiting'; amount: number }>();
  for (const { targetId, tenantId } of made) {
    const amount = (counts.get(targetId)?.amount ?? 0) + 1;
    counts.set(targetId, { targetId, tenantId, state: 'waiting', amount });
  }
  return [...counts.values()];
};
