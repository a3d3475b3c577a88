import type { Claim } from './claim.ts';
import type { LoadJob, LoadResult } from './parts/load.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import type { StormJob, StormResult } from './parts/sign-in-storm.ts';
import { startThisServer } from './parts/this-server.ts';

const connections = 16;
const perSecond = 50;
const seconds = 10;
const warmUpSeconds = 2;
const mostP99Ms = 100;

/** Events come in as fast as they are taken, first alone, then while strangers try passwords. */
export const refusedSignIns: Claim = {
  name: 'refused-sign-ins',
  title: `Accept events, 16 connections, durable, while ${perSecond} sign-ins a second are refused, against the same without them`,
  reach: `p99 of accepting ≤ ${mostP99Ms} ms`,
  async measure(say) {
    const load = await startProgram('load.ts');
    const strangers = await startProgram('sign-in-storm.ts');
    const server = await startThisServer({ env: { ENTREPOT_TRUSTED_PROXIES: '127.0.0.1' } });
    try {
      let run = 0;
      const accept = async (forSeconds: number) => {
        run += 1;
        const job: LoadJob = {
          url: server.url,
          token: server.sourceToken,
          connections,
          seconds: forSeconds,
          eventsPerRequest: 1,
          runName: `r${run}`,
        };
        return await load.ask<LoadResult>(job);
      };
      await accept(warmUpSeconds);
      await server.rest();
      const alone = await accept(seconds);
      await server.rest();
      const job: StormJob = { url: server.url, perSecond, seconds };
      const [beside, storm] = await Promise.all([accept(seconds), strangers.ask<StormResult>(job)]);
      const answers = Object.entries(storm.answers)
        .map(([status, count]) => `${count} × ${status}`)
        .join(', ');
      say(`alone p99 ${alone.latency.p99.toFixed(1)} ms, beside p99 ${beside.latency.p99.toFixed(1)} ms; sign-ins: ${answers}`);
      const isAllRefused = Object.keys(storm.answers).every((status) => status === '401' || status === '503');
      return {
        measurements: [
          { what: 'events alone', perSecond: alone.events / alone.seconds, latency: alone.latency },
          { what: 'events beside', perSecond: beside.events / beside.seconds, latency: beside.latency, rssMib: rssMibOf(server.pid) },
          { what: 'refused sign-ins', perSecond: storm.sent / seconds, latency: storm.latency },
        ],
        result: `p99 ${beside.latency.p99.toFixed(1)} ms (alone ${alone.latency.p99.toFixed(1)} ms)`,
        isReached: beside.latency.p99 <= mostP99Ms && beside.over500ms === 0 && beside.requests === beside.events && isAllRefused,
        notes: [
          `${seconds} s each. The sign-ins were answered ${answers}: each costs an argon2id of 19 MiB, whether its name exists or not; what is more than can wait is 503.`,
          'Each comes with another name and from another address, so that no limit of guessing holds it off.',
        ],
      };
    } finally {
      await Promise.all([load.stop(), strangers.stop(), server.stop()]);
    }
  },
};
