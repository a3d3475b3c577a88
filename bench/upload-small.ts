import type { Claim } from './claim.ts';
import { medianOf, overRounds } from './parts/figures.ts';
import type { FileLoadJob, FileLoadResult } from './parts/file-load.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import { startThisServer } from './parts/this-server.ts';

const connections = 32;
const bodyBytes = 10 * 1024;
const rounds = 5;
const seconds = 3;
const wantedRatio = 0.6;

export const uploadSmall: Claim = {
  name: 'upload-small',
  title: `Upload files of 10 KiB, ${connections} connections, with token, type, row, fact and trace, against node:http that streams to a file with SHA-256 and fsync`,
  reach: `≥ ${wantedRatio} of its rate`,
  async measure(say) {
    const load = await startProgram('file-load.ts');
    const bare = await startProgram<{ url: string }>('bare-file-server.ts');
    const server = await startThisServer();
    try {
      const put = async (url: string, path: string, forSeconds: number, token?: string) => {
        const job: FileLoadJob = {
          ...{ url, method: 'POST', paths: [path], bodyBytes, connections, seconds: forSeconds },
          ...(token === undefined ? {} : { token }),
        };
        return await load.ask<FileLoadResult>(job);
      };
      const onBare = (forSeconds: number) => put(bare.ready.url, '/', forSeconds);
      const onThis = async (forSeconds: number) => {
        const result = await put(server.url, '/v1/files?name=note.txt&category=bench', forSeconds, server.operatorToken);
        await server.rest();
        return result;
      };
      await onBare(1);
      await onThis(2);
      const pairs: { bare: FileLoadResult; own: FileLoadResult }[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        const pair = { bare: await onBare(seconds), own: await onThis(seconds) };
        pairs.push(pair);
        say(`round ${round}: ${Math.round(rateOf(pair.bare))}/s, ${Math.round(rateOf(pair.own))}/s (bare, this server)`);
      }
      const ratio = medianOf(pairs.map((pair) => rateOf(pair.own) / rateOf(pair.bare)));
      const refused = pairs.flatMap(({ own }) => Object.entries(own.refused));
      return {
        measurements: [
          {
            what: 'bare node:http',
            perSecond: medianOf(pairs.map((pair) => rateOf(pair.bare))),
            latency: overRounds(pairs.map((pair) => pair.bare.latency)),
            rssMib: rssMibOf(bare.pid),
          },
          {
            what: 'this server',
            perSecond: medianOf(pairs.map((pair) => rateOf(pair.own))),
            latency: overRounds(pairs.map((pair) => pair.own.latency)),
            rssMib: rssMibOf(server.pid),
          },
        ],
        result: ratio.toFixed(2),
        isReached: ratio >= wantedRatio && refused.length === 0,
        notes: [
          `${rounds} rounds of ${seconds} s each in turn, median of the ratios; ${refused.length === 0 ? 'no' : JSON.stringify(refused)} refusals.`,
          'Plain text, so that all of it is checked to be text. Both write to the same disk.',
        ],
      };
    } finally {
      await Promise.all([load.stop(), bare.stop(), server.stop()]);
    }
  },
};

const rateOf = ({ requests, seconds: taken }: FileLoadResult): number => requests / taken;
