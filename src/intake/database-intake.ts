import type { Clock } from '../foundation/clock.ts';
import { Unavailable } from '../foundation/problem.ts';
import type { FactWriter, IncomingEvent, Intake, IntakeReceipt } from './intake.ts';

/** Bounds how long one commit takes, and so how long the next one waits. */
const maxEventsInCommit = 2_000;
/** A source waits no longer for its answer; it may send the event again, which changes nothing if it was written after all. */
const answerLimitMs = 2_500;
const watchEveryMs = 100;
/**
 * A group waits until it has half as many events as the one before, but no longer than this. Otherwise the first request that comes after
 * a large group would be written alone, all others would then wait for it and make the next large group, and disk and processor would take
 * turns instead of working side by side.
 */
const gatherMs = 2;
/** So many groups are handed on already while one is being written, if they have so many events. */
const mostAhead = 1;
const worthGoingAhead = 8;

interface WaitingRequest {
  readonly events: readonly IncomingEvent[];
  readonly since: number;
  isAnswered: boolean;
  resolve(receipts: readonly IntakeReceipt[]): void;
  reject(error: unknown): void;
}

const sizeOf = (requests: readonly WaitingRequest[]): number => requests.reduce((events, request) => events + request.events.length, 0);

/**
 * Group commit: requests that arrive while a commit is under way share the next one. An idle server writes a request at once; a busy one
 * writes groups with one fsync each, as large as it takes to keep the writer and this thread at work at the same time.
 */
export const createDatabaseIntake = ({ writer, clock }: { writer: FactWriter; clock: Clock }): Intake => {
  let waiting: WaitingRequest[] = [];
  let isWatching = false;
  /** Groups that are being written, in the order in which they came. */
  let underWay: (readonly WaitingRequest[])[] = [];
  /** Groups that were handed on since the start, and how many events the last one had. */
  let groups = 0;
  let lastSize = 0;
  /** The last group is written and the next one waits for more requests. */
  let isGathering = false;
  let onIdle = () => {};

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

  /** The next group may go: none is under way, or one is and the next is large enough to be worth a commit of its own. */
  const mayGo = () => {
    if (underWay.length === 0 && !isGathering) return true;
    const wanted = underWay.length === 0 ? lastSize / 2 : Math.max(lastSize / 2, worthGoingAhead);
    return underWay.length <= mostAhead && sizeOf(waiting) >= wanted;
  };

  const pump = () => {
    while (waiting.length > 0 && mayGo()) {
      const group = takeGroup();
      underWay = [...underWay, group];
      groups += 1;
      lastSize = sizeOf(group);
      void writeGroup(group).then((answer) => {
        underWay = underWay.filter((other) => other !== group);
        isGathering = underWay.length === 0;
        pump(); // first, since answering takes about as long as writing does
        answer();
        if (underWay.length === 0) void endGathering();
      });
    }
    if (underWay.length === 0 && waiting.length === 0) onIdle();
  };

  const endGathering = async () => {
    const before = groups;
    await clock.sleep(gatherMs);
    if (groups !== before) return; // enough came, and it was written
    isGathering = false;
    pump();
  };

  /** One timer for all requests: a timer for each would cost more than the rest of the way. */
  const watch = async () => {
    while (underWay.length > 0 || waiting.length > 0) {
      await clock.sleep(watchEveryMs);
      for (const request of [...underWay.flat(), ...waiting]) {
        if (clock.now() - request.since < answerLimitMs) break; // those behind it came later
        request.reject(new Unavailable('The events could not be written in time.', { retryAfterMs: 2_000 }));
      }
      // Who was told so sends them again: written as well, they would only make everybody wait longer.
      waiting = waiting.filter((request) => !request.isAnswered);
    }
    isWatching = false;
  };

  return {
    append: (events) =>
      new Promise<readonly IntakeReceipt[]>((resolve, reject) => {
        const request: WaitingRequest = {
          events,
          since: clock.now(),
          isAnswered: false,
          resolve(receipts) {
            request.isAnswered = true;
            resolve(receipts);
          },
          reject(error) {
            request.isAnswered = true;
            reject(error);
          },
        };
        waiting.push(request);
        pump();
        if (!isWatching) {
          isWatching = true;
          void watch();
        }
      }),
    close: () =>
      new Promise((resolve) => {
        onIdle = resolve;
        pump();
      }),
  };
};
