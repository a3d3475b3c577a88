import type { Claim } from './claim.ts';
import { latencyOf } from './parts/figures.ts';
import { acceptEvents, givenPausedTarget, measureDrain, setTarget, startReceiverProgram } from './parts/flow.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import { startThisServer } from './parts/this-server.ts';

const wantedShare = 0.99;
const intervalMs = 1_000;
/** Requests in an interval, and for how many seconds they are watched. */
const paces = [
  { requests: 5, seconds: 20 },
  { requests: 50, seconds: 15 },
  { requests: 500, seconds: 15 },
] as const;

interface Watched {
  readonly requests: number;
  readonly share: number;
  readonly violations: number;
  /** The shortest time in which one more than allowed came. */
  readonly narrowestMs: number;
  readonly spacing: ReturnType<typeof latencyOf>;
}

export const pace: Claim = {
  name: 'pace',
  title: 'Pace: the share of what a target allows that is used while there is a backlog, as the target sees it',
  reach: `≥ ${wantedShare * 100} %, no window overfull`,
  async measure(say) {
    const load = await startProgram('load.ts');
    const receiver = await startReceiverProgram();
    const server = await startThisServer();
    try {
      const watched: Watched[] = [];
      for (const { requests, seconds } of paces) {
        const rate = { requests, intervalMs };
        const type = `pace-${requests}`;
        const target = await givenPausedTarget(server, { config: { url: receiver.url }, types: ['*'], rate, name: type });
        const amount = requests * seconds;
        // More than is watched, so that there is a backlog to the end.
        await acceptEvents(server, load, {
          runName: type,
          connections: 4,
          eventsPerRequest: 100,
          amount: Math.ceil((amount * 1.2) / 100) * 100,
        });
        await measureDrain(server, receiver, target, amount);
        const arrivals = (await receiver.arrivals()).slice(0, amount);
        await setTarget(server, target, 'pause');
        const one = judge(arrivals, requests);
        watched.push(one);
        say(
          `${requests}/s: ${(one.share * 100).toFixed(2)} % used, ${one.violations} windows overfull, narrowest ${one.narrowestMs.toFixed(1)} ms`,
        );
      }
      const least = Math.min(...watched.map(({ share }) => share));
      const violations = watched.reduce((sum, one) => sum + one.violations, 0);
      return {
        measurements: watched.map(({ requests, share, spacing }) => ({
          what: `${requests}/s allowed`,
          perSecond: requests * share,
          latency: spacing,
          rssMib: rssMibOf(server.pid),
        })),
        result: `${watched.map(({ share }) => `${(share * 100).toFixed(2)} %`).join(', ')}; ${violations} overfull`,
        isReached: least >= wantedShare && violations === 0,
        notes: [
          'The receiver notes the arrival of the first byte of each request. Latency is the time between neighbouring arrivals.',
          `Overfull: a window of ${intervalMs} ms with more arrivals than allowed. Share: arrivals from the first to the last over what that time allows.`,
        ],
      };
    } finally {
      await Promise.all([load.stop(), receiver.stop(), server.stop()]);
    }
  },
};

const judge = (arrivals: readonly number[], requests: number): Watched => {
  const sorted = arrivals.toSorted((one, other) => one - other);
  const from = sorted[0] ?? Number.NaN;
  const to = sorted.at(-1) ?? Number.NaN;
  const spacing = sorted.slice(1).map((at, index) => at - (sorted[index] ?? Number.NaN));
  const windows = sorted.slice(requests).map((at, index) => at - (sorted[index] ?? Number.NaN));
  return {
    requests,
    share: ((sorted.length - 1) * intervalMs) / requests / (to - from),
    violations: windows.filter((ms) => ms < intervalMs).length,
    narrowestMs: Math.min(...windows),
    spacing: latencyOf(spacing),
  };
};
