import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import type { Rate } from '../../config/parsers.ts';
import type { Clock } from '../../foundation/clock.ts';
import { type Arrivals, createArrivals, createTurns } from './arrivals.ts';
import type { DemoEvent } from './mock-source.ts';

/** How the target answered one request. */
export type TargetAnswer = 'taken' | 'failed' | 'refused';

/** A GraphQL API that takes only so much, and fails now and then. */
export interface MockTarget {
  readonly url: string;
  readonly arrivals: Arrivals;
  /** Requests that came too early and were answered with 429. */
  readonly refused: number;
  readonly failed: number;
  /** How often the event of an id was taken. */
  readonly taken: ReadonlyMap<string, number>;
  /** Ids whose event it failed to take at least once. */
  readonly failedIds: ReadonlySet<string>;
  /** What was wrong with requests that did not look as they must. */
  readonly wrongShapes: readonly string[];
  /** Ids of events that came without the brand. */
  readonly notEnriched: readonly string[];
  close(): Promise<void>;
}

/** About one request in so many fails. */
export const failsOneIn = 10;
/** The field that the source does not know and the server adds. */
export const brand = 'testBrand';
const turnMs = 5;
const faultsKept = 5;

const failures = [
  { status: 500, body: { error: 'The disk of the target is full.' } },
  // What most GraphQL servers do: 200, and yet it failed.
  {
    status: 200,
    body: { data: null, errors: [{ message: 'The database of the target is away.', extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
  },
] as const;

/** Listens on a free port of this machine. `eventOf` tells what was sent under an id. */
export const startMockTarget = async ({
  rate,
  clock,
  chance,
  eventOf,
  onAnswer,
}: {
  rate: Rate;
  clock: Clock;
  chance: () => number;
  eventOf: (id: string) => DemoEvent | undefined;
  onAnswer: (id: string, answer: TargetAnswer) => void;
}): Promise<MockTarget> => {
  const turns = createTurns({ now: clock.precise, everyMs: turnMs });
  const arrivals = createArrivals(rate, turns.readBefore);
  const fails = createFailures(chance);
  const taken = new Map<string, number>();
  const failedIds = new Set<string>();
  const wrongShapes: string[] = [];
  const notEnriched: string[] = [];
  let refused = 0;
  let failed = 0;

  const note = (list: string[], fault: string) => {
    if (list.length < faultsKept) list.push(fault);
  };

  const look = (request: IncomingMessage, body: string): string => {
    const { id, faults, isEnriched } = inspect(request, body, eventOf);
    for (const fault of faults) note(wrongShapes, fault);
    if (!isEnriched) note(notEnriched, id);
    return id;
  };

  const take = async (request: IncomingMessage, response: ServerResponse) => {
    const at = clock.precise();
    const isAdmitted = arrivals.admits(at);
    const id = look(request, await text(request));
    if (!isAdmitted) {
      refused += 1;
      onAnswer(id, 'refused');
      const waitSeconds = Math.max(1, Math.ceil((arrivals.freeAt - at) / 1_000));
      return reply(response, 429, { error: 'Too many requests.' }, { 'retry-after': String(waitSeconds) });
    }
    if (fails()) {
      const failure = failures[failed % failures.length] ?? failures[0];
      failed += 1;
      failedIds.add(id);
      onAnswer(id, 'failed');
      return reply(response, failure.status, failure.body);
    }
    taken.set(id, (taken.get(id) ?? 0) + 1);
    onAnswer(id, 'taken');
    return reply(response, 200, { data: { processEvent: { id } } });
  };

  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    take(request, response).catch(() => response.destroy()); // the sender went away in the middle
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP

  return {
    url: `http://127.0.0.1:${port}/graphql`,
    arrivals,
    get refused() {
      return refused;
    },
    get failed() {
      return failed;
    },
    taken,
    failedIds,
    wrongShapes,
    notEnriched,
    async close() {
      turns.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

const reply = (response: ServerResponse, status: number, body: object, headers: Readonly<Record<string, string>> = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

/** Fails one in ten, each time another one of the ten; the first failure comes second, so that also a short demo shows one. */
const createFailures = (chance: () => number) => {
  let number = 0;
  let failing = 1;
  return (): boolean => {
    const place = number % failsOneIn;
    if (place === 0 && number > 0) failing = Math.floor(chance() * failsOneIn);
    number += 1;
    return place === failing;
  };
};

/** Whether a request is the mutation with the event as its variable: all that the source sent, unchanged, and the brand. */
const inspect = (
  request: IncomingMessage,
  body: string,
  eventOf: (id: string) => DemoEvent | undefined,
): { id: string; faults: string[]; isEnriched: boolean } => {
  const { query, variables } = fieldsOf(parseJson(body));
  const { brand: given, ...event } = fieldsOf(fieldsOf(variables).input);
  const id = typeof event.id === 'string' ? event.id : '(without id)';
  const faults: string[] = [];
  if (request.method !== 'POST' || !request.headers['content-type']?.startsWith('application/json'))
    faults.push(`${id} came as ${request.method} with content type ${request.headers['content-type']}`);
  if (typeof query !== 'string' || !query.startsWith('mutation')) faults.push(`${id} came without a mutation`);
  if (!isDeepStrictEqual(event, { ...eventOf(id) })) faults.push(`${id} differs from what was sent`);
  return { id, faults, isEnriched: given === brand };
};

const fieldsOf = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null ? { ...value } : {});

const parseJson = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
};
