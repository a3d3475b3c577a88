import type { Worker } from '../../foundation/work.ts';
import { createBell, startLoop } from '../../foundation/work.ts';
import { type Lane, type LaneNeeds, startLane } from './lane.ts';
import type { TargetRecord } from './target-record.ts';
import type { TargetStore } from './target-store.ts';
import { findTargetKind } from './targets/all-targets.ts';
import type { Outbound } from './targets/outbound-http.ts';
import type { Target } from './targets/target.ts';

export interface LanesNeeds extends LaneNeeds {
  readonly targets: TargetStore;
  readonly outbound: Outbound;
  readonly isAlone: boolean;
}

export interface Lanes extends Worker {
  /** Deliveries of these targets became due. */
  wake(targetIds: Iterable<string>): void;
  /** Targets were made or changed. */
  lookAgain(): void;
}

const lookMs = 2_000;

interface RunningLane {
  readonly lane: Lane;
  readonly sink: Target;
  readonly updatedAt: number;
}

/** Keeps a lane for each active target whose lease this process can have; other processes have the others. */
export const startLanes = (needs: LanesNeeds): Lanes => {
  const { targets, leases, clock, log, database, outbound } = needs;
  const running = new Map<string, RunningLane>();
  const bell = createBell(clock);

  const stopLane = async (id: string, { lane, sink }: RunningLane) => {
    running.delete(id);
    await lane.stop();
    await sink.close();
  };

  const open = async (target: TargetRecord): Promise<RunningLane | undefined> => {
    const kind = findTargetKind(target.kind);
    if (!kind) throw new Error(`There is no kind of target ${target.kind}.`);
    const lease = await leases.acquire(`lane:${target.id}`, clock.now(), { byForce: needs.isAlone });
    if (!lease) return undefined;
    const sink = kind.open(target.config, outbound);
    return { lane: startLane(target, sink, lease, needs), sink, updatedAt: target.updatedAt };
  };

  const round = async (signal: AbortSignal) => {
    const wanted = new Map((await targets.everyTarget()).filter(({ state }) => state === 'active').map((target) => [target.id, target]));
    const outdated = [...running].filter(([id, { lane, updatedAt }]) => !lane.isAlive || wanted.get(id)?.updatedAt !== updatedAt);
    await Promise.all(outdated.map(([id, one]) => stopLane(id, one)));
    for (const { id, tenantId } of wanted.values()) {
      if (running.has(id) || signal.aborted) continue;
      const target = await targets.findTarget({ tenantId }, id);
      const opened = target?.state === 'active' ? await open(target) : undefined;
      if (opened) running.set(id, opened);
    }
    if (!needs.isAlone && running.size > 0) await database.write(leases.renewAll(clock.now()));
    await bell.wait(needs.isAlone ? lookMs : Math.min(lookMs, leases.ttlMs / 3), signal);
  };

  const loop = startLoop({ name: 'lanes', clock, log, round });
  return {
    name: loop.name,
    wake(targetIds) {
      for (const id of targetIds) running.get(id)?.lane.wake();
    },
    lookAgain: () => bell.ring(),
    async stop() {
      await loop.stop();
      await Promise.all([...running].map(([id, one]) => stopLane(id, one)));
    },
  };
};
