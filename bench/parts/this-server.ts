import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { givenOperator, givenService } from '../../tests/support/given.ts';
import { operator } from '../../tests/support/start-server.ts';
import { processorMsOf } from './process-memory.ts';

const entry = fileURLToPath(new URL('../../src/entries/entrepot.js', import.meta.url));
const startLimitMs = 60_000;
const restLimitMs = 120_000;

/** The server that is measured, as it comes: no settings but port, data folder and operator, its log in a file. */
export interface ThisServer {
  readonly url: string;
  readonly pid: number;
  /** The access token of the operator. */
  readonly operatorToken: string;
  /** The access token of a service that may send events. */
  readonly sourceToken: string;
  /** The server's own figure: milliseconds from the start of the process until it listened. */
  readonly startMs: number;
  /** Resolves when it has nothing more to do: it used next to no processor time for a while. */
  rest(): Promise<void>;
  /** Ends it in an orderly way and removes its data, unless another start is to go on with them. */
  stop(options?: { keepsData: boolean }): Promise<void>;
}

export const makeDataFolder = (): string => mkdtempSync(join(tmpdir(), 'entrepot-bench-'));

export interface ThisServerOptions {
  /** A new one unless given; removed at the end. */
  readonly dataFolder?: string;
  /** Called when the server listens and nobody has spoken to it yet. */
  readonly whenListening?: (pid: number) => Promise<void>;
  /** Settings beside the usual ones. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts the server and signs an operator and a source in. */
export const startThisServer = async ({
  dataFolder = makeDataFolder(),
  whenListening,
  env = {},
}: ThisServerOptions = {}): Promise<ThisServer> => {
  const logFile = join(dataFolder, 'server.log');
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, [...(process.env.BENCH_NODE_OPTIONS?.split(' ') ?? []), entry, 'serve'], {
    stdio: ['ignore', log, log],
    env: {
      PATH: process.env.PATH,
      ENTREPOT_DATA: dataFolder,
      ENTREPOT_PORT: '0',
      ENTREPOT_OPERATOR: `${operator.username}:${operator.password}`,
      ...env,
      ...JSON.parse(process.env.BENCH_ENV ?? '{}'),
    },
  });
  closeSync(log);
  process.once('exit', () => child.kill('SIGKILL')); // when the measurement breaks, nothing stays behind
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const { url, startMs } = await listening(child, logFile);
  const pid = child.pid ?? 0;
  await whenListening?.(pid);
  const operatorToken = await givenOperator({ url });
  const { token: sourceToken } = await givenService({ url }, operatorToken);
  return {
    url,
    pid,
    operatorToken,
    sourceToken,
    startMs,
    async rest() {
      const giveUpAt = performance.now() + restLimitMs;
      for (let idle = 0; idle < 3 && performance.now() < giveUpAt; ) {
        const before = processorMsOf(pid);
        await sleep(200);
        idle = processorMsOf(pid) - before <= 10 ? idle + 1 : 0;
      }
    },
    async stop({ keepsData } = { keepsData: false }) {
      child.kill('SIGTERM');
      await exited;
      if (!keepsData) rmSync(dataFolder, { recursive: true, force: true });
    },
  };
};

const listening = async (child: ChildProcess, logFile: string): Promise<{ url: string; startMs: number }> => {
  const giveUpAt = performance.now() + startLimitMs;
  while (performance.now() < giveUpAt && child.exitCode === null) {
    const line = readFileSync(logFile, 'utf8')
      .split('\n')
      .find((one) => one.includes('"message":"server.listening"'));
    if (line !== undefined) return JSON.parse(line) as { url: string; startMs: number };
    await sleep(20);
  }
  child.kill('SIGKILL');
  throw new Error(`The server does not listen:\n${readFileSync(logFile, 'utf8')}`);
};
