import { readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { changeData } from '../tests/support/data-file.ts';
import { givenFile } from '../tests/support/given-files.ts';
import type { Claim } from './claim.ts';
import type { FileLoadJob, FileLoadResult } from './parts/file-load.ts';
import { inTurn } from './parts/file-rounds.ts';
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
      const sides = {
        bare: { what: 'of 10 KiB', run: (forSeconds: number) => get(smallPath, 4096, forSeconds) },
        own: { what: 'of 4 GiB', run: (forSeconds: number) => get(largePath, largeBytes - 8192, forSeconds) },
      };
      const { ratio, measurements, refused } = await inTurn(say, sides, { rounds, seconds });
      return {
        measurements,
        result: ratio.toFixed(2),
        isReached: ratio >= wantedRatio && refused === '',
        notes: [
          `${rounds} rounds of ${seconds} s each in turn, by signed link, median of the ratios; the part lies near the end of each file.`,
        ],
      };
    } finally {
      await Promise.all([load.stop(), server.stop()]);
    }
  },
};
