import type { Clock } from '../foundation/clock.ts';
import { Unavailable } from '../foundation/problem.ts';
import type { FactWriter, IncomingEvent, Intake, IntakeReceipt } from './intake.ts';

/** Bounds how long one commit takes, and so how long the next one waits. */
const maxEventsInCommit = 2_000;
/** A source waits no longer for its answer; it may send the event again, which changes nothing if it was written after all. */
const answerLimitMs = 2_500;
const watchEveryMs = 100;
/**
 * A group waits until it has half as many requests as the one before, but no longer than this. Otherwise the first request that comes after
 * a large group would be written alone, all others would then wait for it and make the next large group, and disk and processor would take
 * turns instead of working side by side.
 */
const gatherMs = 2;

const nothing = () => {};

interface WaitingRequest {
  readonly events: readonly IncomingEvent[];
  readonly since: number;
  resolve(receipts: readonly IntakeReceipt[]): void;
  reject(error: unknown): void;
}

/**
 * Group commit: requests that arrive while a commit is under way share the next one. When nothing is in flight a request is
 * written at once, so an idle server adds no wait; a busy one writes larger and larger groups with one fsync each.
 */
export const createDatabaseIntake = ({ writer, clock }: { writer: FactWriter; clock: Clock }): Intake => {
  let waiting: WaitingRequest[] = [];
  let running: Promise<void> | undefined;
  /** In the order in which they came, so the first is the oldest. */
  const unanswered = new Set<WaitingRequest>();
  let isWatching = false;
  /** How many requests the next group waits for. */
  let gathering = 0;
  let onGathered = nothing;

  const takeGroup = (): WaitingRequest[] => {
    let events = 0;
    let count = 0;
    for (const request of waiting) {
      events += request.events.length;
      if (count > 0 && events > maxEventsInCommit) break;
      count += 1;
    }
    const group = waiting.slice(0, count);
    waiting = waiting.slice(count);
    return group;
  };

  /** Resolves with what tells the requests how it went, when that is known. */
  const writeGroup = async (group: readonly WaitingRequest[]): Promise<() => void> => {
    try {
      const receipts = await writer.writeEvents(group.flatMap((request) => request.events));
      return () => {
        let from = 0;
        for (const request of group) {
          request.resolve(receipts.slice(from, from + request.events.length));
          from += request.events.length;
        }
      };
    } catch (error) {
      return () => {
        for (const request of group) request.reject(error);
      };
    }
  };

  /** Resolves when so many requests wait, or when that took too long. */
  const gather = async (wanted: number): Promise<void> => {
    if (waiting.length >= wanted) return;
    gathering = wanted;
    await Promise.race([
      clock.sleep(gatherMs),
      new Promise<void>((resolve) => {
        onGathered = resolve;
      }),
    ]);
    gathering = 0;
  };

  const run = async () => {
    let answer = nothing;
    while (waiting.length > 0) {
      const group = takeGroup();
      const writing = writeGroup(group);
      answer(); // only now, when the next group is on its way: answering takes about as long as writing does
      answer = await writing;
      if (waiting.length >= group.length / 2) continue;
      answer();
      answer = nothing;
      await gather(group.length / 2);
    }
    running = undefined;
    answer();
  };

  /** One timer for all requests: a timer for each would cost more than the rest of the way. */
  const watch = async () => {
    while (unanswered.size > 0) {
      await clock.sleep(watchEveryMs);
      for (const request of unanswered) {
        if (clock.now() - request.since < answerLimitMs) break;
        request.reject(new Unavailable('The events could not be written in time.', { retryAfterMs: 2_000 }));
      }
      // Who was told so sends them again: written as well, they would only make everybody wait longer.
      waiting = waiting.filter((request) => unanswered.has(request));
    }
    isWatching = false;
  };

  return {
    append: (events) =>
      new Promise<readonly IntakeReceipt[]>((resolve, reject) => {
        const request: WaitingRequest = {
          events,
          since: clock.now(),
          resolve(receipts) {
            unanswered.delete(request);
            resolve(receipts);
          },
          reject(error) {
            unanswered.delete(request);
            reject(error);
          },
        };
        waiting.push(request);
        unanswered.add(request);
        if (waiting.length >= gathering) onGathered();
        running ??= run();
        if (!isWatching) {
          isWatching = true;
          void watch();
        }
      }),
    async close() {
      await running;
    },
  };
};
