import type { Readable } from 'node:stream';
import { Problem, Unavailable } from '../../../foundation/problem.ts';
import {
  createThumbnailProcess,
  type Thumbnail,
  type ThumbnailableType,
  type ThumbnailProcess,
  type ThumbnailSize,
  thumbnailableTypes,
} from './thumbnail-process.ts';

export { type Thumbnail, type ThumbnailSize, thumbnailSizes } from './thumbnail-process.ts';

/** Makes thumbnails, in processes of their own that come with the first picture and go when there are none. */
export interface ThumbnailMaker {
  /**
   * A WebP picture that fits into a square of `size` pixels, is never larger than the original, stands upright, is in sRGB, keeps
   * transparency and nothing else (no place, no camera, no profile). Of a moving picture the first frame.
   * Rejects with Problem `unsupported-type` where the type is not a thumbnailable one, with Problem `broken-image` where the bytes are damaged,
   * cut off, of another type or too much, with Unavailable where the server is at fault (too many waiting, stopping), with whatever
   * `open` and its stream reject with, and with the signal's reason. `open` may be called twice.
   */
  make(image: { type: string; bytes: number; open(): Promise<Readable> }, size: ThumbnailSize, signal?: AbortSignal): Promise<Thumbnail>;
  /** Resolves when the processes are gone; what waits or runs is rejected with Unavailable. */
  close(): Promise<void>;
}

export const maxImageBytes = 64 * 1024 * 1024;
const maxAtOnce = 2;
const maxWaiting = 32;

export const isThumbnailable = (type: string): type is ThumbnailableType => thumbnailableTypes.some((known) => known === type);

export const createThumbnailMaker = ({ idleMs = 30_000 }: { idleMs?: number } = {}): ThumbnailMaker => {
  const processes = Array.from({ length: maxAtOnce }, () => createThumbnailProcess({ idleMs }));
  /** The last one back is the first one out, so that where one is enough the other ends. */
  const free = [...processes];
  const waiting = new Set<{ take(process: ThumbnailProcess): void; refuse(reason: unknown): void }>();
  let isClosed = false;

  const nextFree = (signal: AbortSignal | undefined): Promise<ThumbnailProcess> => {
    const first = free.pop();
    if (first !== undefined) return Promise.resolve(first);
    if (waiting.size >= maxWaiting) return Promise.reject(new Unavailable('Too many thumbnails are being made.'));
    return new Promise((resolve, reject) => {
      const onAbort = () => turn.refuse(signal?.reason);
      const leave = () => {
        waiting.delete(turn);
        signal?.removeEventListener('abort', onAbort);
      };
      const turn = {
        take(process: ThumbnailProcess) {
          leave();
          resolve(process);
        },
        refuse(reason: unknown) {
          leave();
          reject(reason);
        },
      };
      waiting.add(turn);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  };

  const giveBack = (process: ThumbnailProcess): void => {
    const [next] = waiting;
    if (next === undefined) free.push(process);
    else next.take(process);
  };

  return {
    async make({ type, bytes, open }, size, signal) {
      if (!isThumbnailable(type)) {
        throw new Problem('unsupported-type', `Thumbnails are made of ${thumbnailableTypes.join(', ')}, not of ${type}.`);
      }
      if (bytes > maxImageBytes) throw new Problem('broken-image', `It is larger than ${maxImageBytes / 1024 / 1024} MiB.`);
      if (isClosed) throw new Unavailable('The server is stopping.');
      signal?.throwIfAborted();
      const process = await nextFree(signal);
      try {
        return await process.make({ type, bytes, open }, size, signal);
      } finally {
        giveBack(process);
      }
    },
    async close() {
      isClosed = true;
      for (const turn of waiting) turn.refuse(new Unavailable('The server is stopping.'));
      await Promise.all(processes.map((process) => process.close()));
    },
  };
};
