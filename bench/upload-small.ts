import type { Claim } from './claim.ts';
import type { FileLoadJob, FileLoadResult } from './parts/file-load.ts';
import { inTurn } from './parts/file-rounds.ts';
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
          `${rounds} rounds of ${seconds} s each in turn, median of the ratios; ${refused || 'no'} refusals.`,
          'Plain text, so that all of it is checked to be text. Both write to the same disk.',
        ],
      };
    } finally {
      await Promise.all([load.stop(), bare.stop(), server.stop()]);
    }
  },
};
