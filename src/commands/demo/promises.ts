import type { Rate } from '../../config/parsers.ts';
import { describeRate, describeTightest, list, milliseconds, number } from './wording.ts';

/** Everything that was measured, by those who send and receive and by asking the server. */
export interface Findings {
  readonly sent: number;
  readonly acknowledgedIds: ReadonlySet<string>;
  /** Why some events were not acknowledged; the first few. */
  readonly refusals: readonly string[];
  readonly answers: { readonly limitMs: number; readonly slow: number; readonly slowestMs: number; readonly medianMs: number };
  readonly pace: PaceFindings;
  /** The server's own word: how many events stand where … */
  readonly flow: { readonly waiting: number; readonly retrying: number; readonly delivered: number; readonly dead: number };
  /** … and each of them by its id, with its state. */
  readonly states: ReadonlyMap<string, string>;
  /** The target's word: the ids of the events that it took. */
  readonly takenIds: ReadonlySet<string>;
  readonly received: number;
  readonly wrongShapes: readonly string[];
  readonly notEnriched: readonly string[];
  readonly session: {
    readonly refreshes: number;
    /** Requests that the server answered with 401. */
    readonly unknown: number;
    readonly leastLeftMs: number | undefined;
    readonly failure: string | undefined;
  };
}

export interface PaceFindings {
  readonly rate: Rate;
  /** Requests that kept to the rate, and those that did not. */
  readonly admitted: number;
  readonly refused: number;
  readonly tightestMs: number | undefined;
  readonly firstAt: number | undefined;
  readonly lastAt: number | undefined;
  /** For how long there was something to deliver; undefined where the source is slower than the target, so that it is not known. */
  readonly backlogMs: number | undefined;
}

/** Whether one promise was kept. */
export interface Verdict {
  readonly promise: string;
  readonly isKept: boolean;
  /** The figures behind it; where it was broken, what broke it. */
  readonly because: string;
}

/** What a program that runs the demo learns: 0 when every promise held, else 1. */
export const exitCodeFor = (verdicts: readonly Verdict[]): 0 | 1 => (verdicts.every(({ isKept }) => isKept) ? 0 : 1);

/** A lane may leave so much of the rate unused, as a guard against jitter on the way. */
const usedShareAtLeast = 0.99;

/** Each promise with its verdict, in the order in which an event meets them. */
export const judgePromises = (findings: Findings): readonly Verdict[] => [
  acknowledged(findings),
  quick(findings),
  inSession(findings),
  accountedFor(findings),
  neverTooFast(findings.pace),
  neverTooSlow(findings.pace),
  inShape(findings),
  enriched(findings),
];

const verdict = (promise: string, isKept: boolean, kept: string, broken: string): Verdict => ({
  promise,
  isKept,
  because: isKept ? kept : broken,
});

const acknowledged = ({ sent, acknowledgedIds, refusals }: Findings): Verdict =>
  verdict(
    'every event was acknowledged',
    sent > 0 && acknowledgedIds.size === sent,
    `${number(sent)} of ${number(sent)} answered with 2xx`,
    sent === 0 ? 'none was sent' : `${number(sent - acknowledgedIds.size)} of ${number(sent)} were not: ${list(refusals)}`,
  );

const quick = ({ answers: { limitMs, slow, slowestMs, medianMs } }: Findings): Verdict =>
  verdict(
    `every answer came within ${limitMs} ms`,
    slow === 0,
    `slowest ${milliseconds(slowestMs)}, half within ${milliseconds(medianMs)}`,
    `${number(slow)} did not, the slowest ${milliseconds(slowestMs)}`,
  );

const inSession = ({ session: { refreshes, unknown, leastLeftMs, failure } }: Findings): Verdict => {
  const times = `${number(refreshes)} ${refreshes === 1 ? 'time' : 'times'}`;
  return verdict(
    'the session was refreshed in time',
    unknown === 0 && failure === undefined && (leastLeftMs ?? 0) >= 0,
    leastLeftMs === undefined ? 'not due yet' : `${times}, at least ${(leastLeftMs / 1000).toFixed(1)} s before it ran out`,
    failure ?? `${number(unknown)} requests were answered with 401, after it was refreshed ${times}`,
  );
};

const accountedFor = ({ acknowledgedIds, flow, states, takenIds }: Findings): Verdict => {
  const { delivered, waiting, retrying, dead } = flow;
  const known = delivered + waiting + retrying + dead;
  const lost = [...acknowledgedIds].filter((id) => !states.has(id));
  const untrue = [...states].filter(([id, state]) => state === 'delivered' && !takenIds.has(id)).map(([id]) => id);
  const sum = `${number(delivered)} delivered + ${number(waiting)} waiting + ${number(retrying)} retrying + ${number(dead)} dead`;
  return verdict(
    'every event is accounted for',
    lost.length === 0 && untrue.length === 0 && known === states.size,
    `${number(states.size)} = ${sum}`,
    list([
      ...(lost.length === 0 ? [] : [`${number(lost.length)} are not there: ${list(lost)}`]),
      ...(untrue.length === 0 ? [] : [`${number(untrue.length)} are called delivered, but never arrived: ${list(untrue)}`]),
      ...(known === states.size ? [] : [`${number(states.size)} are there, but ${sum} makes ${number(known)}`]),
    ]),
  );
};

const neverTooFast = ({ rate, admitted, refused, tightestMs }: PaceFindings): Verdict =>
  verdict(
    'the pace was never exceeded',
    refused === 0,
    tightestMs === undefined
      ? `${admitted === 1 ? '1 request' : `${number(admitted)} requests`}, too few to exceed ${describeRate(rate)}`
      : `${number(admitted)} requests, ${describeTightest(rate, tightestMs)}, no 429 needed`,
    `${number(refused)} requests came too early and were answered with 429${tightestMs === undefined ? '' : `, ${describeTightest(rate, tightestMs)}`}`,
  );

const neverTooSlow = (pace: PaceFindings): Verdict => {
  const { admitted, rate, backlogMs } = pace;
  const possible = possibleRequests(pace);
  const share = usedShare(pace);
  return verdict(
    'the pace was used',
    possible === undefined || admitted >= possible,
    possible === undefined || backlogMs === undefined
      ? 'the source sends less than the target takes'
      : `${share === undefined ? '' : `${percent(share)}, `}${number(admitted)} requests in ${(backlogMs / 1000).toFixed(1)} s`,
    `${number(admitted)} requests, where ${describeRate(rate)} made ${number(possible ?? 0)} possible`,
  );
};

/**
 * The requests that a backlog of that time makes possible at least, the guard taken off. One window less: the first slot and the last
 * one are somewhere at the edges.
 */
const possibleRequests = ({ rate, backlogMs }: PaceFindings): number | undefined => {
  if (backlogMs === undefined) return undefined;
  const inBacklog = Math.floor((backlogMs / rate.intervalMs) * rate.requests * usedShareAtLeast);
  return Math.max(0, inBacklog - rate.requests);
};

/** How much of the rate was used between the first request and the last; undefined before the second. */
export const usedShare = ({ rate, admitted, firstAt, lastAt }: Pick<PaceFindings, 'rate' | 'admitted' | 'firstAt' | 'lastAt'>) => {
  if (firstAt === undefined || lastAt === undefined || lastAt <= firstAt) return undefined;
  return Math.min(1, (((admitted - 1) / (lastAt - firstAt)) * rate.intervalMs) / rate.requests);
};

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

const inShape = ({ received, wrongShapes }: Findings): Verdict =>
  verdict(
    'every event arrived as it was sent',
    wrongShapes.length === 0,
    `${number(received)} mutations, none in a wrong shape`,
    list(wrongShapes),
  );

const enriched = ({ received, notEnriched }: Findings): Verdict =>
  verdict(
    'every event arrived enriched',
    notEnriched.length === 0,
    received === 0 ? 'none has arrived yet' : 'brand: testBrand',
    `the brand was missing: ${list(notEnriched)}`,
  );
