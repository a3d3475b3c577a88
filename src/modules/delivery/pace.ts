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
 * Jitter on the way can squeeze a window, so this share of the rate is left unused. It must stay below 1 %: a lane with a backlog
 * uses at least 99 % of what its target allows.
 */
const guardShare = 0.008;
/** What a lane may be behind its grid and still make up for; the window is kept in any case. */
const maxCatchUpMs = 250;
/** Without word from the target, the pace is halved at each refusal and comes back by this factor with each success. */
const recoveryFactor = 0.9;
const maxSlowness = 64;
/** The same for a target without a rate: pauses that double. */
const firstPauseMs = 1_000;
const longestPauseMs = 30_000;
/** Requests that an owner before us may have sent late are surely out after this long. */
const latestSendMs = 2_000;

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

/** Where a new owner may begin, so that with what the one before has sent no window is overfull. */
export const startAfter = (rate: Rate | undefined, reservedUntil: number): number => {
  if (!rate || reservedUntil === 0) return reservedUntil;
  const spacingMs = (rate.intervalMs / rate.requests) * (1 + guardShare);
  return reservedUntil + Math.max(spacingMs, Math.min(rate.intervalMs, latestSendMs));
};

export const createPace = (rate: Rate | undefined, startAt: number): Pace =>
  rate ? createRatedPace(rate, startAt) : createFreePace(startAt);

const createRatedPace = ({ requests, intervalMs }: Rate, startAt: number): Pace => {
  const spacingMs = (intervalMs / requests) * (1 + guardShare);
  const windowMs = intervalMs * (1 + guardShare);
  /** When the request `requests` slots before was sent; its own place is the one that the new request takes. */
  const sentAt = new Float64Array(requests).fill(Number.NEGATIVE_INFINITY);
  /** The last slot of each place that is settled: sent, or given back. */
  const settled = new Float64Array(requests).map((_, place) => place - requests);
  let nextAt = startAt;
  let nextNumber = 0;
  let lastTaken = startAt;
  let slowness = 1;
  let pausedUntil = 0;

  const place = (number: number) => number % requests;
  const next = (now: number) => Math.max(nextAt, now - maxCatchUpMs, (sentAt[place(nextNumber)] ?? 0) + windowMs);

  return {
    next,
    take(now) {
      const at = next(now);
      const slot = { number: nextNumber, at };
      nextAt = at + spacingMs * slowness;
      nextNumber += 1;
      lastTaken = Math.max(at, now);
      return slot;
    },
    countUntil: (now, until) => 1 + Math.max(0, Math.floor((until - next(now)) / (spacingMs * slowness))),
    earliest(slot) {
      if (settled[place(slot.number)] !== slot.number - requests) return undefined;
      return Math.max(slot.at, pausedUntil, (sentAt[place(slot.number)] ?? 0) + windowMs);
    },
    sent(slot, at) {
      sentAt[place(slot.number)] = at;
      settled[place(slot.number)] = slot.number;
    },
    unused(slot) {
      settled[place(slot.number)] = slot.number;
    },
    rest(now) {
      nextAt = Math.max(nextAt, now);
    },
    throttle(now, retryAfterMs) {
      if (retryAfterMs === undefined) slowness = Math.min(slowness * 2, maxSlowness);
      pausedUntil = Math.max(pausedUntil, now + (retryAfterMs ?? spacingMs * slowness));
      nextAt = Math.max(nextAt, pausedUntil);
    },
    succeeded() {
      slowness = Math.max(1, slowness * recoveryFactor);
    },
    get reservedUntil() {
      return Math.max(lastTaken, pausedUntil);
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
