import type { Clock } from '../../foundation/clock.ts';
import type { ApiClient } from './api-client.ts';

/** What `GET /v1/flow` tells, as far as the demo shows it. */
export interface FlowSeen {
  readonly stages: {
    readonly accepted: { readonly count: number; readonly perSecond: number };
    readonly routed: { readonly count: number };
    readonly delivered: { readonly count: number; readonly perSecond: number };
    readonly dead: { readonly count: number };
  };
  readonly targets: readonly {
    readonly waiting: number;
    readonly retrying: number;
    readonly dead: number;
    readonly parked: number;
    readonly delivered: number;
  }[];
}

/** Where all events stand, in numbers. */
export interface FlowCounts {
  readonly accepted: number;
  readonly waiting: number;
  readonly retrying: number;
  readonly delivered: number;
  /** With those that need a hand. */
  readonly dead: number;
  readonly acceptedPerSecond: number;
  readonly deliveredPerSecond: number;
}

export const noFlow: FlowCounts = {
  accepted: 0,
  waiting: 0,
  retrying: 0,
  delivered: 0,
  dead: 0,
  acceptedPerSecond: 0,
  deliveredPerSecond: 0,
};

/** Everything that the server has of what the source sent, read back over the API. */
export interface Stock {
  readonly flow: FlowCounts;
  /** The state of each event, by its id. */
  readonly states: ReadonlyMap<string, string>;
}

const pageSize = 200;
const fanOutLimitMs = 10_000;
const askAgainMs = 50;

export const readFlow = async (api: ApiClient, token: string): Promise<FlowCounts> => countsOf(await askFlow(api, token));

const askFlow = (api: ApiClient, token: string) => api.get<FlowSeen>('/v1/flow', token);

const countsOf = ({ stages, targets }: FlowSeen): FlowCounts => {
  const sum = (amountOf: (target: FlowSeen['targets'][number]) => number) => targets.reduce((total, target) => total + amountOf(target), 0);
  return {
    accepted: stages.accepted.count,
    waiting: sum(({ waiting }) => waiting) + Math.max(0, stages.accepted.count - stages.routed.count),
    retrying: sum(({ retrying }) => retrying),
    delivered: sum(({ delivered }) => delivered),
    dead: sum(({ dead, parked }) => dead + parked),
    acceptedPerSecond: stages.accepted.perSecond,
    deliveredPerSecond: stages.delivered.perSecond,
  };
};

/** Reads every event back. To be asked when nothing is sent any more: it waits for the fan-out of what has just come, but not for ever. */
export const takeStock = async ({
  api,
  token,
  clock,
  limitMs = fanOutLimitMs,
}: {
  api: ApiClient;
  token: () => string;
  clock: Clock;
  limitMs?: number;
}): Promise<Stock> => {
  const giveUpAt = clock.now() + limitMs;
  let flow = await askFlow(api, token());
  while (flow.stages.routed.count < flow.stages.accepted.count && clock.now() < giveUpAt) {
    await clock.sleep(askAgainMs);
    flow = await askFlow(api, token());
  }
  return { flow: countsOf(flow), states: await readStates(api, token) };
};

const readStates = async (api: ApiClient, token: () => string): Promise<ReadonlyMap<string, string>> => {
  const states = new Map<string, string>();
  let cursor: string | undefined;
  do {
    const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { items: readonly { id: string; state: string }[]; nextCursor?: string } = await api.get(
      `/v1/events?limit=${pageSize}${query}`,
      token(),
    );
    for (const { id, state } of page.items) states.set(id, state);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return states;
};
