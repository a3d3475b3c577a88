import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { changeData } from '../tests/support/data-file.ts';
import { givenFile } from '../tests/support/given-files.ts';
import type { Claim } from './claim.ts';
import { medianOf, overRounds } from './parts/figures.ts';
import type { FileLoadJob, FileLoadResult } from './parts/file-load.ts';
import { givenLink } from './parts/given-links.ts';
import { startProgram } from './parts/program.ts';
import { makeDataFolder, startThisServer } from './parts/this-server.ts';

const connections = 8;
const largeBytes = 4 * 1024 ** 3;
const partBytes = 1024;
const rounds = 5;
const seconds = 2;
const wantedRatio = 0.9;

export const range: Claim = {
  name: 'range',
  title: `Fetch 1 KiB out of a file of 4 GiB, ${connections} connections, against 1 KiB out of a file of 10 KiB`,
  reach: `≥ ${wantedRatio} of its rate`,
  async measure(say) {
    const dataFolder = makeDataFolder();
    const load = await startProgram('file-load.ts');
    const server = await startThisServer({ dataFolder });
    try {
      const text = 'The quick brown fox jumps over the lazy dog.\n'.repeat(230).slice(0, 10 * 1024);
      const small = await givenFile(server, server.operatorToken, text);
      const large = await givenFile(server, server.operatorToken, text, { name: 'large.txt' });
      // A file with holes takes no room, and neither the file system nor this server treats it otherwise.
      const blobs = join(dataFolder, 'blobs');
      const [path = ''] = readdirSync(blobs, { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith(large.id));
      truncateSync(join(blobs, path), largeBytes);
      changeData(dataFolder, 'update files set size = ? where id = ?', largeBytes, large.id);
      const [smallPath, largePath] = [await givenLink(server, small.id), await givenLink(server, large.id)];
      const get = async (path: string, first: number, forSeconds: number) => {
        const headers = { range: `bytes=${first}-${first + partBytes - 1}` };
        const job: FileLoadJob = { url: server.url, method: 'GET', paths: [path], bodyBytes: 0, connections, seconds: forSeconds, headers };
        return await load.ask<FileLoadResult>(job);
      };
      await get(smallPath, 4096, 1);
      const pairs: { small: FileLoadResult; large: FileLoadResult }[] = [];
      for (let round = 1; round <= rounds; round += 1) {
        const pair = { small: await get(smallPath, 4096, seconds), large: await get(largePath, largeBytes - 8192, seconds) };
        pairs.push(pair);
        say(`round ${round}: ${Math.round(rateOf(pair.small))}/s, ${Math.round(rateOf(pair.large))}/s (small, large)`);
      }
      const ratio = medianOf(pairs.map((pair) => rateOf(pair.large) / rateOf(pair.small)));
      const refused = pairs.flatMap((pair) => [...Object.entries(pair.small.refused), ...Object.entries(pair.large.refused)]);
      return {
        measurements: [
          {
            what: 'of 10 KiB',
            perSecond: medianOf(pairs.map((pair) => rateOf(pair.small))),
            latency: overRounds(pairs.map((pair) => pair.small.latency)),
          },
          {
            what: 'of 4 GiB',
            perSecond: medianOf(pairs.map((pair) => rateOf(pair.large))),
            latency: overRounds(pairs.map((pair) => pair.large.latency)),
          },
        ],
        result: ratio.toFixed(2),
        isReached: ratio >= wantedRatio && refused.length === 0,
        notes: [
          `${rounds} rounds of ${seconds} s each in turn, by signed link, median of the ratios; the part lies near the end of each file.`,
        ],
      };
    } finally {
      await Promise.all([load.stop(), server.stop()]);
    }
  },
};

const rateOf = ({ requests, seconds: taken }: FileLoadResult): number => requests / taken;
