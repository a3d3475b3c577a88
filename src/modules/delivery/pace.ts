/** At most `requests` in any window of `intervalMs`, as the receiver sees it. */
export interface Rate {
  readonly requests: number;
  readonly intervalMs: number;
}

/** The right to send one request, from `at` on (milliseconds since 1970, with fractions). */
export interface Slot {
  readonly number: number;
  readonly at: number;
}

/**
 * Slots are this much further apart than the rate asks for. It must stay below 1 %: a lane with a backlog uses at least 99 % of what its
 * target allows.
 */
const guardShare = 0.0085;
/**
 * Jitter on the way can squeeze a window, so a request keeps this much more than the window from the one `requests` before it. Measured
 * over loopback on two shared cores it took up to 6 ms of a second, and 13 ms once, which no guard below 1 % covers. What is left to
 * `guardShare` makes up for requests that went late, so that lateness never adds up.
 */
const windowGuardShare = 0.0075;
/** What a lane may be behind its grid and still make up for; the window is kept in any case. */
const maxCatchUpMs = 250;
/** Without word from the target, the pace is halved at each refusal and comes back by this factor with each success. */
const recoveryFactor = 0.9;
const maxSlowness = 64;
/** The same for a target without a rate: pauses that double. */
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** No request may go later than this after what its owner has reserved: another owner has to know where it may begin. */
export const latestSendMs = 1_000;

/** Evenly spaced slots, reserved ahead and slept for (GCRA), held exactly to the window by when requests were really sent. */
export interface Pace {
  /** When the next slot is; taking it is another matter. */
  next(now: number): number;
  take(now: number): Slot;
  /** How many slots there are from `now` until `until`, at least one. */
  countUntil(now: number, until: number): number;
  /** When the request of a slot may go: not before its slot, and not before the window has room for it. `undefined`: a request before it is not out yet. */
  earliest(slot: Slot): number | undefined;
  /** The request of the slot went out at `at`. */
  sent(slot: Slot, at: number): void;
  /** The slot was not used after all. */
  unused(slot: Slot): void;
  /** Nothing is waiting: slots that passed are not made up for. */
  rest(now: number): void;
  /** The target asks for a pause until `at`, or for a slower pace where it does not say how long. */
  throttle(now: number, retryAfterMs: number | undefined): void;
  /** The target took a request: a slower pace recovers step by step. */
  succeeded(): void;
  /** Up to when slots are given out or paused: what another owner has to respect. */
  readonly reservedUntil: number;
}

/**
 * Where a new owner may begin, so that with what the one before has sent no window is overfull. Requests of the one before went up to
 * `latestSendMs` late, so they may be that much closer together than their slots.
 */
export const startAfter = (rate: Rate | undefined, reservedUntil: number): number => {
  if (!rate || reservedUntil === 0) return reservedUntil;
  const { requests, intervalMs } = rate;
  const spacingMs = (intervalMs / requests) * (1 + guardShare);
  return reservedUntil + latestSendMs + Math.min(intervalMs * (1 + windowGuardShare), spacingMs * 2);
};

export const createPace = (rate: Rate | undefined, startAt: number): Pace =>
  rate ? createRatedPace(rate, startAt) : createFreePace(startAt);

const createRatedPace = ({ requests, intervalMs }: Rate, startAt: number): Pace => {
  const spacingMs = (intervalMs / requests) * (1 + guardShare);
  const windowMs = intervalMs * (1 + windowGuardShare);
  // Slots take `requests` places in turn, and a place is used again a window after its last request at the earliest: so no window is
  // ever overfull, in whatever order and however late requests go.
  const sentAt = new Float64Array(requests).fill(Number.NEGATIVE_INFINITY);
  /** The last slot of each place up to which all are settled: sent, or given back for good. */
  const settled = new Float64Array(requests).map((_, place) => place - requests);
  /** Slots that were settled before the one before them in their place. */
  const early = new Set<number>();
  /** Slots taken and not settled, in their order. */
  const open = new Set<number>();
  /** Slots that were given back and may be taken again while their time has not passed, in their order. */
  let givenBack: Slot[] = [];
  let nextAt = startAt;
  let nextNumber = 0;
  let lastReserved = startAt;
  let slowness = 1;
  let pausedUntil = 0;
  /** Slots of these numbers stand behind a pause, as far apart as the pace is since. */
  let moved = { from: 0, below: 0, stepMs: 0, at: 0 };

  const placeOf = (number: number) => (number + requests) % requests;
  /** When the slot's place has room; not known before the request that has the place is out. */
  const roomAt = (number: number) => (sentAt[placeOf(number)] ?? 0) + windowMs;
  const settle = (number: number) => {
    open.delete(number);
    early.add(number);
    const place = placeOf(number);
    for (let next = (settled[place] ?? 0) + requests; early.delete(next); next += requests) settled[place] = next;
  };
  const keepBack = (isKept: (slot: Slot) => boolean) => {
    for (const slot of givenBack) if (!isKept(slot)) settle(slot.number);
    givenBack = givenBack.filter(isKept);
  };
  /** Before its first slot an owner has missed nothing: to make up for it would be a burst at each start. */
  const gridAt = (now: number) => Math.max(nextAt, nextNumber === 0 ? now : now - maxCatchUpMs);
  const reusable = (now: number): Slot | undefined => {
    if (givenBack.length > 0) keepBack(({ at }) => at >= now - maxCatchUpMs);
    return givenBack[0];
  };
  const next = (now: number) => reusable(now)?.at ?? Math.max(gridAt(now), roomAt(nextNumber));

  return {
    next,
    take(now) {
      const again = reusable(now);
      const slot = again ?? { number: nextNumber, at: next(now) };
      if (again) {
        givenBack.shift();
      } else {
        nextAt = gridAt(now) + spacingMs * slowness;
        nextNumber += 1;
        open.add(slot.number);
      }
      lastReserved = Math.max(lastReserved, slot.at, now);
      return slot;
    },
    countUntil(now, until) {
      const first = Math.max(gridAt(now), roomAt(nextNumber));
      const fresh = Math.max(0, Math.floor((until - first) / (spacingMs * slowness)) + 1);
      return Math.max(1, fresh + givenBack.filter(({ at }) => at >= now - maxCatchUpMs && at <= until).length);
    },
    earliest(slot) {
      const before = slot.number - requests;
      // Those that were given back and not taken again till now leave their place to this one.
      if (givenBack.length > 0) keepBack(({ number }) => number > before || placeOf(number) !== placeOf(before));
      if (settled[placeOf(slot.number)] !== before) return undefined;
      const isMoved = slot.number >= moved.from && slot.number < moved.below;
      const own = isMoved ? Math.max(slot.at, moved.at + (slot.number - moved.from) * moved.stepMs) : slot.at;
      return Math.max(own, pausedUntil, roomAt(slot.number));
    },
    sent(slot, at) {
      sentAt[placeOf(slot.number)] = at;
      lastReserved = Math.max(lastReserved, at);
      settle(slot.number);
    },
    unused(slot) {
      givenBack = [...givenBack, slot].toSorted((one, other) => one.number - other.number);
    },
    rest(now) {
      nextAt = Math.max(nextAt, now);
      keepBack(({ at }) => at >= now);
    },
    throttle(now, retryAfterMs) {
      const isFirst = now >= pausedUntil; // others of the same refusal slow down no further
      if (retryAfterMs === undefined && isFirst) slowness = Math.min(slowness * 2, maxSlowness);
      pausedUntil = Math.max(pausedUntil, now + (retryAfterMs ?? (isFirst ? spacingMs * slowness : 0)));
      keepBack(() => false);
      const [from = nextNumber] = open;
      moved = { from, below: nextNumber, stepMs: spacingMs * slowness, at: pausedUntil };
      nextAt = Math.max(nextAt, pausedUntil + (nextNumber - from) * moved.stepMs);
      lastReserved = Math.max(lastReserved, pausedUntil, nextAt - moved.stepMs);
    },
    succeeded() {
      slowness = Math.max(1, slowness * recoveryFactor);
    },
    get reservedUntil() {
      return lastReserved;
    },
  };
};

/** No rate: every slot is now, but pauses that the target asks for are kept. */
const createFreePace = (startAt: number): Pace => {
  let pausedUntil = startAt;
  let pauseMs = firstPauseMs;
  let number = 0;
  return {
    next: (now) => Math.max(now, pausedUntil),
    take(now) {
      number += 1;
      return { number, at: Math.max(now, pausedUntil) };
    },
    countUntil: () => Number.POSITIVE_INFINITY,
    earliest: (slot) => Math.max(slot.at, pausedUntil),
    sent() {},
    unused() {},
    rest() {},
    throttle(now, retryAfterMs) {
      if (retryAfterMs === undefined && now < pausedUntil) return; // others of the same refusal
      pausedUntil = Math.max(pausedUntil, now + (retryAfterMs ?? pauseMs));
      if (retryAfterMs === undefined) pauseMs = Math.min(pauseMs * 2, longestPauseMs);
    },
    succeeded() {
      pauseMs = firstPauseMs;
    },
    get reservedUntil() {
      return pausedUntil;
    },
  };
};
