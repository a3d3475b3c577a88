import type { Claim } from './claim.ts';
import type { SendJob, SendResult } from './parts/bare-sender.ts';
import { latencyOf, medianOf, overRounds } from './parts/figures.ts';
import { acceptEvents, givenPausedTarget, measureDrain, newestTries, setTarget, startReceiverProgram } from './parts/flow.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import { startThisServer } from './parts/this-server.ts';

const wantedRatio = 0.4;
const inFlight = 32;
const events = 15_000;
const rounds = 3;

/** A round: the bare loop sends, then the server accepts as many events for a paused target, which is resumed. */
export const deliver: Claim = {
  name: 'deliver',
  title: `Deliver unthrottled over loopback with concurrency ${inFlight}, against a bare loop of the same HTTP client`,
  reach: `≥ ${wantedRatio} of its rate`,
  async measure(say) {
    const load = await startProgram('load.ts');
    const sender = await startProgram('bare-sender.ts');
    const receiver = await startReceiverProgram();
    const server = await startThisServer();
    try {
      const target = await givenPausedTarget(server, { config: { url: receiver.url }, concurrency: inFlight });
      const onBare = () => sender.ask<SendResult>({ url: receiver.url, requests: events, inFlight } satisfies SendJob);
      let run = 0;
      const onThis = async () => {
        run += 1;
        await acceptEvents(server, load, { runName: `deliver-${run}`, connections: 8, eventsPerRequest: 500, amount: events });
        const seconds = await measureDrain(server, receiver, target, events);
        const rssMib = rssMibOf(server.pid);
        await server.rest();
        const latency = latencyOf(await newestTries(server, target, 5));
        await setTarget(server, target, 'pause');
        return { seconds, rssMib, latency };
      };
      await onBare();
      await onThis();
      const pairs: { bare: SendResult; own: Awaited<ReturnType<typeof onThis>> }[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        const pair = { bare: await onBare(), own: await onThis() };
        pairs.push(pair);
        say(`round ${round}: bare ${Math.round(events / pair.bare.seconds)}/s, this server ${Math.round(events / pair.own.seconds)}/s`);
      }
      const ratio = medianOf(pairs.map(({ bare, own }) => bare.seconds / own.seconds));
      return {
        measurements: [
          {
            what: 'bare undici loop',
            perSecond: medianOf(pairs.map(({ bare }) => events / bare.seconds)),
            latency: overRounds(pairs.map(({ bare }) => bare.latency)),
            rssMib: rssMibOf(sender.pid),
          },
          {
            what: 'this server',
            perSecond: medianOf(pairs.map(({ own }) => events / own.seconds)),
            latency: overRounds(pairs.map(({ own }) => own.latency)),
            rssMib: medianOf(pairs.map(({ own }) => own.rssMib)),
          },
        ],
        result: ratio.toFixed(2),
        isReached: ratio >= wantedRatio,
        notes: [
          `${rounds} rounds of ${events} requests each in turn, median of the ratios. Ours is measured from the resume of the target to the last arrival,`,
          'and writes each attempt with its trace, durable. Latency is that of a request; ours as the attempts of the last 1000 deliveries tell (whole milliseconds).',
        ],
      };
    } finally {
      await Promise.all([load.stop(), sender.stop(), receiver.stop(), server.stop()]);
    }
  },
};
