import type { Rate } from '../../config/parsers.ts';

/** When requests came, measured where they come in. */
export interface Arrivals {
  /** Whether one more, that came at `at`, keeps to the rate; only then it counts. */
  admits(at: number): boolean;
  readonly count: number;
  readonly firstAt: number | undefined;
  readonly lastAt: number | undefined;
  /** The least time in which one request more than the rate allows came; at least the interval while the rate is kept. */
  readonly tightestMs: number | undefined;
  /** When one more may come, at the earliest. */
  readonly freeAt: number;
}

/**
 * Counts requests against a rate, over every window there is. `readBefore` tells since when a request may have been there at the
 * latest when it was read: a busy process reads late, and what it read late must not make the next one early.
 */
export const createArrivals = ({ requests, intervalMs }: Rate, readBefore: (at: number) => number): Arrivals => {
  /** Of the last `requests` that were admitted. */
  const window: { readonly at: number; readonly notBefore: number }[] = [];
  let count = 0;
  let firstAt: number | undefined;
  let lastAt: number | undefined;
  let tightestMs: number | undefined;
  return {
    admits(at) {
      const oldest = window.length === requests ? window[0] : undefined;
      if (oldest !== undefined) {
        if (at - oldest.notBefore < intervalMs) {
          tightestMs = Math.min(tightestMs ?? Number.POSITIVE_INFINITY, at - oldest.at);
          return false;
        }
        // Within the doubt of a late reading the rate was kept.
        tightestMs = Math.min(tightestMs ?? Number.POSITIVE_INFINITY, Math.max(at - oldest.at, intervalMs));
        window.shift();
      }
      window.push({ at, notBefore: readBefore(at) });
      count += 1;
      firstAt ??= at;
      lastAt = at;
      return true;
    },
    get count() {
      return count;
    },
    get firstAt() {
      return firstAt;
    },
    get lastAt() {
      return lastAt;
    },
    get tightestMs() {
      return tightestMs;
    },
    get freeAt() {
      return window.length < requests ? 0 : (window[0]?.at ?? 0) + intervalMs;
    },
  };
};

/** Two turns of a process ago: what is read now may have come since then. */
export const createTurns = ({ now, everyMs }: { now: () => number; everyMs: number }) => {
  // When a turn is late, its timer runs before anything is read: hence the one before.
  let last = now();
  let before = last;
  const timer = setInterval(() => {
    before = last;
    last = now();
  }, everyMs);
  return { readBefore: (at: number) => Math.min(at, before), stop: () => clearInterval(timer) };
};
