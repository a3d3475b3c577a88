import type { Claim } from './claim.ts';
import type { FileLoadJob, FileLoadResult } from './parts/file-load.ts';
import { inTurn } from './parts/file-rounds.ts';
import { givenLinks } from './parts/given-links.ts';
import { startProgram } from './parts/program.ts';
import { startThisServer } from './parts/this-server.ts';

const connections = 32;
const bodyBytes = 10 * 1024;
const files = 50;
const rounds = 5;
const seconds = 3;
const wantedRatio = 0.7;

export const linkSmall: Claim = {
  name: 'link-small',
  title: `Fetch files of 10 KiB by signed link, ${connections} connections, each noted with access, count, fact and trace, against node:http that streams a file`,
  reach: `≥ ${wantedRatio} of its rate`,
  async measure(say) {
    const load = await startProgram('file-load.ts');
    const bare = await startProgram<{ url: string }>('bare-file-server.ts');
    const server = await startThisServer();
    try {
      const text = 'The quick brown fox jumps over the lazy dog.\n'.repeat(Math.ceil(bodyBytes / 45)).slice(0, bodyBytes);
      const ownPaths = await givenLinks(server, text, files);
      const barePaths: string[] = [];
      for (let index = 0; index < files; index += 1) {
        const answer = await fetch(bare.ready.url, { method: 'POST', body: text });
        const { id } = (await answer.json()) as { id: string };
        barePaths.push(`/${id}`);
      }
      const get = (url: string, paths: readonly string[], forSeconds: number) =>
        load.ask<FileLoadResult>({ url, method: 'GET', paths, bodyBytes: 0, connections, seconds: forSeconds } satisfies FileLoadJob);
      const onBare = (forSeconds: number) => get(bare.ready.url, barePaths, forSeconds);
      const onThis = async (forSeconds: number) => {
        const result = await get(server.url, ownPaths, forSeconds);
        await server.rest();
        return result;
      };
      await onBare(1);
      await onThis(2);
      const sides = {
        bare: { what: 'bare node:http', pid: bare.pid, run: onBare },
        own: { what: 'this server', pid: server.pid, run: onThis },
      };
      const { ratio, measurements, refused } = await inTurn(say, sides, { rounds, seconds });
      return {
        measurements,
        result: ratio.toFixed(2),
        isReached: ratio >= wantedRatio && refused === '',
        notes: [
          `${rounds} rounds of ${seconds} s each in turn over ${files} files, median of the ratios; ${refused || 'no'} refusals.`,
          'Accesses are written down up to 50 ms behind the answer; what is left is waited for between the rounds.',
        ],
      };
    } finally {
      await Promise.all([load.stop(), bare.stop(), server.stop()]);
    }
  },
};
