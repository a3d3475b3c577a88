import { createHash, hash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, opendir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { Clock } from '../foundation/clock.ts';
import { type BlobFacts, BlobMissing, type BlobStore, type ByteRange, checkKey, isKey, type ListedBlob } from './blob-store.ts';
import { BodyBroke, codeOf, ignoreMissing, orNothing, translate, translated } from './folder-faults.ts';
import { createKeeping } from './folder-keeping.ts';
import { createPieces } from './folder-pieces.ts';

import { openStretch, readStretch } from './read-stretch.ts';
import { createShortThread } from './short-thread.ts';

import { writeBody } from './write-body.ts';
import { writeShort } from './write-short.ts';

const mostReadBytes = 1024 * 1024;
/** So many bodies at once are worth a thread for the short ones; fewer are put by the thread pool, and cost no memory. */
const busyPuts = 4;

/** Makes the folders where they are missing. Rejects with `Unavailable` where nothing can be written in them. */
export const openFolderBlobs = async ({ folder, clock }: { folder: string; clock: Clock }): Promise<BlobStore> => {
  const keeping = createKeeping(folder);
  const { incoming, kept, pieces, pathOf, syncer } = keeping;
  await translated(async () => {
    for (const one of [kept, incoming, pieces]) await mkdir(one, { recursive: true });
    await syncer.sync(folder);
    await syncer.sync(join(folder, '..'));
  });

  /** Names of this run, which no earlier one used. */
  const run = randomBytes(9).toString('hex');
  let count = 0;
  const active = new Set<string>();
  const thread = createShortThread();

  /** A path of its own for `work`, which takes away what it leaves there. */
  const withName = async <Result>(work: (path: string) => Promise<Result>): Promise<Result> => {
    count += 1;
    const name = `${run}-${count}`;
    active.add(name);
    try {
      return await work(join(incoming, name));
    } finally {
      active.delete(name);
    }
  };

  /** What `work` leaves at the path goes by `remove`, which it may have called before, and is called however it ends. */
  const removing = async <Result>(path: string, work: (remove: () => Promise<void>) => Promise<Result>): Promise<Result> => {
    let removed: Promise<void> | undefined;
    const remove = () => {
      removed ??= orNothing(unlink(path));
      return removed;
    };
    try {
      return await work(remove);
    } finally {
      await remove();
    }
  };

  const withIncomingFile = async <Result>(work: (file: FileHandle, path: string) => Promise<Result>): Promise<Result> =>
    await withName((path) =>
      removing(path, async () => {
        const file = await open(path, 'wx');
        try {
          return await work(file, path);
        } finally {
          await orNothing(file.close());
        }
      }),
    );

  const storeStream = async (key: string, body: Readable): Promise<BlobFacts> =>
    await withIncomingFile(async (file, path) => {
      const running = createHash('sha256');
      const { bytes, broken } = await writeBody(file, 0, body, [running]);
      if (broken) throw new BodyBroke(broken.by);
      await file.datasync(); // the size is part of what it makes durable
      await keeping.keep(path, key);
      return { size: bytes, sha256: running.digest('hex') };
    });

  const putHere = async (from: string, to: string, bytes: Uint8Array): Promise<void> =>
    await removing(from, async (remove) => {
      await writeShort(from, bytes);
      await keeping.nameFile(from, to, remove);
    });

  const storeShort = async (key: string, bytes: Uint8Array): Promise<BlobFacts> => {
    await withName(async (from) => {
      if (active.size >= busyPuts) thread.begin();
      await keeping.keepBy(key, (to) => thread.put(from, to, bytes) ?? putHere(from, to, bytes));
    });
    return { size: bytes.byteLength, sha256: hash('sha256', bytes) };
  };

  const put: BlobStore['put'] = async (key, body, signal) => {
    checkKey(key);
    const stream = body instanceof Readable ? body : undefined;
    stream?.on('error', () => undefined); // it may fail before it is read; reading it tells
    const onAbort = () => stream?.destroy(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      signal?.throwIfAborted();
      return await translated(() => (body instanceof Readable ? storeStream(key, body) : storeShort(key, body)));
    } catch (error) {
      stream?.destroy();
      throw error;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  };

  return {
    put,
    ...createPieces(keeping, put),

    open: (key, range) =>
      translated(async () => {
        checkKey(key);
        return await openStretch(pathOf(key), range).catch((error: unknown) => {
          throw codeOf(error) === 'ENOENT' ? new BlobMissing(key) : error;
        });
      }),

    read: (key, { first, last }: ByteRange) =>
      translated(async () => {
        if (last - first >= mostReadBytes) throw new RangeError('Longer stretches are read by open.');
        checkKey(key);
        return await readStretch(pathOf(key), first, last - first + 1).catch((error: unknown) => {
          throw codeOf(error) === 'ENOENT' ? new BlobMissing(key) : error;
        });
      }),

    sizeOf: (key) =>
      translated(async () => {
        checkKey(key);
        return (await statOf(pathOf(key)))?.size;
      }),

    remove: (key) =>
      translated(async () => {
        checkKey(key);
        const path = pathOf(key);
        await unlink(path).catch(ignoreMissing);
        // Also where it was gone: a remove before this one may not have got so far.
        await syncer.sync(join(path, '..')).catch(ignoreMissing);
      }),

    async *list() {
      try {
        for await (const entry of await opendir(kept)) if (entry.isDirectory()) yield* listFolder(join(kept, entry.name), 'whole');
        yield* listFolder(pieces, 'unfinished');
      } catch (error) {
        throw translate(error);
      }
    },

    sweep: (olderThanMs) =>
      translated(async () => {
        let swept = 0;
        for await (const { name } of await opendir(incoming)) {
          const path = join(incoming, name);
          const found = active.has(name) ? undefined : await statOf(path);
          if (found === undefined || clock.now() - found.mtimeMs < olderThanMs) continue;
          await unlink(path).catch(ignoreMissing);
          swept += 1;
        }
        return swept;
      }),

    check: () =>
      translated(() =>
        withIncomingFile(async (file) => {
          await file.write(Buffer.alloc(4096));
          await file.datasync();
        }),
      ),
  };
};

const statOf = async (path: string) =>
  await stat(path).catch((error: unknown) => {
    ignoreMissing(error);
    return undefined;
  });

/** The change time: it moves when a file gets its key, while the time of its bytes may be that of the first piece. */
async function* listFolder(folder: string, state: ListedBlob['state']): AsyncIterable<ListedBlob> {
  for await (const { name } of await opendir(folder)) {
    if (!isKey(name)) continue; // what an operating system leaves about
    const found = await statOf(join(folder, name));
    if (found !== undefined) yield { key: name, writtenAt: found.ctimeMs, state };
  }
}
