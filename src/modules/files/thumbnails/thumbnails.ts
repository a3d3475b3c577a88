import { hash } from 'node:crypto';
import { BlobExists, BlobMissing, type BlobStore } from '../../../blobs/blob-store.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { Problem, Unavailable } from '../../../foundation/problem.ts';
import { thumbnailKeyOf } from '../blob-keys.ts';
import type { NewFileRow } from '../file-store.ts';
import { isThumbnailable, type ThumbnailMaker, type ThumbnailSize } from './thumbnail-maker.ts';

/** A thumbnail as it is kept. */
export interface KeptThumbnail {
  readonly bytes: Buffer;
  readonly sha256: string;
  readonly type: 'image/webp';
  readonly name: string;
}

export interface Thumbnails {
  /**
   * Made once and kept beside the file. Throws `unsupported-type` for what is no image, `broken-image` for what cannot be one. That the viewer
   * may have the bytes of the file is settled before.
   */
  get(file: NewFileRow, size: ThumbnailSize): Promise<KeptThumbnail>;
  close(): Promise<void>;
}

/** The largest stretch that the store reads at once; a thumbnail has a fraction of it. */
const mostBytes = 1024 * 1024;
/** A picture that was found broken is not looked at again for so long: trying takes a processor for seconds. */
const brokenForMs = 10 * 60_000;
const mostBroken = 1_000;

export const createThumbnails = ({
  blobs,
  maker,
  clock,
  log,
}: {
  blobs: Pick<BlobStore, 'open' | 'read' | 'put'>;
  maker: ThumbnailMaker;
  clock: Clock;
  log: Log;
}): Thumbnails => {
  const underWay = new Map<string, Promise<Buffer>>();
  /** By file, oldest first. */
  const broken = new Map<string, { readonly until: number; readonly why: Problem }>();

  const rememberBroken = (fileId: string, why: Problem) => {
    broken.delete(fileId);
    broken.set(fileId, { until: clock.now() + brokenForMs, why });
    const [oldest] = broken.keys();
    if (broken.size > mostBroken && oldest !== undefined) broken.delete(oldest);
  };

  const refuseBroken = (fileId: string) => {
    const known = broken.get(fileId);
    if (known === undefined) return;
    if (known.until > clock.now()) throw known.why;
    broken.delete(fileId);
  };

  const keep = async (key: string, bytes: Buffer) => {
    try {
      await blobs.put(key, bytes);
    } catch (error) {
      if (error instanceof BlobExists) return; // another replica was faster, with the same picture
      if (!(error instanceof Unavailable)) throw error;
      log.warn({ err: error, key }, 'thumbnail.not-kept');
    }
  };

  const make = async (file: NewFileRow, size: ThumbnailSize): Promise<Buffer> => {
    refuseBroken(file.id);
    try {
      const { bytes } = await maker.make({ type: file.type, bytes: file.size, open: () => blobs.open(file.id) }, size);
      await keep(thumbnailKeyOf(file.id, size), bytes);
      return bytes;
    } catch (error) {
      if (error instanceof Problem && error.kind === 'broken-image') rememberBroken(file.id, error);
      throw error;
    }
  };

  const findOrMake = async (file: NewFileRow, size: ThumbnailSize): Promise<Buffer> => {
    try {
      return await blobs.read(thumbnailKeyOf(file.id, size), { first: 0, last: mostBytes - 1 });
    } catch (error) {
      if (error instanceof BlobMissing) return await make(file, size);
      throw error;
    }
  };

  return {
    async get(file, size) {
      if (!isThumbnailable(file.type)) throw new Problem('unsupported-type', `Thumbnails are made of images, not of ${file.type}.`);
      const key = thumbnailKeyOf(file.id, size);
      const found =
        underWay.get(key) ??
        findOrMake(file, size).finally(() => {
          underWay.delete(key);
        });
      underWay.set(key, found);
      const bytes = await found;
      return { bytes, sha256: hash('sha256', bytes), type: 'image/webp', name: `${file.name.replace(/\.[^.]+$/, '')}.webp` };
    },
    close: () => maker.close(),
  };
};
