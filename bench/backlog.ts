import { join } from 'node:path';
import type { Claim } from './claim.ts';
import { latencyOf, medianOf, overRounds } from './parts/figures.ts';
import {
  acceptEvents,
  givenPausedTarget,
  measureDrain,
  newestTries,
  type ReceiverProgram,
  setTarget,
  startReceiverProgram,
} from './parts/flow.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import { seedBacklog } from './parts/seed-backlog.ts';
import { makeDataFolder, startThisServer, type ThisServer } from './parts/this-server.ts';

const wantedRatio = 0.9;
const backlog = 1_000_000;
const measured = 15_000;
const rounds = 4;
const concurrency = 32;

interface Drain {
  readonly seconds: number;
  readonly rssMib: number;
  readonly latency: ReturnType<typeof latencyOf>;
}

/** Two servers that differ only in what waits: one has what is measured and nothing else, the other a million behind it. */
export const deepBacklog: Claim = {
  name: 'backlog',
  title: `Claim and deliver with ${backlog.toLocaleString('en')} waiting deliveries, against an empty backlog`,
  reach: `≥ ${wantedRatio} of the rate`,
  async measure(say) {
    const load = await startProgram('load.ts');
    const receiver = await startReceiverProgram();
    const small = await startThisServer();
    const smallTarget = await givenPausedTarget(small, { config: { url: receiver.url }, concurrency });
    const { server: big, targetId: bigTarget } = await startSeeded(receiver, say);
    try {
      let run = 0;
      const onSmall = async () => {
        run += 1;
        await acceptEvents(small, load, { runName: `backlog-${run}`, connections: 8, eventsPerRequest: 500, amount: measured });
        return await drain(small, receiver, smallTarget);
      };
      const onBig = () => drain(big, receiver, bigTarget);
      await onSmall();
      await onBig();
      const pairs: { empty: Drain; deep: Drain }[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        const pair = { empty: await onSmall(), deep: await onBig() };
        pairs.push(pair);
        say(`round ${round}: empty ${Math.round(measured / pair.empty.seconds)}/s, deep ${Math.round(measured / pair.deep.seconds)}/s`);
      }
      const ratio = medianOf(pairs.map(({ empty, deep }) => empty.seconds / deep.seconds));
      const line = (what: string, drains: readonly Drain[]) => ({
        what,
        perSecond: medianOf(drains.map(({ seconds }) => measured / seconds)),
        latency: overRounds(drains.map(({ latency }) => latency)),
        rssMib: medianOf(drains.map(({ rssMib }) => rssMib)),
      });
      return {
        measurements: [
          line(
            'empty backlog',
            pairs.map(({ empty }) => empty),
          ),
          line(
            `${backlog.toLocaleString('en')} waiting`,
            pairs.map(({ deep }) => deep),
          ),
        ],
        result: ratio.toFixed(2),
        isReached: ratio >= wantedRatio,
        notes: [
          `${rounds} rounds in turn, ${measured} deliveries each, from the resume of the target to the last arrival; concurrency ${concurrency}.`,
          'The million is written into the database before its server starts: facts, their states and deliveries.',
        ],
      };
    } finally {
      await Promise.all([load.stop(), receiver.stop(), small.stop(), big.stop()]);
    }
  },
};

const startSeeded = async (receiver: ReceiverProgram, say: (line: string) => void): Promise<{ server: ThisServer; targetId: string }> => {
  const dataFolder = makeDataFolder();
  const empty = await startThisServer({ dataFolder });
  const targetId = await givenPausedTarget(empty, { config: { url: receiver.url }, concurrency });
  await empty.stop({ keepsData: true });
  const startedAt = performance.now();
  seedBacklog(join(dataFolder, 'entrepot.db'), { targetId, amount: backlog });
  say(`seeded ${backlog} deliveries in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return { server: await startThisServer({ dataFolder }), targetId };
};

const drain = async (server: ThisServer, receiver: ReceiverProgram, targetId: string): Promise<Drain> => {
  const seconds = await measureDrain(server, receiver, targetId, measured);
  const rssMib = rssMibOf(server.pid);
  await setTarget(server, targetId, 'pause');
  await server.rest();
  return { seconds, rssMib, latency: latencyOf(await newestTries(server, targetId, 5)) };
};
