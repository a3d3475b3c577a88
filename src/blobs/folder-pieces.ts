import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import {
  type Appended,
  BlobExists,
  type BlobFacts,
  BlobMissing,
  type BlobStore,
  BodyInUse,
  checkKey,
  DigestMismatch,
  OffsetMismatch,
  type StretchDigest,
} from './blob-store.ts';
import { codeOf, ignoreMissing, orNothing, translated } from './folder-faults.ts';
import type { Keeping } from './folder-keeping.ts';
import { writeBody } from './write-body.ts';

/** What is known of a body since this process began or read it. All of its `bytes` are durable. */
interface Known {
  readonly bytes: number;
  /** Over all of them; it goes on with the next piece. */
  readonly running: Hash;
}

/** So many bodies are known; one that is forgotten is read again when it is completed. */
const mostKnown = 1000;

const readBytes = 512 * 1024;

type PieceMethods = Pick<BlobStore, 'append' | 'offsetOf' | 'complete' | 'concat' | 'discard'>;

/** Durably, so that what was refused cannot come back with a power cut. */
const shorten = async (file: FileHandle, size: number): Promise<void> => {
  await file.truncate(size);
  await file.datasync();
};

/** Bodies that come in pieces, each a file in `pieces/` that grows. One that became a blob has no name there any more. */
export const createPieces = ({ pieces, syncer, keep, pathOf }: Keeping, put: BlobStore['put']): PieceMethods => {
  const known = new Map<string, Known>();
  const inUse = new Set<string>();
  const pieceOf = (key: string) => join(pieces, key);

  const remember = (key: string, facts: Known) => {
    known.delete(key);
    known.set(key, facts);
    const [oldest] = known.keys();
    if (known.size > mostKnown && oldest !== undefined) known.delete(oldest);
  };

  /** Holds the keys while `work` goes on, so that no two acts write into one file. */
  const alone = async <Result>(keys: readonly string[], work: () => Promise<Result>): Promise<Result> => {
    for (const key of keys) checkKey(key);
    const held = new Set(keys);
    for (const key of held) if (inUse.has(key)) throw new BodyInUse(key);
    for (const key of held) inUse.add(key);
    try {
      return await translated(work);
    } finally {
      for (const key of held) inUse.delete(key);
    }
  };

  const openPiece = async (key: string): Promise<FileHandle | undefined> =>
    await open(pieceOf(key), 'r+').catch((error: unknown) => {
      ignoreMissing(error);
      return undefined;
    });

  /** The file to go on with; at 0 a new one where there is none. Its name is durable. */
  const openAt = async (key: string, offset: number): Promise<FileHandle> => {
    const found = await openPiece(key);
    if (found === undefined && offset !== 0) throw new OffsetMismatch(key, 0);
    const file = found ?? (await open(pieceOf(key), 'wx+'));
    try {
      const { size, nlink } = await file.stat();
      if (nlink > 1) throw new BlobExists(key); // it was completed, and only its name here was left by a crash
      if (size !== offset) throw new OffsetMismatch(key, size);
      if (size === 0) await syncer.sync(pieces);
      return file;
    } catch (error) {
      await file.close();
      throw error;
    }
  };

  const takeStretch = async (
    file: FileHandle,
    key: string,
    offset: number,
    body: Readable | Uint8Array,
    expected: StretchDigest | undefined,
  ): Promise<Appended> => {
    const before = known.get(key);
    const running = offset === 0 ? createHash('sha256') : before?.bytes === offset ? before.running.copy() : undefined;
    const stretch = expected && createHash(expected.algorithm);
    try {
      const { bytes, broken } = await writeBody(
        file,
        offset,
        body,
        [running, stretch].filter((one) => one !== undefined),
      );
      if (broken && expected) {
        await shorten(file, offset);
        return { offset, brokenBy: broken.by };
      }
      if (expected && stretch && !stretch.digest().equals(expected.digest)) throw new DigestMismatch(key);
      await file.datasync();
      if (running) remember(key, { bytes: offset + bytes, running });
      else known.delete(key);
      return { offset: offset + bytes, ...(broken && { brokenBy: broken.by }) };
    } catch (error) {
      known.delete(key); // it is looked up in the file, also where shortening fails
      await orNothing(shorten(file, offset));
      throw error;
    }
  };

  /** The running hash over all of the file; read again where it is not known. */
  const hashOf = async (key: string, path: string, size: number): Promise<Hash> => {
    const facts = known.get(key);
    if (facts?.bytes === size) return facts.running.copy();
    const running = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: readBytes })) running.update(chunk);
    return running;
  };

  /** A blob that is there already is the answer to a complete that was said before. */
  const alreadyWhole = async (key: string): Promise<BlobFacts> => {
    const path = pathOf(key);
    const { size } = await stat(path).catch((error: unknown) => {
      throw codeOf(error) === 'ENOENT' ? new BlobMissing(key) : error;
    });
    return { size, sha256: (await hashOf(key, path, size)).digest('hex') };
  };

  const isSameFile = async (file: FileHandle, path: string): Promise<boolean> => {
    const [one, other] = await Promise.all([file.stat(), stat(path)]);
    return one.ino === other.ino && one.dev === other.dev;
  };

  const makeWhole = async (key: string): Promise<BlobFacts> => {
    const file = await openPiece(key);
    if (file === undefined) return await alreadyWhole(key);
    try {
      const { size } = await file.stat();
      const sha256 = (await hashOf(key, pieceOf(key), size)).digest('hex');
      await file.datasync(); // a piece that a crash cut off may not have been made durable
      await keep(pieceOf(key), key).catch(async (error: unknown) => {
        if (!(error instanceof BlobExists && (await isSameFile(file, pathOf(key))))) throw error;
        await syncer.sync(dirname(pathOf(key))); // the one before may have been cut off before its own
      });
      known.delete(key);
      await unlink(pieceOf(key));
      await syncer.sync(pieces); // if the name came back, the blob could be written to
      return { size, sha256 };
    } finally {
      await file.close();
    }
  };

  async function* readAll(keys: readonly string[]): AsyncGenerator<Buffer> {
    for (const key of keys) {
      const file = await openPiece(key);
      if (file === undefined) throw new BlobMissing(key);
      yield* file.createReadStream({ highWaterMark: readBytes });
    }
  }

  return {
    append: async (key, offset, body, expected) => {
      if (body instanceof Readable) body.on('error', () => undefined); // it may fail before it is read; reading it tells
      try {
        return await alone([key], async () => {
          const file = await openAt(key, offset);
          try {
            return await takeStretch(file, key, offset, body, expected);
          } finally {
            await file.close();
          }
        });
      } catch (error) {
        if (body instanceof Readable) body.destroy();
        throw error;
      }
    },

    offsetOf: (key) =>
      translated(async () => {
        checkKey(key);
        const facts = known.get(key);
        if (facts !== undefined) return facts.bytes;
        const file = await openPiece(key);
        if (file === undefined) return undefined;
        try {
          const { size, nlink } = await file.stat();
          if (nlink > 1) return undefined;
          await file.datasync(); // what a process before this one wrote last may be no more than written
          return size;
        } finally {
          await file.close();
        }
      }),

    complete: (key) => alone([key], () => makeWhole(key)),

    concat: (key, parts, signal) => alone(parts, () => put(key, Readable.from(readAll(parts), { objectMode: false }), signal)),

    discard: (key) =>
      alone([key], async () => {
        known.delete(key);
        await unlink(pieceOf(key)).catch(ignoreMissing);
        await syncer.sync(pieces);
      }),
  };
};
