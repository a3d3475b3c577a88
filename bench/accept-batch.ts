import type { Claim, Measurement } from './claim.ts';
import { medianOf, overRounds } from './parts/figures.ts';
import type { LoadJob, LoadResult } from './parts/load.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import type { InsertJob, InsertResult } from './parts/raw-inserts.ts';
import { startThisServer } from './parts/this-server.ts';

const wantedRatio = 0.5;
const eventsInBatch = 500;
const connections = 8;
const rounds = 3;
const seconds = 3;

interface Round {
  readonly oneTable: InsertResult;
  readonly sameRows: InsertResult;
  readonly own: LoadResult;
  readonly rssMib: number;
}

export const acceptBatch: Claim = {
  name: 'accept-batch',
  title: `Accept batches of ${eventsInBatch}, durable, against a raw node:sqlite insert loop of the same durability`,
  reach: `≥ ${wantedRatio} of its rate`,
  async measure(say) {
    const load = await startProgram('load.ts');
    const raw = await startProgram('raw-inserts.ts');
    const server = await startThisServer();
    try {
      const onRaw = (schema: InsertJob['schema'], forSeconds = seconds) =>
        raw.ask<InsertResult>({ schema, seconds: forSeconds, rowsInCommit: eventsInBatch } satisfies InsertJob);
      let run = 0;
      const onThis = async (forSeconds = seconds) => {
        run += 1;
        const { url, sourceToken: token } = server;
        const job: LoadJob = { url, token, connections, seconds: forSeconds, eventsPerRequest: eventsInBatch, runName: `batch-${run}` };
        const result = await load.ask<LoadResult>(job);
        const rssMib = rssMibOf(server.pid);
        await server.rest(); // what it still fans out must not slow the others down
        return { result, rssMib };
      };
      await onThis(1);
      await onRaw('same-rows', 1);
      const all: Round[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        const oneTable = await onRaw('one-table');
        const sameRows = await onRaw('same-rows');
        const { result: own, rssMib } = await onThis();
        all.push({ oneTable, sameRows, own, rssMib });
        say(
          `round ${round}: ${[oneTable, sameRows, own].map((one) => `${Math.round(rateOf(one))}/s`).join(', ')} (one table, same row, this server)`,
        );
      }
      return findingOf(all);
    } finally {
      await Promise.all([load.stop(), raw.stop(), server.stop()]);
    }
  },
};

const rateOf = ({ events, seconds: taken }: { events: number; seconds: number }) => events / taken;

const findingOf = (all: readonly Round[]) => {
  const line = (what: string, results: readonly (InsertResult | LoadResult)[]): Measurement => ({
    what,
    perSecond: medianOf(results.map(rateOf)),
    latency: overRounds(results.map(({ latency }) => latency)),
  });
  const ratioTo = (baseline: 'oneTable' | 'sameRows') => medianOf(all.map((round) => rateOf(round.own) / rateOf(round[baseline])));
  const toOneTable = ratioTo('oneTable');
  const toSameRows = ratioTo('sameRows');
  const refused = all.reduce((sum, { own }) => sum + own.requests * eventsInBatch - own.events, 0);
  return {
    measurements: [
      line(
        'raw loop, one table with one unique index',
        all.map(({ oneTable }) => oneTable),
      ),
      line(
        'raw loop, the same row in the same table',
        all.map(({ sameRows }) => sameRows),
      ),
      {
        ...line(
          'this server',
          all.map(({ own }) => own),
        ),
        rssMib: medianOf(all.map(({ rssMib }) => rssMib)),
      },
    ],
    result: `${toOneTable.toFixed(2)} (one table), ${toSameRows.toFixed(2)} (same row)`,
    isReached: toOneTable >= wantedRatio && refused === 0,
    notes: [
      `Latency is that of a transaction of the raw loops and of a request of ours, ${connections} connections; ${refused} events refused.`,
      'Both raw loops run in one thread from memory: no HTTP, no JSON, no checks. The first writes an event as one row with one unique index; ' +
        'the second writes the row that the server writes for an event, with all its indexes.',
    ],
  };
};
