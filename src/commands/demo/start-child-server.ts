import { type ChildProcess, spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** A server in a process of its own, with a data folder that goes when it goes. */
export interface ChildServer {
  readonly url: string;
  /** Resolves when the process has ended, with how it ended and what it said last. */
  readonly ended: Promise<string>;
  /** Warnings and errors of its log, the last few. */
  readonly complaints: readonly string[];
  /** Ends it in good order; resolves when the process and its folder are gone. */
  stop(): Promise<void>;
}

/** The server ended, or said nothing, before it listened. The message tells what it printed. */
export class ServerDidNotStart extends Error {
  constructor(reason: string) {
    super(`The server did not start: ${reason}`);
    this.name = 'ServerDidNotStart';
  }
}

const program = fileURLToPath(new URL('../../entries/cli.ts', import.meta.url));
const endWithParent = new URL('./end-with-parent.ts', import.meta.url);
const startLimitMs = 60_000;
const stopLimitMs = 12_000;
const linesKept = 12;

/**
 * Starts `entrepot serve` on a free port of this machine and resolves when it listens. Of `env` everything but settings of the server
 * is handed on: those of whoever runs the demo may name real data. Rejects with `ServerDidNotStart`, or with the signal's reason;
 * nothing is left behind then.
 */
export const startChildServer = async ({
  env,
  settings,
  signal,
  temporary = tmpdir(),
}: {
  env: NodeJS.ProcessEnv;
  settings: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** Where its folder is made. */
  temporary?: string;
}): Promise<ChildServer> => {
  signal.throwIfAborted();
  const folder = await mkdtemp(join(temporary, 'entrepot-demo-'));
  const child = spawn(process.execPath, ['--import', `${endWithParent.href}?data=${encodeURIComponent(folder)}`, program, 'serve'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    // Out of the terminal's reach: Ctrl-C ends the demo, which still has questions to the server.
    detached: true,
    env: {
      ...withoutSettings(env),
      ENTREPOT_PORT: '0',
      ENTREPOT_DATA: folder,
      ENTREPOT_LOG_LEVEL: 'info',
      ENTREPOT_METRICS: 'off',
      ...settings,
    },
  });
  child.stdin.on('error', () => undefined); // it ends before us only when the child does, and `ended` tells that

  const said: string[] = [];
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    // `close` comes when the last of what it printed is read, too.
    child.once('close', (code, endedBy) => resolve([`it ended with ${endedBy ?? `code ${code}`}.`, ...said].join('\n  ')));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    const limit = setTimeout(() => child.kill('SIGKILL'), stopLimitMs);
    await ended;
    clearTimeout(limit);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  // For a process that ends and cannot wait.
  const killNow = () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  };

  process.once('exit', killNow);
  try {
    const url = await listening(child, { said, ended, signal });
    return {
      url,
      ended,
      complaints: said,
      async stop() {
        await stop();
        process.off('exit', killNow);
      },
    };
  } catch (error) {
    await stop();
    process.off('exit', killNow);
    throw error;
  }
};

const withoutSettings = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('ENTREPOT_')));

interface LogLine {
  readonly level?: unknown;
  readonly message?: unknown;
  readonly url?: unknown;
}

const listening = async (
  child: ChildProcess & { stdout: Readable; stderr: Readable },
  { said, ended, signal }: { said: string[]; ended: Promise<string>; signal: AbortSignal },
): Promise<string> => {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const keep = (line: string) => {
    said.push(line);
    if (said.length > linesKept) said.shift();
  };
  createInterface({ input: child.stderr }).on('line', (line) => line.trim() !== '' && keep(line));
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { level, message, url } = readLogLine(line);
    if (message === 'server.listening' && typeof url === 'string') {
      said.length = 0; // its greeting
      resolve(url);
    }
    // Of a log that goes well nothing is worth keeping.
    if (level !== 'info') keep(line);
  });

  const limit = setTimeout(() => reject(new ServerDidNotStart(`it does not listen after ${startLimitMs / 1000} s.`)), startLimitMs);
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  void ended.then((how) => reject(new ServerDidNotStart(how)));
  try {
    return await promise;
  } finally {
    clearTimeout(limit);
    signal.removeEventListener('abort', onAbort);
  }
};

const readLogLine = (line: string): LogLine => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {}; // not of the log: it is kept as it is
  }
};
