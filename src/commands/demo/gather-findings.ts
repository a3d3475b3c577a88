import type { Clock } from '../../foundation/clock.ts';
import type { ItemTrace } from '../../modules/trace/trace.ts';
import type { ApiClient } from './api-client.ts';
import type { KeptSession } from './keep-session.ts';
import { answerLimitMs, type MockSource } from './mock-source.ts';
import type { MockTarget } from './mock-target.ts';
import type { DemoOptions } from './options.ts';
import type { Findings } from './promises.ts';
import { type FlowCounts, takeStock } from './take-stock.ts';

interface Seen {
  readonly api: ApiClient;
  readonly operator: KeptSession;
  readonly source: MockSource;
  readonly target: MockTarget;
}

/** A source that is not surely faster than the target leaves no backlog, and without one a pace cannot be used up. */
const fasterAtLeast = 1.1;

/** Asks the server what it has, and puts it beside what source and target saw. To be called when the source has stopped sending. */
export const gatherFindings = async ({
  api,
  operator,
  clock,
  options: { rate, eventsEveryMs },
  source,
  target,
}: Seen & { clock: Clock; options: DemoOptions }): Promise<Findings & { readonly flow: FlowCounts }> => {
  const { flow, states } = await takeStock({ api, token: operator.token, clock });
  const { arrivals } = target;
  const isFaster = (eventsEveryMs * rate.requests) / rate.intervalMs < 1 / fasterAtLeast;
  return {
    sent: source.sent,
    acknowledgedIds: source.acknowledged,
    refusals: source.refusals,
    answers: {
      limitMs: answerLimitMs,
      slow: source.times.slow,
      slowestMs: source.times.slowestMs,
      medianMs: source.times.medianMs(),
    },
    pace: {
      rate,
      admitted: arrivals.count,
      refused: target.refused,
      tightestMs: arrivals.tightestMs,
      firstAt: arrivals.firstAt,
      lastAt: arrivals.lastAt,
      backlogMs: isFaster && source.firstAcknowledgedAt !== undefined ? clock.now() - source.firstAcknowledgedAt : undefined,
    },
    flow,
    states,
    takenIds: new Set(target.taken.keys()),
    received: arrivals.count + target.refused,
    wrongShapes: target.wrongShapes,
    notEnriched: target.notEnriched,
    session: {
      refreshes: source.session.refreshes,
      unknown: source.unknownSessions,
      leastLeftMs: source.session.leastLeftMs,
      failure: source.session.failure,
    },
  };
};

/** The whole trace of one event: of one that failed and was delivered after all, else of one that was delivered, else of any. */
export const chooseTrace = async ({
  api,
  operator,
  source,
  target,
  findings: { states },
}: Seen & { findings: Findings }): Promise<ItemTrace | undefined> => {
  const delivered = [...states].filter(([, state]) => state === 'delivered').map(([id]) => id);
  const [any] = source.acknowledged;
  const id = delivered.find((one) => target.failedIds.has(one)) ?? delivered.at(-1) ?? any;
  return id === undefined ? undefined : await api.get<ItemTrace>(`/v1/trace/${encodeURIComponent(id)}`, operator.token());
};
