import { setTimeout as delay } from 'node:timers/promises';

/** Time comes from outside, so that a test can turn it. All times are milliseconds since 1970, UTC. */
export interface Clock {
  /** Never goes back within a process: where the machine's clock is set back, it goes on from where it was. */
  now(): number;
  /** The same time with fractions of a millisecond, for what is paced. */
  precise(): number;
  /** Resolves after `ms`, or at once when the signal is given; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** The longest wait of a timer (2^31 - 1 ms); beyond it Node would fire at once. */
const longestTimerMs = 2_147_483_647;

/** The machine's clock, anchored on its monotonic one: jumps ahead are followed, jumps back are not. */
export const createClock = (wall: () => number = Date.now, monotonic: () => number = () => performance.now()): Clock => {
  let offset = wall() - monotonic();
  const precise = () => {
    const elapsed = monotonic();
    // The wall clock counts whole milliseconds: less than one ahead of the anchor is no jump.
    if (wall() - elapsed > offset + 1) offset = wall() - elapsed;
    return offset + elapsed;
  };
  return {
    now: () => Math.floor(precise()),
    precise,
    async sleep(ms, signal) {
      if (signal?.aborted) return;
      await delay(Math.min(Math.max(ms, 0), longestTimerMs), undefined, signal ? { signal } : {}).catch(() => undefined);
    },
  };
};

let lastMs = Number.NaN;
let lastText = '';

/** RFC 3339 in UTC with milliseconds, as the HTTP contract prints times. A busy server prints one time many times over. */
export const toRfc3339 = (ms: number): string => {
  if (ms === lastMs) return lastText;
  lastText = new Date(ms).toISOString();
  lastMs = ms;
  return lastText;
};
