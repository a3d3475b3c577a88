import type { Database } from '../../database/database.ts';
import { WriteRefused } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Log } from '../../foundation/log.ts';
import { Unavailable } from '../../foundation/problem.ts';
import { createBell, startLoop, type Worker } from '../../foundation/work.ts';
import type { StoredFact } from '../events/events.ts';
import { createClaimTurns } from './claim-turns.ts';
import type { StoredDelivery } from './delivery-store.ts';
import { type Judgement, judge } from './judgement.ts';
import { createLaneHealth } from './lane-health.ts';
import { createNoter } from './lane-noter.ts';
import type { Lease, LeaseStore } from './lease-store.ts';
import { createPace, type Slot, startAfter } from './pace.ts';
import { releaseWrites, type SettleNeeds } from './settle.ts';
import type { TargetRecord } from './target-record.ts';
import type { Outcome, Sending, Target } from './targets/target.ts';

export interface LaneNeeds extends SettleNeeds {
  readonly database: Database;
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly log: Log;
  /** The event's text as the target wants it: merged and transformed. Rejects with a reason when that cannot be done. */
  readonly shape: (target: TargetRecord, fact: StoredFact) => Promise<string>;
  /** The target answered that it wants no more. Resolves when it is paused, which ends the lane. */
  readonly onGone: (target: TargetRecord, reason: string) => Promise<unknown>;
  /** Deliveries died in front of others of their key. */
  readonly onBlocked: (target: TargetRecord) => void;
}

/** One target's queue and pace: claim, wait for the slot, send, judge, note. Everything it waits for lies on disk, so its memory is flat. */
export interface Lane extends Worker {
  readonly target: TargetRecord;
  /** Something may be due. */
  wake(): void;
  /** False after the lease has gone to somebody else. */
  readonly isAlive: boolean;
}

/** Claimed this long before their slot, so that the slot is met and what is claimed is really about to go. */
const claimAheadMs = 25;
/** Slots of this stretch are claimed at once. */
const claimStretchMs = 50;
/** For work that another process made due. */
const pollMs = 2_000;
/** A try that is under way when the lane stops may take this long to end. */
const stopBudgetMs = 5_000;
const minRetryWaitMs = 5;
const predecessorPollMs = 2;
const exactFromSpacingMs = 20;
/** A paced lane claims at most so many more than it sends at once. */
const claimedAhead = 64;

export const startLane = (target: TargetRecord, sink: Target, lease: Lease, needs: LaneNeeds): Lane => {
  const { database, deliveries, leases, clock, events } = needs;
  const pace = createPace(target.rate, startAfter(target.rate, lease.pacedUntil));
  const health = createLaneHealth();
  const turns = createClaimTurns();
  const bell = createBell(clock);
  const cut = new AbortController();
  let isAlive = true;
  let isStopping = false;
  let isGone = false;
  /** Deliveries claimed and not yet judged. */
  let claimed = 0;
  const connections = createPermits(target.concurrency);
  /** Where slots are far apart, a timer's lateness would add up; where they are near, the grid makes up for it. */
  const isMetExactly = target.rate !== undefined && target.rate.intervalMs / target.rate.requests >= exactFromSpacingMs;

  const lose = () => {
    isAlive = false;
    bell.ring();
  };
  const noter = createNoter({ target, lease, needs, reservedUntil: () => pace.reservedUntil, onLost: lose, onNoted: () => bell.ring() });

  /** As much again as is sent at once is claimed, so that no connection waits for the database. */
  const room = () => (health.isProbing ? 1 : target.concurrency + Math.max(target.concurrency, claimedAhead)) - claimed;

  const claim = async (limit: number): Promise<readonly StoredDelivery[]> => {
    const now = clock.now();
    const reservedUntil = target.rate ? now + claimAheadMs + claimStretchMs : pace.reservedUntil;
    const writes = [
      leases.holdOn(lease, now, Math.ceil(reservedUntil)),
      deliveries.claimDueDeliveries({ targetId: target.id, now, limit, quotas: turns.next(limit) }),
    ];
    const [, result] = await database.write(writes);
    const rows = (result?.rows ?? []) as unknown as StoredDelivery[]; // the columns of the table, all returned
    return rows.toSorted((one, other) => one.position - other.position);
  };

  const waitForWork = async (signal: AbortSignal) => {
    const dueAt = await deliveries.nextDueAt(target.id);
    const waitMs = dueAt === undefined ? pollMs : Math.min(dueAt - clock.now(), pollMs);
    if (dueAt === undefined || waitMs > 0) await bell.wait(Math.max(waitMs, minRetryWaitMs), signal);
    return dueAt !== undefined && dueAt <= clock.now();
  };

  const round = async (signal: AbortSignal) => {
    if (!isAlive || isGone) return await clock.sleep(pollMs, signal);
    const free = room();
    if (free <= 0 || noter.isBehind) return await bell.wait(pollMs, signal);
    const startAt = Math.max(pace.next(clock.precise()), health.probeAt);
    const waitMs = startAt - clock.precise() - claimAheadMs;
    if (waitMs > 0) return await clock.sleep(waitMs, signal);
    const now = clock.precise();
    const rows = await claim(Math.max(1, Math.min(free, pace.countUntil(now, now + claimStretchMs))));
    if (rows.length === 0) {
      pace.rest(clock.precise());
      await waitForWork(signal);
      return;
    }
    const facts = await events.facts(rows.map(({ factId }) => factId)).catch((error: unknown) => {
      for (const row of rows) noter.release(row, undefined);
      throw error;
    });
    for (const row of rows) {
      claimed += 1;
      void deliver(row, facts.get(row.factId), pace.take(clock.precise())).finally(() => {
        claimed -= 1;
        bell.ring();
      });
    }
  };

  /** Waits for the slot; false when the lane stops before the request may go. */
  const reach = async (slot: Slot): Promise<boolean> => {
    for (;;) {
      if (isStopping || isGone || !isAlive) return false;
      const at = pace.earliest(slot);
      const waitMs = at === undefined ? predecessorPollMs : at - clock.precise();
      if (waitMs <= 0) return true;
      // A timer may fire a millisecond late; the last one is spent turn by turn.
      if (isMetExactly && waitMs < 1.5) await new Promise(setImmediate);
      else await clock.sleep(isMetExactly ? waitMs - 1 : Math.max(waitMs, 1), cut.signal);
    }
  };

  const deliver = async (delivery: StoredDelivery, fact: StoredFact | undefined, slot: Slot): Promise<void> => {
    const shaped = await shapeOf(fact);
    if ('reason' in shaped) {
      pace.unused(slot);
      return noter.note(judgeNow(delivery, { outcome: 'unsendable', reason: shaped.reason }, 0));
    }
    await connections.take();
    const mayGo = 'content' in shaped && (await reach(slot)) && !(health.isProbing && clock.precise() < health.probeAt);
    if (!mayGo || !fact) {
      pace.unused(slot);
      noter.release(delivery, undefined);
    } else {
      const startedAt = clock.precise();
      const outcome = await send(delivery, fact, shaped.content, slot);
      const now = clock.precise();
      learn(outcome, now);
      if (cut.signal.aborted && outcome.outcome === 'failed') noter.release(delivery, 'the server stopped before the target answered');
      else noter.note(judgeNow(delivery, outcome, Math.round(now - startedAt)));
    }
    connections.give();
  };

  const judgeNow = (delivery: StoredDelivery, outcome: Judgement['outcome'], durationMs: number) =>
    judge(delivery, outcome, { target, durationMs, now: clock.now(), chance: needs.chance });

  const shapeOf = async (fact: StoredFact | undefined): Promise<{ content: string } | { reason: string } | { isLater: true }> => {
    if (!fact) return { reason: 'its content is gone' };
    try {
      return { content: await needs.shape(target, fact) };
    } catch (error) {
      if (error instanceof Unavailable) return { isLater: true };
      return { reason: `the transform failed: ${error instanceof Error ? error.message : String(error)}` };
    }
  };

  const send = async (delivery: StoredDelivery, fact: StoredFact, content: string, slot: Slot): Promise<Outcome> => {
    let isSent = false;
    const request: Sending = {
      deliveryId: delivery.id,
      factId: fact.id,
      type: fact.type,
      occurredAt: fact.receivedAt,
      attemptAt: clock.now(),
      content,
      ...(fact.traceparent === null ? {} : { traceparent: fact.traceparent }),
      ...(fact.tracestate === null ? {} : { tracestate: fact.tracestate }),
      timeoutMs: target.timeoutMs,
      onSent() {
        isSent = true;
        pace.sent(slot, clock.precise());
      },
    };
    const outcome = await sink.send(request, cut.signal);
    if (!isSent) pace.unused(slot);
    return outcome;
  };

  /** Nothing goes out until the target is paused. Where that cannot be written, the lane goes on, and the next answer asks for it again. */
  const rest = async (reason: string) => {
    isGone = true;
    try {
      await needs.onGone(target, reason);
    } catch (error) {
      needs.log.error({ err: error, target: target.id }, 'target.cannot-pause');
      isGone = false;
    }
  };

  /** What the answer says about the target rather than about the item. */
  const learn = (outcome: Outcome, now: number) => {
    switch (outcome.outcome) {
      case 'delivered':
        pace.succeeded();
        return health.succeeded();
      case 'refused':
        return health.succeeded(); // it answered with reason: the target itself is well
      case 'failed':
        return health.failed(now);
      case 'throttled':
        return pace.throttle(now, outcome.retryAfterMs);
      case 'gone':
        if (!isGone) void rest(outcome.reason); // others under way are told the same
        return;
      default:
        return outcome satisfies never;
    }
  };

  /** What an owner before left under way goes back to its place, before anything else is claimed. */
  const recover = async () => {
    const left = await deliveries.findUnderWay(target.id);
    const now = clock.now();
    await database.write([
      leases.holdOn(lease, now, 0),
      ...releaseWrites(needs, target, left, { now, reason: 'the process that was delivering it ended' }),
      deliveries.limitDueTimes(target.id, now + target.retry.maxDelayMs),
    ]);
  };

  let isRecovered = false;
  const loop = startLoop({
    name: `lane ${target.name}`,
    clock,
    log: needs.log,
    async round(signal) {
      try {
        if (!isRecovered) await recover();
        isRecovered = true;
        await round(signal);
      } catch (error) {
        if (!(error instanceof WriteRefused)) throw error;
        lose();
      }
    },
  });

  return {
    name: loop.name,
    target,
    wake: () => bell.ring(),
    get isAlive() {
      return isAlive;
    },
    async stop() {
      isStopping = true;
      bell.ring();
      await loop.stop();
      const giveUpAt = clock.now() + stopBudgetMs;
      while (claimed > 0 && clock.now() < giveUpAt) await clock.sleep(minRetryWaitMs);
      cut.abort();
      while (claimed > 0) await clock.sleep(minRetryWaitMs);
      await noter.close();
      if (isAlive) await database.write([...leases.release(lease)]).catch(() => undefined); // it ends by itself
    },
  };
};

/** Lets so many in at once, the others in the order in which they came. */
const createPermits = (count: number) => {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    async take(): Promise<void> {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
    },
    give() {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    },
  };
};
