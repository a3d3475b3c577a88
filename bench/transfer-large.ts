import type { Claim } from './claim.ts';
import { medianOf } from './parts/figures.ts';
import type { TransferJob, TransferResult } from './parts/large-transfer.ts';
import { rssMibOf } from './parts/process-memory.ts';
import { startProgram } from './parts/program.ts';
import { startThisServer } from './parts/this-server.ts';

const bytes = 512 * 1024 * 1024;
const rounds = 3;
const wantedUp = 0.9;
const wantedDown = 0.8;
const mib = 1024 * 1024;

export const transferLarge: Claim = {
  name: 'transfer-large',
  title: 'A file of 512 MiB up and down, against node:http that streams to a file with SHA-256 and fsync, and back',
  reach: `up ≥ ${wantedUp}, down ≥ ${wantedDown} of its speed`,
  async measure(say) {
    const client = await startProgram('large-transfer.ts');
    const bare = await startProgram<{ url: string }>('bare-file-server.ts');
    const server = await startThisServer();
    try {
      const move = (job: Omit<TransferJob, 'parallel'>) => client.ask<TransferResult>({ ...job, parallel: 1 });
      const idIn = ({ answers: [answer = '{}'] }: TransferResult): string => JSON.parse(answer).id;
      const speeds = { bareUp: [] as number[], ownUp: [] as number[], bareDown: [] as number[], ownDown: [] as number[] };
      const note = (list: number[], result: TransferResult) => {
        if (result.bytes !== bytes) throw new Error(`${result.bytes} bytes came through: ${result.statuses} ${result.answers}`);
        list.push(result.bytes / mib / result.seconds);
      };
      const authorized = { url: server.url, token: server.operatorToken };
      for (let round = 0; round <= rounds; round += 1) {
        const bareFile = await move({ url: bare.ready.url, path: '/', uploadBytes: bytes });
        const ownFile = await move({ ...authorized, path: '/v1/files?name=large.txt', uploadBytes: bytes });
        const bareDown = await move({ url: bare.ready.url, path: `/${idIn(bareFile)}` });
        const ownDown = await move({ ...authorized, path: `/v1/files/${idIn(ownFile)}/content` });
        await fetch(`${bare.ready.url}/${idIn(bareFile)}`, { method: 'DELETE' });
        await fetch(`${server.url}/v1/files/${idIn(ownFile)}?permanent=true`, {
          method: 'DELETE',
          headers: { authorization: `Bearer ${server.operatorToken}` },
        });
        if (round === 0) continue; // warms both up
        note(speeds.bareUp, bareFile);
        note(speeds.ownUp, ownFile);
        note(speeds.bareDown, bareDown);
        note(speeds.ownDown, ownDown);
        const shown = Object.entries(speeds).map(([name, list]) => `${name} ${Math.round(list.at(-1) ?? 0)}`);
        say(`round ${round}: ${shown.join(', ')} MiB/s`);
      }
      const ratioOf = (own: readonly number[], other: readonly number[]) =>
        medianOf(own.map((speed, index) => speed / (other[index] ?? 0)));
      const up = ratioOf(speeds.ownUp, speeds.bareUp);
      const down = ratioOf(speeds.ownDown, speeds.bareDown);
      const rows = [
        ['bare node:http, up', speeds.bareUp, bare.pid],
        ['this server, up', speeds.ownUp, server.pid],
        ['bare node:http, down', speeds.bareDown, bare.pid],
        ['this server, down', speeds.ownDown, server.pid],
      ] as const;
      return {
        measurements: rows.map(([what, list, pid]) => ({ what: `${what} (MiB/s)`, perSecond: medianOf(list), rssMib: rssMibOf(pid) })),
        result: `up ${up.toFixed(2)}, down ${down.toFixed(2)}`,
        isReached: up >= wantedUp && down >= wantedDown,
        notes: [
          `${rounds} rounds in turn after one to warm up, median of the ratios. Plain text, so that all of it is checked to be text.`,
        ],
      };
    } finally {
      await Promise.all([client.stop(), bare.stop(), server.stop()]);
    }
  },
};
