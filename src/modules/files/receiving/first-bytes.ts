import { Readable } from 'node:stream';
import { hasOwnChunks, markOwnChunks } from '../../../foundation/own-chunks.ts';

/** The beginning of a body, and the way to all of it. */
export interface Begun {
  /** Not to be looked at any more when `bytes` are read: its memory may be given back. */
  readonly head: Buffer;
  /** The head is all there is. */
  readonly isWhole: boolean;
  /**
   * All of it, head first, once. `inspect` sees every chunk before anybody else does, and `atEnd` that there are no more: what they throw
   * the stream fails with. Destroying it lets go of the body.
   */
  bytes(inspect: (chunk: Buffer) => void, atEnd: () => void): Readable;
  /** Lets go of the body. */
  drop(): void;
}

/**
 * Reads at least `wanted` bytes where there are as many. Rejects with the error of the body. By events, not by iterators: each of those
 * costs some promises a chunk, and large files come in many.
 */
export const beginReading = (body: Readable, wanted: number): Promise<Begun> =>
  new Promise((resolve, reject) => {
    const first: Buffer[] = [];
    let size = 0;
    const rest = () => {
      body.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      body.on('error', () => undefined); // told by `bytes`; nobody may ask for them
    };
    const begin = (isWhole: boolean) => {
      body.pause();
      rest();
      const [only] = first;
      const head = first.length === 1 && only !== undefined ? only : Buffer.concat(first, size);
      resolve({ head, isWhole, drop: () => void body.destroy(), bytes: bytesOf(body, head) });
    };
    const onData = (chunk: Buffer) => {
      first.push(chunk);
      size += chunk.length;
      if (size >= wanted) begin(false);
    };
    const onEnd = () => begin(true);
    const onError = (error: Error) => {
      rest();
      reject(error);
    };
    const onClose = () => onError(goneBody());
    if (body.destroyed) return onError(body.errored ?? goneBody());
    body.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
  });

const goneBody = () => new Error('The body went before its end.');

const bytesOf =
  (body: Readable, head: Buffer): Begun['bytes'] =>
  (inspect, atEnd) => {
    /** Whether the bytes may go on. */
    const passes = (look: () => void): boolean => {
      try {
        look();
        return true;
      } catch (error) {
        bytes.destroy(error as Error); // nobody throws anything else
        return false;
      }
    };
    const give = (chunk: Buffer) => {
      if (passes(() => inspect(chunk)) && !bytes.push(chunk)) body.pause();
    };
    const end = () => {
      body.off('close', onClose);
      if (passes(atEnd)) bytes.push(null);
    };
    const onError = (error: Error) => void bytes.destroy(error);
    const onClose = () => onError(goneBody());
    let isBegun = false;
    const bytes = new Readable({
      read() {
        if (isBegun) return void body.resume();
        isBegun = true;
        give(head);
      },
      destroy(error, done) {
        body.off('data', give).off('end', end).off('error', onError).off('close', onClose).destroy();
        done(error);
      },
    });
    bytes.on('error', () => undefined); // it may fail before anybody reads; whoever does is told then
    if (hasOwnChunks(body)) markOwnChunks(bytes);
    // Paused since the head was read: so nothing of it has come since, unless that it is gone.
    if (body.destroyed) bytes.destroy(body.errored ?? goneBody());
    else body.on('data', give).on('end', end).on('error', onError).on('close', onClose);
    return bytes;
  };
