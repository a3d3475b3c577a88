import { Unavailable } from '../../foundation/problem.ts';
import type { Worker } from '../../foundation/work.ts';
import { createBell, startLoop } from '../../foundation/work.ts';
import { type Lane, type LaneNeeds, startLane } from './lane.ts';
import type { TargetRecord } from './target-record.ts';
import type { Target } from './targets/target.ts';

export interface LanesNeeds extends Omit<LaneNeeds, 'onOutdated'> {
  /** The way to the target. Throws when its stored config is damaged. */
  readonly openSink: (target: TargetRecord) => Target;
  readonly isAlone: boolean;
  /** Parks what is open of a target that was deleted. */
  readonly parkOpen: (targetId: string) => Promise<void>;
}

export interface Lanes extends Worker {
  /** Deliveries of these targets became due. */
  wake(targetIds: Iterable<string>): void;
  /** Targets were made or changed. */
  lookAgain(): void;
  /** A target was deleted: what comes back from tries that are under way is to be parked. */
  removed(targetId: string): void;
}

const lookMs = 2_000;
/** A fan-out that has read the targets before one was deleted has written its deliveries after this. */
const lookAfterRemovedMs = 4_000;

interface RunningLane {
  readonly lane: Lane;
  readonly sink: Target;
  readonly updatedAt: number;
}

/** Keeps a lane for each active target whose lease this process can have; other processes have the others. */
export const startLanes = (needs: LanesNeeds): Lanes => {
  const { targets, leases, clock, log, database } = needs;
  const running = new Map<string, RunningLane>();
  /** Lanes that end, which takes as long as their targets take to answer: nobody waits for it but the next lane of the same target. */
  const ending = new Map<string, Promise<void>>();
  /** Deleted targets, and how long they are looked after. */
  const removed = new Map<string, number>();
  const bell = createBell(clock);

  const stopLane = async ({ lane, sink }: RunningLane) => {
    try {
      await lane.stop();
      await sink.close();
    } catch (error) {
      log.error({ err: error, target: lane.target.id }, 'lane.ended-badly');
    }
  };

  const end = (id: string, one: RunningLane) => {
    running.delete(id);
    const ended = stopLane(one).finally(() => {
      ending.delete(id);
      bell.ring();
    });
    ending.set(id, ended);
  };

  const open = async (target: TargetRecord): Promise<RunningLane | undefined> => {
    const lease = await leases.acquire(`lane:${target.id}`, clock.now(), { byForce: needs.isAlone });
    if (!lease) return undefined;
    try {
      const sink = needs.openSink(target);
      return { lane: startLane(target, sink, lease, { ...needs, onOutdated: () => bell.ring() }), sink, updatedAt: target.updatedAt };
    } catch (error) {
      await database.write(leases.release(lease));
      throw error;
    }
  };

  /** One target that cannot be opened keeps no other from its lane. */
  const tryToOpen = async (tenantId: string, id: string) => {
    try {
      const target = await targets.findTarget({ tenantId }, id);
      const opened = target?.state === 'active' ? await open(target) : undefined;
      if (opened) running.set(id, opened);
    } catch (error) {
      if (error instanceof Unavailable) throw error;
      log.error({ err: error, target: id }, 'lane.cannot-open');
    }
  };

  const parkLeftOver = async () => {
    const now = clock.now();
    const open = removed.size === 0 ? [] : await targets.deletedBefore(now + 1);
    for (const { id } of open) if (removed.has(id) && !ending.has(id)) await needs.parkOpen(id);
    for (const [id, until] of removed) if (until < now && !ending.has(id)) removed.delete(id);
  };

  const round = async (signal: AbortSignal) => {
    const wanted = new Map((await targets.everyTarget()).filter(({ state }) => state === 'active').map((target) => [target.id, target]));
    const outdated = [...running].filter(([id, { lane, updatedAt }]) => !lane.isAlive || wanted.get(id)?.updatedAt !== updatedAt);
    for (const [id, one] of outdated) end(id, one);
    for (const { id, tenantId } of wanted.values()) {
      if (!running.has(id) && !ending.has(id) && !signal.aborted) await tryToOpen(tenantId, id);
    }
    await parkLeftOver();
    await bell.wait(needs.isAlone ? lookMs : Math.min(lookMs, leases.ttlMs / 3), signal);
  };

  /** A loop of its own, so that whatever opening and parking take, no lease ends for it. */
  const renew = async (signal: AbortSignal) => {
    await clock.sleep(leases.ttlMs / 4, signal);
    if (signal.aborted || running.size + ending.size === 0) return;
    const at = clock.now();
    const renewed = await leases.renewAll(at);
    for (const [id, { lane }] of running) if (lane.isAlive && renewed.has(`lane:${id}`)) lane.renewed(at);
  };

  const loop = startLoop({ name: 'lanes', clock, log, round });
  const renewal = needs.isAlone ? undefined : startLoop({ name: 'leases', clock, log, round: renew });
  return {
    name: loop.name,
    wake(targetIds) {
      for (const id of targetIds) running.get(id)?.lane.wake();
    },
    lookAgain: () => bell.ring(),
    removed(targetId) {
      removed.set(targetId, clock.now() + lookAfterRemovedMs);
      bell.ring();
    },
    async stop() {
      const looked = loop.stop();
      for (const [id, one] of running) end(id, one);
      await looked;
      for (const [id, one] of running) end(id, one); // opened meanwhile
      await Promise.all(ending.values());
      await renewal?.stop();
    },
  };
};
