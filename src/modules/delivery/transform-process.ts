import { type ChildProcess, fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Unavailable } from '../../foundation/problem.ts';
import { tidyReason } from './targets/judge.ts';

/** The expression could not make an event of this content; trying again would give the same. The message says why. */
export class TransformFailed extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'TransformFailed';
  }
}

/** What goes to the process, and what comes back. */
export interface TransformRequest {
  readonly expression: string;
  readonly content: string;
  readonly limitMs: number;
}
export type TransformAnswer = { readonly content: string } | { readonly reason: string };

/** A process that runs transforms, one after the other. */
export interface TransformProcess {
  /** Rejects as `Transformer.run` does. `onRan` is told how long the run took, without the wait for its turn and for the process. */
  run(request: TransformRequest, onRan: (ms: number) => void): Promise<string>;
  /** The same, but runs nothing and resolves with `undefined` where `isWanted` says no when the turn has come. */
  runIf(isWanted: () => boolean, request: TransformRequest, onRan: (ms: number) => void): Promise<string | undefined>;
  /** Resolves when the process is gone. */
  close(): Promise<void>;
}

/** How much longer than its limit a run may take before the process is killed: most overruns end from inside. */
const graceMs = 100;
const startLimitMs = 10_000;
const memoryMiB = 64;

const workerFile = fileURLToPath(new URL('./transform-worker.ts', import.meta.url));
const jsonataFolder = dirname(createRequire(import.meta.url).resolve('jsonata/package.json'));

/**
 * What the process gets. A process and not a worker thread: a thread that asks for far too much memory at once (`[1..10000000]` is enough)
 * takes the whole server down with it, whatever its resource limits say. It has no environment, may read nothing but its own code, start
 * nothing, and turn no text into code; a regular expression that backtracks too much goes on in linear time.
 */
const workerFlags = [
  `--max-old-space-size=${memoryMiB}`,
  '--max-semi-space-size=8',
  '--disallow-code-generation-from-strings',
  '--enable-experimental-regexp-engine-on-excessive-backtracks',
  '--permission',
  `--allow-fs-read=${workerFile}`,
  `--allow-fs-read=${jsonataFolder}`,
  '--no-warnings',
];

/** How a run ended when no answer came. */
type Lost = 'too-slow' | 'too-much-memory' | 'ended';

/** Signals by which V8 ends a process that is out of memory. */
const outOfMemorySignals: ReadonlySet<string> = new Set(['SIGABRT', 'SIGTRAP', 'SIGILL']);

/** Starts nothing before the first run. An idle process does not keep the server alive. */
export const createTransformProcess = (): TransformProcess => {
  let worker: ChildProcess | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let isClosed = false;

  const readyWorker = async (): Promise<ChildProcess> => {
    if (worker !== undefined) return worker;
    const started = fork(workerFile, { execArgv: workerFlags, env: {}, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
    worker = started;
    started.on('error', () => undefined); // could not be started, or could not be told: 'exit' or the time limit follow
    started.once('exit', () => {
      if (worker === started) worker = undefined;
    });
    const first = await nextMessage(started, startLimitMs);
    if (typeof first === 'string') throw new Unavailable('The process for transforms does not start.');
    return started;
  };

  /** One run in a process that may be new. */
  const attempt = async (request: TransformRequest, onRan: (ms: number) => void): Promise<TransformAnswer | Lost> => {
    const ready = await readyWorker();
    ready.ref();
    ready.channel?.ref();
    const startedAt = performance.now();
    ready.send(request);
    const answer = await nextMessage(ready, request.limitMs + graceMs);
    onRan(performance.now() - startedAt);
    ready.unref();
    ready.channel?.unref();
    return answer;
  };

  const runAlone = async (request: TransformRequest, onRan: (ms: number) => void): Promise<string> => {
    // A process that somebody else ended is not the expression's fault: that run gets a second one.
    for (let tries = 0; tries < 2; tries += 1) {
      if (isClosed) throw new Unavailable('The server is stopping.');
      const answer = await attempt(request, onRan);
      if (answer === 'too-slow') throw new TransformFailed(`It takes longer than ${request.limitMs} ms.`);
      if (answer === 'too-much-memory') throw new TransformFailed(`It takes more than ${memoryMiB} MiB of memory.`);
      if (answer === 'ended') continue;
      if ('reason' in answer) throw new TransformFailed(tidyReason(answer.reason));
      return answer.content;
    }
    throw new Unavailable('The process for transforms ended unexpectedly.');
  };

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = last.then(work);
    last = result.catch(() => undefined);
    return result;
  };

  return {
    run: (request, onRan) => inTurn(() => runAlone(request, onRan)),
    runIf: (isWanted, request, onRan) => inTurn(async () => (isWanted() ? await runAlone(request, onRan) : undefined)),
    async close() {
      isClosed = true;
      const ending = worker;
      if (ending === undefined) return;
      const gone = new Promise((resolve) => ending.once('exit', resolve));
      ending.ref();
      ending.kill('SIGKILL');
      await gone;
    },
  };
};

/** The next message of a process, or how it was lost; one that says nothing in time is killed. */
const nextMessage = (child: ChildProcess, limitMs: number): Promise<TransformAnswer | Lost> =>
  new Promise((resolve) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, limitMs);
    const settle = (answer: TransformAnswer | Lost) => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
      child.off('error', onError);
      resolve(answer);
    };
    const onMessage = (message: unknown) => settle(message as TransformAnswer); // only our own file sends here
    const onExit = (_code: number | null, signal: string | null) => {
      if (isLate) settle('too-slow');
      else settle(signal !== null && outOfMemorySignals.has(signal) ? 'too-much-memory' : 'ended');
    };
    const onError = () => settle('ended');
    child.on('message', onMessage);
    child.on('exit', onExit);
    child.on('error', onError);
  });
