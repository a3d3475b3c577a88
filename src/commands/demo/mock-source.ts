import { type Clock, toRfc3339 } from '../../foundation/clock.ts';
import { type AnswerTimes, createAnswerTimes } from './answer-times.ts';
import type { ApiClient } from './api-client.ts';
import { type KeptSession, keepSession } from './keep-session.ts';

/** What the source sends; the target must get it with nothing changed. */
export interface DemoEvent {
  readonly id: string;
  readonly name: string;
  readonly body: unknown;
  readonly timestamp: string;
}

/** A system that sends each event exactly once and counts on the answer. */
export interface MockSource {
  readonly session: KeptSession;
  readonly times: AnswerTimes;
  /** How many events were sent so far. */
  readonly sent: number;
  /** The ids that were answered with 2xx, in the order in which they were. */
  readonly acknowledged: ReadonlySet<string>;
  /** Why others were not. */
  readonly refusals: readonly string[];
  /** How often the server did not know the session (401). */
  readonly unknownSessions: number;
  /** When the first acknowledgement came, in milliseconds since 1970. */
  readonly firstAcknowledgedAt: number | undefined;
  /** Sends no more and resolves when every event was answered or given up. Its session goes on until `close`. */
  stopSending(): Promise<void>;
  close(): Promise<void>;
}

/** An answer that takes longer breaks the promise. */
export const answerLimitMs = 500;
/** … and one that takes this long is no longer waited for. */
const giveUpMs = 10_000;
const refusalsKept = 5;

const names = ['order.created', 'order.paid', 'parcel.packed', 'parcel.sent', 'invoice.written'] as const;

/** Signs in with the secret of a service and sends an event every `everyMs`, whether or not the one before was answered. */
export const startMockSource = async ({
  api,
  authId,
  secret,
  events,
  everyMs,
  clock,
  onRefresh,
}: {
  api: ApiClient;
  authId: string;
  secret: string;
  /** Where it notes what it sends, by id. */
  events: Map<string, DemoEvent>;
  everyMs: number;
  clock: Clock;
  onRefresh: () => void;
}): Promise<MockSource> => {
  const session = await keepSession({ api, credentials: { method: 'secret', authId, secret }, clock, onRefresh });
  const times = createAnswerTimes(answerLimitMs);
  const acknowledged = new Set<string>();
  const refusals: string[] = [];
  const underWay = new Set<Promise<void>>();
  const stopping = new AbortController();
  let unknownSessions = 0;
  let firstAcknowledgedAt: number | undefined;

  const refuse = (why: string) => {
    if (refusals.length < refusalsKept) refusals.push(why);
  };

  const send = async (event: DemoEvent) => {
    const startedAt = clock.precise();
    try {
      const { status, body, ms } = await api.call<unknown>('POST', '/v1/events', {
        body: event,
        token: session.token(),
        timeoutMs: giveUpMs,
      });
      times.add(ms);
      if (status === 401) unknownSessions += 1;
      if (status < 200 || status > 299) return refuse(`${event.id}: ${status} ${JSON.stringify(body)?.slice(0, 200)}`);
      acknowledged.add(event.id);
      firstAcknowledgedAt ??= clock.now();
    } catch (error) {
      times.add(clock.precise() - startedAt);
      refuse(`${event.id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  const run = async () => {
    // A grid instead of pauses, so that slow moments do not lower the pace.
    let nextAt = clock.precise();
    while (!stopping.signal.aborted) {
      const event = makeEvent(events.size + 1, clock.now());
      events.set(event.id, event);
      const sending = send(event).finally(() => underWay.delete(sending));
      underWay.add(sending);
      nextAt += everyMs;
      await clock.sleep(nextAt - clock.precise(), stopping.signal);
    }
  };
  const ended = run();

  return {
    session,
    times,
    get sent() {
      return events.size;
    },
    acknowledged,
    refusals,
    get unknownSessions() {
      return unknownSessions;
    },
    get firstAcknowledgedAt() {
      return firstAcknowledgedAt;
    },
    async stopSending() {
      stopping.abort();
      await ended;
      await Promise.all(underWay);
    },
    async close() {
      stopping.abort();
      await session.stop();
    },
  };
};

const makeEvent = (number: number, now: number): DemoEvent => ({
  id: `order-${String(number).padStart(4, '0')}`,
  name: names[number % names.length] ?? names[0],
  body: {
    customer: `Zoë ${(number % 17) + 1}`,
    total: (number * 1.25).toFixed(2),
    items: [{ sku: `A-${number % 7}`, count: (number % 3) + 1 }],
  },
  timestamp: toRfc3339(now),
});
