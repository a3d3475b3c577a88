import { write, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';

/** Lines are collected up to this many bytes before they are written … */
const batchBytes = 64_000;
/** … but wait no longer than this. */
const longestWaitMs = 100;
/** Where nobody reads, memory stays flat: what is logged beyond this many waiting bytes is dropped, and counted. */
const mostWaitingBytes = 8 * 1024 * 1024;
/** A reader that is slow (EAGAIN) is asked again after this. */
const retryMs = 20;
/** At the end of the process a reader that does not read is waited for so long, and no longer. */
const lastWriteLimitMs = 1_000;

/**
 * Writes lines to a file descriptor in batches off the event loop. When nobody will ever read them again (EPIPE, or any other error), it
 * goes on without writing: a server must neither die nor hang because its log has no reader any more.
 */
export const openBatchedOutput = (descriptor: number, tellDropped: (lines: number) => void): DestinationStream & { flushSync(): void } => {
  let waiting: string[] = [];
  let waitingBytes = 0;
  let dropped = 0;
  /** What is being written, as far as it is not written yet. */
  let batch: Buffer | undefined;
  let isWriting = false;
  let isBroken = false;
  let timer: NodeJS.Timeout | undefined;

  const giveUp = () => {
    isBroken = true;
    batch = undefined;
    waiting = [];
    waitingBytes = 0;
  };

  /** The next bytes to write, if there are any. */
  const nextBatch = (): Buffer | undefined => {
    if (batch === undefined && waiting.length > 0) {
      batch = Buffer.from(waiting.join(''));
      waiting = [];
      waitingBytes = 0;
    }
    return batch;
  };

  const written = (bytes: number) => {
    batch = batch === undefined || bytes >= batch.length ? undefined : batch.subarray(bytes);
  };

  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const bytes = isWriting || isBroken ? undefined : nextBatch();
    if (bytes === undefined) return;
    isWriting = true;
    write(descriptor, bytes, (error, count) => {
      isWriting = false;
      if (error?.code === 'EAGAIN') return wait(retryMs);
      if (error) return giveUp();
      written(count);
      if (dropped > 0) {
        const lines = dropped;
        dropped = 0;
        tellDropped(lines);
      }
      if (batch !== undefined || waitingBytes >= batchBytes) flush();
      else if (waiting.length > 0) wait(longestWaitMs);
    });
  };

  const wait = (ms: number) => {
    timer ??= setTimeout(flush, ms).unref();
  };

  const flushSync = () => {
    const giveUpAt = performance.now() + lastWriteLimitMs;
    if (isWriting) {
      // A thread of Node's pool is writing this batch and needs no event loop to end; written again it would stand there twice.
      batch = undefined;
      pause(retryMs);
    }
    for (let bytes = nextBatch(); bytes !== undefined && !isBroken; bytes = nextBatch()) {
      try {
        written(writeSync(descriptor, bytes));
      } catch (error) {
        const isSlow = error instanceof Error && 'code' in error && error.code === 'EAGAIN';
        if (!isSlow || performance.now() > giveUpAt) return giveUp();
        pause(retryMs);
      }
    }
  };

  process.once('exit', flushSync);

  return {
    write(line) {
      if (isBroken) return;
      if (waitingBytes + line.length > mostWaitingBytes) {
        dropped += 1;
        return;
      }
      waiting.push(line);
      waitingBytes += line.length;
      if (waitingBytes >= batchBytes) flush();
      else wait(longestWaitMs);
    },
    flushSync,
  };
};

/** Holds up the whole thread: only for the last moment, when nothing else is to run any more. */
const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
