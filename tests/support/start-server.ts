import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../../src/entries/cli.ts', import.meta.url));
const startLimitMs = 60_000;

export const operator = { username: 'admin', password: 'correct-horse-battery' } as const;

/** A real server in a process of its own. */
export interface TestServer {
  readonly url: string;
  readonly pid: number;
  readonly dataFolder: string;
  /** Everything that it wrote to standard output and standard error so far. */
  output(): string;
  /** Sends the signal and resolves with the exit code (or the signal that ended it). */
  kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
  /** Ends it in an orderly way and removes its data. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Keep working on the data of a server before. */
  readonly dataFolder?: string;
  /** Settings beside the usual ones; undefined takes one of those away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Command and arguments that stand before Node's, e.g. to limit what the process may do. */
  readonly through?: readonly string[];
}

/** Starts the server on a free port and resolves when it listens; rejects with what it printed when it ends before. */
export const startServer = async ({ dataFolder, env = {}, through = [] }: StartOptions = {}): Promise<TestServer> => {
  const folder = dataFolder ?? (await mkdtemp(join(tmpdir(), 'entrepot-test-')));
  const [command = process.execPath, ...args] = [...through, process.execPath, entry, 'serve'];
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      ENTREPOT_DATA: folder,
      ENTREPOT_PORT: '0',
      ENTREPOT_OPERATOR: `${operator.username}:${operator.password}`,
      ENTREPOT_LOG_LEVEL: 'info',
      ...env,
    },
  });
  let text = '';
  const exited = new Promise<number | NodeJS.Signals>((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal ?? 1)));
  const collect = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stderr?.on('data', collect);
  child.stdout?.on('data', collect);
  const url = await listening(child, () => text);
  return {
    url,
    pid: child.pid ?? 0,
    dataFolder: folder,
    output: () => text,
    async kill(signal) {
      child.kill(signal);
      return await exited;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
};

const listening = (child: ChildProcess, output: () => string) =>
  new Promise<string>((resolve, reject) => {
    const give = (error: Error) => {
      clearTimeout(limit);
      child.kill('SIGKILL');
      reject(error);
    };
    const limit = setTimeout(() => give(new Error(`The server does not listen:\n${output()}`)), startLimitMs);
    const onExit = (code: number | null) => give(new Error(`The server ended with ${code}:\n${output()}`));
    child.once('exit', onExit);
    const look = () => {
      const line = output()
        .split('\n')
        .find((one) => one.includes('"message":"server.listening"'));
      if (!line) return;
      clearTimeout(limit);
      child.off('exit', onExit);
      child.stdout?.off('data', look);
      resolve((JSON.parse(line) as { url: string }).url);
    };
    child.stdout?.on('data', look);
  });
