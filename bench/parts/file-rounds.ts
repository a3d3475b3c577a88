import type { Measurement } from '../claim.ts';
import { medianOf, overRounds } from './figures.ts';
import type { FileLoadResult } from './file-load.ts';
import { rssMibOf } from './process-memory.ts';

/** One of two things that are measured against each other. */
export interface Side {
  readonly what: string;
  /** The process whose memory is told. */
  readonly pid?: number;
  run(seconds: number): Promise<FileLoadResult>;
}

const rateOf = ({ requests, seconds }: FileLoadResult): number => requests / seconds;

/** Runs the two in turn, so that what the machine does meanwhile hits them alike. `ratio` is the median of what `own` does to what `bare` does. */
export const inTurn = async (
  say: (line: string) => void,
  { bare, own }: { bare: Side; own: Side },
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<{ ratio: number; measurements: readonly Measurement[]; refused: string }> => {
  const pairs: { bare: FileLoadResult; own: FileLoadResult }[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const pair = { bare: await bare.run(seconds), own: await own.run(seconds) };
    pairs.push(pair);
    say(`round ${round}: ${Math.round(rateOf(pair.bare))}/s, ${Math.round(rateOf(pair.own))}/s (${bare.what}, ${own.what})`);
  }
  const measurementOf = ({ what, pid }: Side, results: readonly FileLoadResult[]): Measurement => ({
    what,
    perSecond: medianOf(results.map(rateOf)),
    latency: overRounds(results.map(({ latency }) => latency)),
    ...(pid === undefined ? {} : { rssMib: rssMibOf(pid) }),
  });
  const bareResults = pairs.map((pair) => pair.bare);
  const ownResults = pairs.map((pair) => pair.own);
  const refused = [...bareResults, ...ownResults].flatMap((result) => Object.entries(result.refused));
  return {
    ratio: medianOf(pairs.map((pair) => rateOf(pair.own) / rateOf(pair.bare))),
    measurements: [measurementOf(bare, bareResults), measurementOf(own, ownResults)],
    refused: refused.length === 0 ? '' : JSON.stringify(refused),
  };
};
