import { setTimeout as sleep } from 'node:timers/promises';
import { call } from './given.ts';
import type { TestServer } from './start-server.ts';

/** An array of events that was sent in one request. */
export interface SentArray {
  readonly ids: readonly string[];
  readonly sender: string;
}

/** What the senders know: no more than a source knows of what it sent. */
export interface Ledger {
  /** Who got a 2xx for which id. */
  readonly acknowledged: Map<string, string>;
  /** Arrays for which no answer came: all of each must be there, or nothing. */
  readonly unanswered: SentArray[];
  /** Refusals by status; 0 counts requests without an answer. */
  readonly refusals: Map<number, number>;
  /** Answers that were wrong, in words. */
  readonly faults: string[];
}

export const createLedger = (): Ledger => ({ acknowledged: new Map(), unanswered: [], refusals: new Map(), faults: [] });

export interface Source {
  readonly id: string;
  readonly token: string;
}

export interface SendersOptions {
  readonly server: Pick<TestServer, 'url'>;
  readonly sources: readonly Source[];
  readonly ledger: Ledger;
  /** Ids begin with it: no two runs may use the same. */
  readonly label: string;
  readonly senders?: number;
  /** Events of each request that is an array; single ones by default in four of five requests. */
  readonly arrayLength?: number;
  /** After each request, in milliseconds. */
  readonly pauseMs?: number;
}

/** One of ten of each sender. */
const keyOf = (id: string) => id.replace(/^.*-([0-9]+)-[0-9]*([0-9])-[0-9]+$/, '$1.$2');

/** Many senders at a time over connections that they keep, as fast as they get answers. `stop` resolves when the last one has had its answer, or none. */
export const startSenders = ({ server, sources, ledger, label, senders = 20, arrayLength = 20, pauseMs = 0 }: SendersOptions) => {
  let isStopping = false;

  const send = async ({ id: sender, token }: Source, ids: readonly string[], isArray: boolean) => {
    const events = ids.map((id) => ({ id, name: 'order.created', key: keyOf(id), body: { text: 'x'.repeat(200) } }));
    try {
      const { status, body, headers } = await call(server, 'POST', '/v1/events', { token, body: isArray ? events : events[0] });
      if (status === 202) {
        for (const id of ids) ledger.acknowledged.set(id, sender);
        const count = isArray ? body.accepted + body.duplicates : 1;
        if (count !== ids.length) ledger.faults.push(`${ids.length} events were sent and ${count} acknowledged`);
        return;
      }
      ledger.refusals.set(status, (ledger.refusals.get(status) ?? 0) + 1);
      if (status !== 503) ledger.faults.push(`an event was refused with ${status}: ${JSON.stringify(body)}`);
      if (status === 503 && headers.get('retry-after') === null) ledger.faults.push('a 503 came without Retry-After');
    } catch {
      ledger.refusals.set(0, (ledger.refusals.get(0) ?? 0) + 1);
      await sleep(20);
    }
    if (isArray) ledger.unanswered.push({ ids, sender });
  };

  const work = async (number: number) => {
    const source = sources[number % sources.length];
    if (!source) throw new Error('there is no source');
    let previous: readonly string[] = [];
    for (let request = 0; !isStopping; request += 1) {
      const isArray = (request + number) % 5 === 0;
      // Now and then a source is not sure and sends again what it has sent.
      const isAgain = request % 17 === 16 && previous.length > 0;
      const ids = isAgain
        ? previous
        : Array.from({ length: isArray ? arrayLength : 1 }, (_, place) => `${label}-${number}-${request}-${place}`);
      await send(source, ids, isAgain ? ids.length > 1 : isArray);
      previous = ids;
      if (pauseMs > 0) await sleep(pauseMs);
    }
  };

  const working = Promise.all(Array.from({ length: senders }, (_, number) => work(number)));
  return {
    async stop() {
      isStopping = true;
      await working;
    },
  };
};
