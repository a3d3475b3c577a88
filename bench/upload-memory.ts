import type { Claim } from './claim.ts';
import type { TransferJob, TransferResult } from './parts/large-transfer.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import { startThisServer } from './parts/this-server.ts';

const parallel = 8;
const bytes = 1024 * 1024 * 1024;
const lookEveryMs = 100;
const mostAddedMib = 60;

export const uploadMemory: Claim = {
  name: 'upload-memory',
  title: `Memory while ${parallel} files of 1 GiB come in at a time`,
  reach: `at most ${mostAddedMib} MiB more than before`,
  async measure(say) {
    const client = await startProgram('large-transfer.ts');
    const server = await startThisServer();
    try {
      const job = { url: server.url, token: server.operatorToken, path: '/v1/files?name=large.txt' };
      const send = (size: number, count: number) =>
        client.ask<TransferResult>({ ...job, uploadBytes: size, parallel: count } satisfies TransferJob);
      await send(1024 * 1024, parallel); // what is loaded with the first upload is not what one costs
      await server.rest();
      const before = rssMibOf(server.pid);
      let most = before;
      const timer = setInterval(() => {
        most = Math.max(most, rssMibOf(server.pid));
      }, lookEveryMs);
      const result = await send(bytes, parallel);
      clearInterval(timer);
      const added = most - before;
      say(`${before.toFixed(0)} MiB before, ${most.toFixed(0)} MiB at most, ${result.seconds.toFixed(1)} s`);
      const isTaken = result.statuses.every((status) => status === '201');
      return {
        measurements: [
          { what: 'before', rssMib: before },
          { what: `while ${parallel} × 1 GiB come in, at most`, rssMib: most },
        ],
        result: `+${added.toFixed(0)} MiB${isTaken ? '' : `, statuses ${result.statuses}`}`,
        isReached: added <= mostAddedMib && isTaken,
        notes: [`Resident memory (VmRSS) of the server process with all its threads, looked at every ${lookEveryMs} ms.`],
      };
    } finally {
      await Promise.all([client.stop(), server.stop()]);
    }
  },
};
