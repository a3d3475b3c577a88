import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

/** Something that works in the background until it is stopped. */
export interface Worker {
  readonly name: string;
  /** Resolves when the current piece of work has ended; what it could not end is released, never lost. */
  stop(): Promise<void>;
}

/** A wake-up call: many rings before the next wait are one. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, after `ms`, or when the signal is given. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

export const createBell = (clock: Clock): Bell => {
  let isRung = false;
  let wake: (() => void) | undefined;
  return {
    ring() {
      isRung = true;
      wake?.();
    },
    async wait(ms, signal) {
      if (!isRung && !signal.aborted) {
        const timer = new AbortController();
        const onAbort = () => timer.abort();
        signal.addEventListener('abort', onAbort, { once: true });
        wake = onAbort;
        await clock.sleep(ms, timer.signal);
        signal.removeEventListener('abort', onAbort);
        wake = undefined;
      }
      isRung = false;
    },
  };
};

/** Runs `round` again and again. A round that fails is logged and tried again, after 100 ms at first, doubling to 10 s. */
export const startLoop = ({
  name,
  clock,
  log,
  round,
}: {
  name: string;
  clock: Clock;
  log: Log;
  round: (signal: AbortSignal) => Promise<void>;
}): Worker => {
  const stopping = new AbortController();
  const run = async () => {
    let failures = 0;
    while (!stopping.signal.aborted) {
      try {
        await round(stopping.signal);
        failures = 0;
      } catch (error) {
        failures += 1;
        log.error({ err: error, worker: name, failures }, 'worker.failed');
        await clock.sleep(Math.min(100 * 2 ** (failures - 1), 10_000), stopping.signal);
      }
    }
  };
  const ended = run();
  return {
    name,
    async stop() {
      stopping.abort();
      await ended;
    },
  };
};

/** Runs `round` for the first time after `firstMs`, then `everyMs` after each that went well. One that fails is told and tried again. */
export const startRounds = ({
  firstMs,
  everyMs,
  round,
  ...loop
}: Parameters<typeof startLoop>[0] & { readonly firstMs: number; readonly everyMs: number }): Worker => {
  let waitMs = firstMs;
  return startLoop({
    ...loop,
    async round(signal) {
      await loop.clock.sleep(waitMs, signal);
      if (signal.aborted) return;
      await round(signal);
      waitMs = everyMs;
    },
  });
};
