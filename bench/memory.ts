import { setTimeout as sleep } from 'node:timers/promises';
import type { Claim, Measurement } from './claim.ts';
import { acceptEvents, givenPausedTarget, measureDrain, startReceiverProgram } from './parts/flow.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import { startThisServer } from './parts/this-server.ts';

const wantedIdleMib = 120;
/** What is freed comes back in steps, so two figures of the same state differ by this much. */
const flatWithin = 1.15;
const amount = 100_000;
const step = 20_000;
const settleMs = 8_000;
const warmStarts = 2;

export const memory: Claim = {
  name: 'memory',
  title: `Memory: idle, while ${amount.toLocaleString('en')} events pile up for a stopped target, after draining`,
  reach: `idle < ${wantedIdleMib} MiB, flat over the backlog`,
  async measure(say) {
    const load = await startProgram('load.ts');
    const receiver = await startReceiverProgram();
    const measurements: Measurement[] = [];
    const note = (what: string, pid: number): number => {
      const rssMib = rssMibOf(pid);
      measurements.push({ what, rssMib });
      say(`${what}: ${rssMib.toFixed(0)} MiB`);
      return rssMib;
    };
    let idle = Number.NaN;
    // Starts before the one that is measured, as an idle server has them behind it: the first compiles the sources, the next fills what
    // that left out of the cache.
    for (let start = 1; start <= warmStarts; start += 1) await (await startThisServer()).stop();
    const server = await startThisServer({
      async whenListening(pid) {
        await sleep(settleMs);
        idle = note('idle, after the start', pid);
      },
    });
    try {
      const target = await givenPausedTarget(server, { config: { url: receiver.url }, concurrency: 32 });
      const waiting: number[] = [];
      for (let accepted = step; accepted <= amount; accepted += step) {
        await acceptEvents(server, load, { runName: `memory-${accepted}`, connections: 64, eventsPerRequest: 1, amount: step });
        waiting.push(note(`${accepted.toLocaleString('en')} waiting`, server.pid));
      }
      await measureDrain(server, receiver, target, amount);
      note('all delivered, at once', server.pid);
      await server.rest();
      await sleep(settleMs);
      note('all delivered, at rest', server.pid);
      const [first = Number.NaN, ...later] = waiting;
      const growth = Math.max(...later) / first;
      return {
        measurements,
        result: `idle ${idle.toFixed(0)} MiB, ×${growth.toFixed(2)} from ${step.toLocaleString('en')} to ${amount.toLocaleString('en')} waiting`,
        isReached: idle < wantedIdleMib && growth <= flatWithin,
        notes: [
          'Resident memory (VmRSS) of the server process with all its threads. The target is paused, the events come one a request over 64 connections.',
          `The server was started ${warmStarts} times before, so that its compiled sources lie in the cache: what compiles them stays in memory.`,
          `Flat: with up to ${amount.toLocaleString('en')} waiting never more than ${flatWithin} times what it was with ${step.toLocaleString('en')}.`,
        ],
      };
    } finally {
      await Promise.all([load.stop(), receiver.stop(), server.stop()]);
    }
  },
};
