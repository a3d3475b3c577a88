import type { Database } from '../../database/database.ts';
import { WriteRefused } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Log } from '../../foundation/log.ts';
import { Unavailable } from '../../foundation/problem.ts';
import { createBell, startLoop, type Worker } from '../../foundation/work.ts';
import type { FactToSend } from '../events/events.ts';
import { createClaimAhead } from './claim-ahead.ts';
import { createClaimTurns } from './claim-turns.ts';
import type { StoredDelivery } from './delivery-store.ts';
import { type Judgement, judge } from './judgement.ts';
import { createLaneHealth } from './lane-health.ts';
import { createHold } from './lane-hold.ts';
import { createNoter } from './lane-noter.ts';
import { recoverLane } from './lane-recovery.ts';
import type { Lease, LeaseStore } from './lease-store.ts';
import { createPace, type Rate, type Slot, startAfter } from './pace.ts';
import { createPermits } from './permits.ts';
import type { SettleNeeds } from './settle.ts';
import type { TargetRecord } from './target-record.ts';
import type { TargetStore } from './target-store.ts';
import type { Outcome, Sending, Target } from './targets/target.ts';

export interface LaneNeeds extends SettleNeeds {
  readonly database: Database;
  readonly leases: LeaseStore;
  readonly clock: Clock;
  readonly chance: () => number;
  readonly log: Log;
  /** The event's text as the target wants it: merged and transformed. Rejects with a reason when that cannot be done; takes its time only where there is a transform. */
  readonly shape: (target: TargetRecord, fact: FactToSend) => string | Promise<string>;
  /** The target answered that it wants no more. Resolves when it is paused, which ends the lane. */
  readonly onGone: (target: TargetRecord, reason: string) => Promise<unknown>;
  /** Deliveries died in front of others of their key. */
  readonly onBlocked: (target: TargetRecord) => void;
  readonly targets: TargetStore;
  /** The target is no longer as this lane knows it: another lane has to take its place. */
  readonly onOutdated: () => void;
}

/** One target's queue and pace: claim, wait for the slot, send, judge, note. Everything it waits for lies on disk, so its memory is flat. */
export interface Lane extends Worker {
  readonly target: TargetRecord;
  /** Something may be due. */
  wake(): void;
  /** False after the lease has gone to somebody else. */
  readonly isAlive: boolean;
  /** The lease was renewed at `at`. */
  renewed(at: number): void;
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
/** How soon it looks again whether its ends are written down. */
const behindMs = 10;
const predecessorPollMs = 2;
/** Timers may be this late; where that would be felt, the rest is spent turn by turn. */
const timerLateMs = 2;
const exactFromSpacingMs = 20;
const exactToIntervalMs = 1_000;
/** What could not be done for want of a part of ours is tried again after this. */
const laterMs = 1_000;
/** Ends are gathered for a common act while so many are under way. */
const manySending = 16;

/** Where slots are far apart, or few are in a window, a timer's lateness would be felt; elsewhere the grid makes up for it. */
const isToBeMetExactly = ({ requests, intervalMs }: Rate) => intervalMs / requests >= exactFromSpacingMs || intervalMs < exactToIntervalMs;

/** Of what was claimed together. */
const queueOrder: Readonly<Record<StoredDelivery['queue'], number>> = { live: 0, retry: 1, replay: 2 };

/** The event as the target wants it, or why there is none. */
type Shaped = { readonly content: string } | { readonly reason: string } | { readonly isLater: true };

export const startLane = (target: TargetRecord, sink: Target, lease: Lease, needs: LaneNeeds): Lane => {
  const { database, deliveries, leases, clock, events, log } = needs;
  const pace = createPace(target.rate, startAfter(target.rate, lease.pacedUntil));
  const hold = createHold({ lease, database, leases, clock });
  const health = createLaneHealth();
  const turns = createClaimTurns();
  const ahead = createClaimAhead(target.concurrency);
  const bell = createBell(clock);
  /** Given when nothing more may go out; what is under way goes on. */
  const halt = new AbortController();
  /** Given when also what is under way has to end. */
  const cut = new AbortController();
  let isAlive = true;
  let isGone = false;
  let isSuperseded = false;
  /** Everything that is under way in the database is in hand. */
  let isRecovered = false;
  /** Nothing was due when it last looked. */
  let isDrained = false;
  let notBefore = 0;
  /** Deliveries claimed and not yet judged. */
  let claimed = 0;
  /** Requests under way. */
  let sending = 0;
  /** Deliveries that were claimed and whose end is not written down yet. */
  const inHand = new Set<string>();
  const connections = createPermits(target.concurrency);
  const isMetExactly = target.rate !== undefined && isToBeMetExactly(target.rate);

  const lose = () => {
    isAlive = false;
    halt.abort();
    connections.close();
    bell.ring();
  };
  const noter = createNoter({
    target,
    hold,
    needs,
    reservedUntil: () => pace.reservedUntil,
    onLost: lose,
    isBusy: () => target.ordering !== 'key' && sending >= manySending,
    onNoted(ids, mayBeDue) {
      for (const id of ids) inHand.delete(id);
      if (!mayBeDue) return;
      isDrained = false;
      bell.ring();
    },
  });

  const room = () => (health.isProbing ? 1 : ahead.most) - claimed;
  const hasRoom = () => room() > 0 && (claimed < target.concurrency || room() >= ahead.worthwhile);

  const claim = async (limit: number): Promise<readonly StoredDelivery[]> => {
    const now = clock.now();
    const reservedUntil = target.rate ? now + claimAheadMs + claimStretchMs : pace.reservedUntil;
    const claiming = deliveries.claimDueDeliveries({ targetId: target.id, now, limit, quotas: turns.next(limit) });
    // Whoever changes a target and then replays what it refused counts on the change: nothing is claimed under what it was before.
    const [, result] = await hold.write(reservedUntil, [needs.targets.unchanged(target), claiming]).catch(async (error: unknown) => {
      if (error instanceof WriteRefused && (await isOutdated())) return [];
      isRecovered = false; // it may have been carried out nevertheless
      throw error;
    });
    const rows = deliveries.claimedIn(result);
    for (const { id } of rows) inHand.add(id);
    return rows.toSorted((one, other) => queueOrder[one.queue] - queueOrder[other.queue] || one.position - other.position);
  };

  const isOutdated = async (): Promise<boolean> => {
    const current = await needs.targets.findTarget(target, target.id);
    if (current?.updatedAt === target.updatedAt) return false;
    isSuperseded = true;
    needs.onOutdated();
    return true;
  };

  /** Waits until something is due. Only looks, so an idle lane writes nothing. */
  const waitForWork = async (signal: AbortSignal) => {
    const dueAt = (await deliveries.nextDueAt(target.id)) ?? Number.POSITIVE_INFINITY;
    const waitMs = Math.min(dueAt - clock.now(), pollMs);
    if (waitMs > 0) await bell.wait(Math.max(waitMs, minRetryWaitMs), signal);
    else isDrained = false;
    pace.rest(clock.precise());
  };

  const round = async (signal: AbortSignal) => {
    if (!isAlive || isGone || isSuperseded) return await clock.sleep(pollMs, signal);
    if (isDrained) return await waitForWork(signal);
    if (noter.isBehind) return await clock.sleep(behindMs, signal);
    if (!hasRoom()) return await bell.wait(pollMs, signal);
    const free = room();
    const now = clock.precise();
    const startAt = Math.max(pace.next(now) - claimAheadMs, health.probeAt, notBefore);
    if (startAt > now) return await bell.wait(startAt - now, signal);
    const rows = await claim(Math.max(1, Math.min(free, pace.countUntil(now, now + claimStretchMs))));
    if (rows.length === 0) {
      isDrained = true;
      return;
    }
    const facts = await events.facts(rows.map(({ factPosition }) => factPosition)).catch((error: unknown) => {
      for (const row of rows) noter.release(row, undefined);
      throw error;
    });
    ahead.learn(facts.values());
    for (const row of rows) {
      claimed += 1;
      void deliver(row, facts.get(row.factPosition), pace.take(clock.precise())).finally(() => {
        claimed -= 1;
        if (!isDrained && hasRoom()) bell.ring();
      });
    }
  };

  /** Waits for the slot; false when the lane stops, or may not send any more, before the request may go. */
  const reach = async (slot: Slot): Promise<boolean> => {
    for (;;) {
      if (halt.signal.aborted || isGone || hold.isOver()) return false;
      const at = pace.earliest(slot);
      const waitMs = at === undefined ? predecessorPollMs : at - clock.precise();
      if (waitMs > 0) {
        if (isMetExactly && waitMs < timerLateMs) await new Promise(setImmediate);
        else await clock.sleep(Math.max(isMetExactly ? waitMs - timerLateMs : waitMs, 1), halt.signal);
      } else if (target.rate === undefined || hold.isCovered) {
        return true;
      } else {
        await hold.cover().catch(onCannotCover);
      }
    }
  };

  const onCannotCover = async (error: unknown) => {
    if (error instanceof WriteRefused) return lose();
    log.error({ err: error, target: target.id }, 'lane.cannot-reserve');
    await clock.sleep(laterMs, halt.signal);
  };

  /** While the target counts as away, one request at a time probes it. */
  const mayTry = () => !health.isProbing || (sending === 0 && clock.precise() >= health.probeAt);

  const deliver = async (delivery: StoredDelivery, fact: FactToSend | undefined, slot: Slot): Promise<void> => {
    const shaping = shapeOf(fact);
    const shaped = shaping instanceof Promise ? await shaping : shaping; // each wait costs, and most deliveries need none
    if ('reason' in shaped) {
      pace.unused(slot);
      return noter.note(judgeNow(delivery, { outcome: 'unsendable', reason: shaped.reason }, 0));
    }
    const isIn = 'content' in shaped && (connections.takeFree() || (await connections.take()));
    if (isIn && fact && (await reach(slot)) && mayTry()) {
      await tryOnce(delivery, fact, shaped.content, slot);
    } else {
      pace.unused(slot);
      noter.release(delivery, undefined);
    }
    if (isIn) connections.give();
  };

  const tryOnce = async (delivery: StoredDelivery, fact: FactToSend, content: string, slot: Slot): Promise<void> => {
    sending += 1;
    const startedAt = clock.precise();
    const outcome = await send(delivery, fact, content, slot);
    const now = clock.precise();
    sending -= 1;
    const status = outcome.status === undefined ? {} : { status: outcome.status };
    const ms = Math.round((now - startedAt) * 100) / 100;
    // Without the reason, which may quote what the target said of the event.
    log.info(
      {
        delivery: delivery.id,
        event: fact.eventId,
        type: fact.type,
        target: target.id,
        tenant: target.tenantId,
        outcome: outcome.outcome,
        ...status,
        ms,
      },
      'delivery.attempted',
    );
    learn(outcome, now);
    if (cut.signal.aborted && outcome.outcome === 'failed') noter.release(delivery, 'it was cut off before the target answered');
    else noter.note(judgeNow(delivery, outcome, Math.round(now - startedAt)));
  };

  const judgeNow = (delivery: StoredDelivery, outcome: Judgement['outcome'], durationMs: number) =>
    judge(delivery, outcome, { target, durationMs, now: clock.now(), chance: needs.chance });

  const shapeOf = (fact: FactToSend | undefined): Shaped | Promise<Shaped> => {
    if (!fact) return { reason: 'its content is gone' };
    const shaped = needs.shape(target, fact);
    return typeof shaped === 'string' ? { content: shaped } : transformed(shaped);
  };

  const transformed = async (work: Promise<string>): Promise<Shaped> => {
    try {
      return { content: await untilHalt(work) };
    } catch (error) {
      if (error instanceof Unavailable) {
        notBefore = clock.precise() + laterMs;
        return { isLater: true };
      }
      return { reason: `the transform failed: ${error instanceof Error ? error.message : String(error)}` };
    }
  };

  /** Shaping takes its time and its turn; a lane that stops does not wait for it. */
  const untilHalt = (work: Promise<string>) =>
    new Promise<string>((resolve, reject) => {
      const onHalt = () => reject(new Unavailable('The lane stops.'));
      if (halt.signal.aborted) onHalt();
      halt.signal.addEventListener('abort', onHalt, { once: true });
      // Also where nobody waits any more: a failure that nobody takes would end the process.
      work.then(resolve, reject).finally(() => halt.signal.removeEventListener('abort', onHalt));
    });

  const send = async (delivery: StoredDelivery, fact: FactToSend, content: string, slot: Slot): Promise<Outcome> => {
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
    const outcome = await sink.send(request, cut.signal).catch((error: unknown): Outcome => {
      log.error({ err: error, delivery: delivery.id }, 'target.broke-its-contract');
      return { outcome: 'failed', reason: 'it could not be sent' };
    });
    if (!isSent) pace.unused(slot);
    return outcome;
  };

  /** Nothing goes out until the target is paused. Where that cannot be written, the lane goes on, and the next answer asks for it again. */
  const rest = async (reason: string) => {
    isGone = true;
    try {
      await needs.onGone(target, reason);
    } catch (error) {
      log.error({ err: error, target: target.id }, 'target.cannot-pause');
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

  const loop = startLoop({
    name: `lane ${target.name}`,
    clock,
    log,
    async round(signal) {
      try {
        if (!isRecovered) await recoverLane({ target, hold, needs, inHand });
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
    wake() {
      isDrained = false;
      bell.ring();
    },
    get isAlive() {
      return isAlive;
    },
    renewed: hold.renewed,
    async stop() {
      halt.abort();
      connections.close();
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
