import type { Claim } from './claim.ts';
import { medianOf, overRounds } from './parts/figures.ts';
import type { LoadJob, LoadResult } from './parts/load.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import { startThisServer } from './parts/this-server.ts';

const connections = 64;
const rounds = 5;
const seconds = 3;
const warmUpSeconds = 2;
const wantedRatio = 0.5;

/**
 * All servers run all the time; each gets the load in turn, so that what the machine does meanwhile hits them alike. The claim is measured
 * against the bare server that remembers verified tokens as this server does, which is the harder one to keep up with.
 */
export const acceptOne: Claim = {
  name: 'accept-one',
  title:
    'Accept one event a request, 64 connections, durable, against bare Fastify that checks the token and the schema and stores nothing',
  reach: `≥ ${wantedRatio} of its rate (0.8 is the goal), no answer over 500 ms`,
  async measure(say) {
    const load = await startProgram('load.ts');
    const bare = await startProgram<{ url: string; token: string }>('bare-server.ts');
    const verifying = await startProgram<{ url: string; token: string }>('bare-server.ts', { BARE_REMEMBERS: 'no' });
    const server = await startThisServer();
    try {
      let run = 0;
      const put = async (url: string, token: string, forSeconds: number) => {
        run += 1;
        const job: LoadJob = { url, token, connections, seconds: forSeconds, eventsPerRequest: 1, runName: `one-${run}` };
        return await load.ask<LoadResult>(job);
      };
      const onBare = (forSeconds: number) => put(bare.ready.url, bare.ready.token, forSeconds);
      const onVerifying = (forSeconds: number) => put(verifying.ready.url, verifying.ready.token, forSeconds);
      const onThis = async (forSeconds: number) => {
        const result = await put(server.url, server.sourceToken, forSeconds);
        await server.rest(); // what it still fans out must not slow the other one down
        return result;
      };
      await onBare(warmUpSeconds);
      await onVerifying(warmUpSeconds);
      await onThis(warmUpSeconds);

      const pairs: { bare: LoadResult; verifying: LoadResult; own: LoadResult; rssMib: number }[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        const others = { bare: await onBare(seconds), verifying: await onVerifying(seconds) };
        const pair = { ...others, own: await onThis(seconds), rssMib: rssMibOf(server.pid) };
        pairs.push(pair);
        const rates = [pair.bare, pair.verifying, pair.own].map((result) => `${Math.round(rateOf(result))}/s`);
        say(`round ${round}: ${rates.join(', ')} (bare, bare verifying each token, this server)`);
      }
      const ratio = medianOf(pairs.map((pair) => rateOf(pair.own) / rateOf(pair.bare)));
      const toVerifying = medianOf(pairs.map((pair) => rateOf(pair.own) / rateOf(pair.verifying)));
      const late = pairs.reduce((sum, { own }) => sum + own.over500ms, 0);
      const refused = pairs.reduce((sum, { own, bare: other }) => sum + own.requests - own.events + (other.requests - other.events), 0);
      return {
        measurements: [
          {
            what: 'bare Fastify, tokens remembered',
            perSecond: medianOf(pairs.map((pair) => rateOf(pair.bare))),
            latency: overRounds(pairs.map((pair) => pair.bare.latency)),
            rssMib: rssMibOf(bare.pid),
          },
          {
            what: 'bare Fastify, each token verified',
            perSecond: medianOf(pairs.map((pair) => rateOf(pair.verifying))),
            latency: overRounds(pairs.map((pair) => pair.verifying.latency)),
            rssMib: rssMibOf(verifying.pid),
          },
          {
            what: 'this server',
            perSecond: medianOf(pairs.map((pair) => rateOf(pair.own))),
            latency: overRounds(pairs.map((pair) => pair.own.latency)),
            rssMib: medianOf(pairs.map((pair) => pair.rssMib)),
          },
        ],
        result: `${ratio.toFixed(2)} (${toVerifying.toFixed(2)} of one that verifies each token), ${late} over 500 ms`,
        isReached: ratio >= wantedRatio && late === 0 && refused === 0,
        notes: [
          `${rounds} rounds of ${seconds} s each in turn, median of the ratios; ${refused} answers other than 202.`,
          'The first bare server remembers verified tokens, as this server does; the second verifies the signature of each request (fast-jwt as it comes). The claim is about the first.',
          'One load generator in its own process, HTTP/1.1 keep-alive, events of about 300 bytes, one token. No target: fan-out runs beside and finds none.',
        ],
      };
    } finally {
      await Promise.all([load.stop(), bare.stop(), verifying.stop(), server.stop()]);
    }
  },
};

const rateOf = ({ events, seconds: taken }: LoadResult): number => events / taken;
