import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { Problem, Unavailable } from '../../../foundation/problem.ts';

/** The raster formats that the sharp which comes with us decodes. HEIC is not one (its codec is patented), SVG is a program. */
export const thumbnailableTypes = ['image/jpeg', 'image/png', 'image/webp', 'image/gif', 'image/avif', 'image/tiff'] as const;
export type ThumbnailableType = (typeof thumbnailableTypes)[number];

export const thumbnailSizes = [128, 256, 512, 1024] as const;
export type ThumbnailSize = (typeof thumbnailSizes)[number];

export interface Thumbnail {
  readonly bytes: Buffer;
  readonly type: 'image/webp';
  readonly width: number;
  readonly height: number;
  /** The dominant colour, `#rrggbb`. */
  readonly color: string;
}

/** A picture whose thumbnail is wanted. */
export interface Picture {
  readonly type: ThumbnailableType;
  /** How many bytes `open` gives. */
  readonly bytes: number;
  /** Called a second time where the process that was to make the thumbnail is lost. */
  open(): Promise<Readable>;
}

/** What goes to the process; the bytes themselves go to its standard input. */
export interface ThumbnailOrder {
  readonly type: ThumbnailableType;
  readonly size: ThumbnailSize;
  readonly bytes: number;
}
/** What comes back: `ready` once, then one answer to each order. */
export type FromThumbnailWorker =
  | { readonly kind: 'ready' }
  | { readonly kind: 'made'; readonly bytes: Uint8Array; readonly width: number; readonly height: number; readonly color: string }
  /** `isLast`: the picture is still being worked on, and the process good for nothing else. */
  | { readonly kind: 'refused'; readonly why: string; readonly isLast: boolean };

/** A process that makes thumbnails, one after the other: ask it for the next when the one before has come. */
export interface ThumbnailProcess {
  /** Rejects as `ThumbnailMaker.make` does. */
  make(picture: Picture, size: ThumbnailSize, signal?: AbortSignal): Promise<Thumbnail>;
  /** Resolves when the process is gone. */
  close(): Promise<void>;
}

const startLimitMs = 10_000;
/** From the first byte to the thumbnail. A picture that takes long is found out before, by the processor time it takes. */
const limitMs = 60_000;

const workerFile = fileURLToPath(new URL('./thumbnail-worker.ts', import.meta.url));

/** Where sharp and what it loads live. Found without loading it: that is for the process alone. */
const packageFolders = (): string[] => {
  const entry = createRequire(import.meta.url).resolve('sharp');
  const beside = entry.slice(0, entry.lastIndexOf(join('node_modules', 'sharp')));
  return ['sharp', '@img', 'detect-libc', 'semver'].map((name) => join(beside, 'node_modules', name));
};

/**
 * A process and not a thread: decoders of pictures are native code, and where a crafted picture brings one to fall it takes its process
 * along. So it is one that knows no secret, works on one picture at a time, and can be ended at any moment. It may read nothing but its own
 * code and start nothing; that binds its JavaScript, while native code (`--allow-addons`) stands outside of what Node.js can deny.
 */
const workerFlags = (): string[] => [
  '--max-old-space-size=64',
  '--max-semi-space-size=4',
  '--disallow-code-generation-from-strings',
  '--permission',
  '--allow-addons',
  `--allow-fs-read=${workerFile}`,
  ...packageFolders().map((folder) => `--allow-fs-read=${folder}`),
  '--no-warnings',
];

const workerEnvironment = {
  /** Leaves out what libvips itself calls not fit for untrusted bytes; the process blocks all but one decoder besides. */
  VIPS_BLOCK_UNTRUSTED: '1',
  VIPS_CONCURRENCY: '1',
  UV_THREADPOOL_SIZE: '2',
  /** Left to itself glibc keeps what a picture needed for the next, in every thread's arena: these make it give that back. */
  MALLOC_ARENA_MAX: '2',
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
};

/** How a picture ended when no answer came. */
type Lost = 'crashed' | 'ended' | 'too-slow';

/** Signals by which a process that does what it must not is ended; others were sent by somebody. */
const faultSignals: ReadonlySet<string> = new Set(['SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP']);

/** Starts nothing before the first picture, and ends the process after `idleMs` without one. An idle process does not keep the server alive. */
export const createThumbnailProcess = ({ idleMs }: { idleMs: number }): ThumbnailProcess => {
  let worker: ChildProcess | undefined;
  let idle: NodeJS.Timeout | undefined;
  let isClosed = false;

  /** Says whether it was there to be ended. */
  const letGo = (child: ChildProcess): boolean => {
    if (worker === child) worker = undefined;
    return child.kill('SIGKILL');
  };

  const readyWorker = async (): Promise<ChildProcess> => {
    if (worker !== undefined) return worker;
    const started = fork(workerFile, {
      execArgv: workerFlags(),
      env: workerEnvironment,
      stdio: ['pipe', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
    });
    worker = started;
    started.on('error', () => undefined); // could not be started, or could not be told: 'exit' or the time limit follow
    started.stdin?.on('error', () => undefined); // it ended: 'exit' follows
    started.once('exit', () => {
      if (worker === started) worker = undefined;
    });
    standBack(started.pid);
    const first = await nextAnswer(started, startLimitMs);
    if (typeof first === 'string') throw new Unavailable('The process for thumbnails does not start.');
    return started;
  };

  /** One picture in a process that may be new. */
  const attempt = async (picture: Picture, size: ThumbnailSize, signal: AbortSignal | undefined): Promise<FromThumbnailWorker | Lost> => {
    const ready = await readyWorker();
    const source = await picture.open();
    // Whoever reads is told of a fault by the reading; one that comes when the process is already lost tells nobody anything.
    source.on('error', () => undefined);
    if (signal !== undefined) addAbortSignal(signal, source);
    ready.ref();
    ready.channel?.ref();
    try {
      const answer = nextAnswer(ready, limitMs);
      ready.send({ type: picture.type, size, bytes: picture.bytes } satisfies ThumbnailOrder);
      const fed = feed(ready, picture.bytes, source).then(
        () => undefined,
        (fault: unknown) => ({ fault }),
      );
      const notFed = await Promise.race([fed, answer.then(() => undefined)]);
      // It waits for bytes that never come, so it goes too.
      if (notFed !== undefined && letGo(ready)) throw notFed.fault;
      return await answer;
    } finally {
      source.destroy();
      ready.unref();
      ready.channel?.unref();
    }
  };

  const makeOnce = async (picture: Picture, size: ThumbnailSize, signal: AbortSignal | undefined): Promise<Thumbnail> => {
    let hasCrashed = false;
    // A process that somebody else ended is not the picture's fault, nor is one crash alone: there is a second try.
    for (let tries = 0; tries < 2; tries += 1) {
      if (isClosed) throw new Unavailable('The server is stopping.');
      signal?.throwIfAborted();
      const answer = await attempt(picture, size, signal);
      if (answer === 'too-slow') throw new Unavailable(`The thumbnail was not made within ${limitMs / 1000} s.`);
      if (typeof answer === 'string') {
        hasCrashed = answer === 'crashed';
        continue;
      }
      if (answer.kind === 'made') return thumbnailOf(answer);
      if (answer.kind !== 'refused') throw new Error(`A thumbnail was asked for, and the answer is ${answer.kind}.`);
      if (answer.isLast && worker !== undefined) letGo(worker);
      throw new Problem('broken-image', answer.why);
    }
    if (hasCrashed) throw new Problem('broken-image', 'It is damaged in a way that ends the program that reads it.');
    throw new Unavailable('The process for thumbnails ended unexpectedly.');
  };

  return {
    async make(picture, size, signal) {
      clearTimeout(idle);
      try {
        return await makeOnce(picture, size, signal);
      } finally {
        idle = setTimeout(() => worker !== undefined && letGo(worker), idleMs).unref();
      }
    },
    async close() {
      isClosed = true;
      clearTimeout(idle);
      const ending = worker;
      if (ending === undefined) return;
      const gone = new Promise((resolve) => ending.once('exit', resolve));
      ending.ref();
      ending.kill('SIGKILL');
      await gone;
    },
  };
};

const thumbnailOf = ({ bytes, width, height, color }: FromThumbnailWorker & { kind: 'made' }): Thumbnail => ({
  bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  type: 'image/webp',
  width,
  height,
  color,
});

/** Requests go first, and where memory runs out it is this process that goes. Where the system does not let us, everything works without. */
const standBack = (pid: number | undefined): void => {
  if (pid === undefined) return;
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // the system's choice, or the process is gone already
  }
  if (process.platform === 'linux') writeFile(`/proc/${pid}/oom_score_adj`, '1000').catch(() => undefined);
};

/**
 * Hands the bytes over at the pace at which the process takes them, so that the server holds one piece of a picture at a time. Rejects where
 * the source does, and where there are not as many bytes as were told; a process that is lost meanwhile is told of by its end.
 */
const feed = async ({ stdin }: ChildProcess, bytes: number, source: Readable): Promise<void> => {
  let sent = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    sent += chunk.byteLength;
    if (sent > bytes) break;
    if (stdin?.writable !== true) return;
    if (!stdin.write(chunk)) await once(stdin, 'drain').catch(() => undefined);
  }
  if (sent !== bytes) throw new Error(`A picture of ${bytes} bytes came with ${sent > bytes ? 'more' : sent}.`);
};

/** The next message of a process, or how it was lost; one that says nothing in time is killed. */
const nextAnswer = (child: ChildProcess, withinMs: number): Promise<FromThumbnailWorker | Lost> =>
  new Promise((resolve) => {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, withinMs);
    const settle = (answer: FromThumbnailWorker | Lost) => {
      clearTimeout(timer);
      child.off('message', onMessage);
      child.off('exit', onExit);
      child.off('error', onError);
      resolve(answer);
    };
    const onMessage = (message: unknown) => settle(message as FromThumbnailWorker); // only our own file sends here
    const onExit = (code: number | null, signal: string | null) => {
      if (isLate) return settle('too-slow');
      settle((code ?? 0) !== 0 || (signal !== null && faultSignals.has(signal)) ? 'crashed' : 'ended');
    };
    const onError = () => child.exitCode === null && child.pid === undefined && settle('ended');
    child.on('message', onMessage);
    child.once('exit', onExit);
    child.on('error', onError);
    if (child.exitCode !== null || child.signalCode !== null) onExit(child.exitCode, child.signalCode);
  });
