import type { Claim } from './claim.ts';
import { medianOf, overRounds } from './parts/figures.ts';
import type { LoadJob, LoadResult } from './parts/load.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';

const connections = 16;
const rounds = 7;
const seconds = 2;
const mostAdded = 0.15;

/** The same route twice in one server, in turn: once for everybody, once for whoever has a token, which every request carries. */
export const tokenCheck: Claim = {
  name: 'token-check',
  title: 'Check the access token of a request, 16 connections, against the same route of the same server that anybody may call',
  reach: `adds ≤ ${mostAdded * 100} % to the time of a request`,
  async measure(say) {
    const load = await startProgram('load.ts');
    const server = await startProgram<{ url: string; token: string }>('guarded-server.ts');
    try {
      const { url, token } = server.ready;
      const on = async (path: string, forSeconds: number) => {
        const job: LoadJob = { url, token, path, connections, seconds: forSeconds, eventsPerRequest: 1, runName: 'none' };
        return await load.ask<LoadResult>(job);
      };
      await on('/bare', 1);
      await on('/guarded', 1);
      const pairs: { bare: LoadResult; guarded: LoadResult }[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        const pair = { bare: await on('/bare', seconds), guarded: await on('/guarded', seconds) };
        pairs.push(pair);
        say(`round ${round}: bare ${Math.round(rateOf(pair.bare))}/s, guarded ${Math.round(rateOf(pair.guarded))}/s`);
      }
      const added = medianOf(pairs.map(({ bare, guarded }) => rateOf(bare) / rateOf(guarded))) - 1;
      const refused = pairs.reduce((sum, { bare, guarded }) => sum + bare.requests - bare.events + guarded.requests - guarded.events, 0);
      const measurementOf = (what: string, results: readonly LoadResult[]) => ({
        what,
        perSecond: medianOf(results.map(rateOf)),
        latency: overRounds(results.map(({ latency }) => latency)),
        rssMib: rssMibOf(server.pid),
      });
      return {
        measurements: [
          measurementOf(
            'for everybody',
            pairs.map(({ bare }) => bare),
          ),
          measurementOf(
            'with a token',
            pairs.map(({ guarded }) => guarded),
          ),
        ],
        result: `${added >= 0 ? '+' : ''}${(added * 100).toFixed(1)} %`,
        isReached: added <= mostAdded && refused === 0,
        notes: [
          `${rounds} rounds of ${seconds} s each in turn, median of the ratios; ${refused} answers other than 200.`,
          'One token, remembered after its first use, as that of a source that sends all the time.',
        ],
      };
    } finally {
      await Promise.all([load.stop(), server.stop()]);
    }
  },
};

const rateOf = ({ events, seconds: taken }: LoadResult): number => events / taken;
