import { createPace, latestSendMs, type Pace, type Rate, type Slot } from './pace.ts';

/** Numbers from 0 to 1 that are the same in every run with the same seed (mulberry32). */
export const createChance = (seed: number) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let value = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
  return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
};

/** Time that passes only from one planned thing to the next. */
export const createSimulation = () => {
  let now = 0;
  let order = 0;
  const plans: { at: number; order: number; run: () => void }[] = [];
  return {
    now: () => now,
    /** Runs `run` at `at`, or now where that is over. */
    at(at: number, run: () => void) {
      const plan = { at: Math.max(at, now), order, run };
      order += 1;
      const place = plans.findLastIndex((other) => other.at < plan.at || (other.at === plan.at && other.order < plan.order));
      plans.splice(place + 1, 0, plan);
    },
    runUntil(end: number) {
      for (let plan = plans[0]; plan && plan.at <= end; plan = plans[0]) {
        plans.shift();
        now = plan.at;
        plan.run();
      }
      now = end;
    },
  };
};

export type Simulation = ReturnType<typeof createSimulation>;

export interface Behaviour {
  readonly rate: Rate;
  readonly chance: () => number;
  /** How late a timer fires. */
  timerLateMs(): number;
  /** How long after its time a request reaches the wire (a busy process, a new connection). */
  sendLateMs(): number;
  /** The share of slots that are given back because their delivery cannot be sent. */
  readonly unusedShare: number;
  /** What the target says to a request that arrived at `at`. */
  answer(at: number): 'delivered' | 'throttled' | { retryAfterMs: number };
  readonly latencyMs: number;
}

/** As the lane: claims this long ahead, this much at once. */
const claimAheadMs = 25;
const claimStretchMs = 50;
const pollMs = 2;
const maxOpen = 72;

/** An owner of a lane without a network: claims, waits for slots, sends, and learns, in simulated time. */
export const startOwner = (
  simulation: Simulation,
  behaviour: Behaviour,
  { startAt, waiting, onSent }: { startAt: number; waiting: { count: number }; onSent: (at: number) => void },
) => {
  const pace: Pace = createPace(behaviour.rate, startAt);
  const isLooping = true;
  let canPersist = true;
  let open = 0;
  /** What another owner finds written down. */
  let reserved = startAt;
  let endAt = Number.POSITIVE_INFINITY;

  const persist = (until: number) => {
    if (canPersist) reserved = Math.max(reserved, Math.ceil(until));
  };
  const mayGo = (now: number) => now <= reserved + latestSendMs / 2 && now < endAt;

  const claim = () => {
    if (!isLooping || simulation.now() >= endAt) return;
    const now = simulation.now();
    const startAt = pace.next(now) - claimAheadMs;
    if (waiting.count === 0 || open >= maxOpen) {
      if (waiting.count === 0) pace.rest(now);
      return simulation.at(now + pollMs, claim);
    }
    if (startAt > now) return simulation.at(startAt + behaviour.timerLateMs(), claim);
    if (!canPersist) return simulation.at(now + pollMs, claim);
    persist(now + claimAheadMs + claimStretchMs);
    const count = Math.min(waiting.count, maxOpen - open, pace.countUntil(now, now + claimStretchMs));
    for (let index = 0; index < count; index += 1) {
      waiting.count -= 1;
      open += 1;
      const slot = pace.take(now);
      if (behaviour.chance() < behaviour.unusedShare) {
        pace.unused(slot);
        open -= 1;
      } else reach(slot);
    }
    simulation.at(now, claim);
  };

  const reach = (slot: Slot) => {
    const now = simulation.now();
    if (now >= endAt) return;
    const at = pace.earliest(slot);
    if (at === undefined) return simulation.at(now + pollMs, () => reach(slot));
    if (at > now) return simulation.at(at + behaviour.timerLateMs(), () => reach(slot));
    if (!mayGo(now)) {
      persist(now + claimStretchMs);
      return simulation.at(now + pollMs, () => reach(slot));
    }
    simulation.at(now + Math.min(behaviour.sendLateMs(), latestSendMs / 2), () => send(slot));
  };

  const send = (slot: Slot) => {
    const now = simulation.now();
    pace.sent(slot, now);
    onSent(now);
    const answer = behaviour.answer(now);
    simulation.at(now + behaviour.latencyMs, () => {
      open -= 1;
      if (answer === 'delivered') pace.succeeded();
      else {
        pace.throttle(simulation.now(), answer === 'throttled' ? undefined : answer.retryAfterMs);
        waiting.count += 1;
      }
      persist(pace.reservedUntil);
    });
  };

  simulation.at(simulation.now(), claim);
  return {
    pace,
    reservedUntil: () => reserved,
    /** Cut off from what is written down: goes on with what it has until `until`, when it knows that its lease is over. */
    cutOff(until: number) {
      canPersist = false;
      endAt = until;
    },
  };
};

/** The most that stands in any window of `intervalMs`: a window that begins right at a request is the fullest. */
export const fullestWindow = (sentAt: readonly number[], { intervalMs }: Rate): number => {
  const sorted = sentAt.toSorted((one, other) => one - other);
  let most = 0;
  let first = 0;
  for (const [index, at] of sorted.entries()) {
    while (at - (sorted[first] ?? at) >= intervalMs) first += 1;
    most = Math.max(most, index - first + 1);
  }
  return most;
};
