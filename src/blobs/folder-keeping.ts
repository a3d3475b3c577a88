import { link, mkdir, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { BlobExists } from './blob-store.ts';
import { codeOf, orNothing } from './folder-faults.ts';
import { createFolderSyncer, type FolderSyncer } from './folder-syncer.ts';

// kept/<some characters of the key>/<key>   whole blobs
// pieces/<key>                              bodies that come in pieces
// incoming/<anything>                       what is being written; after a crash, litter

/** Where the folders of a store are, and how whole blobs get their names. */
export interface Keeping {
  readonly incoming: string;
  readonly kept: string;
  readonly pieces: string;
  readonly syncer: FolderSyncer;
  pathOf(key: string): string;
  /**
   * Gives a finished, durable file its key, durably; `from` stays as a second name of it. Rejects with BlobExists; after any rejection `key`
   * does not name this file.
   */
  keep(from: string, key: string): Promise<void>;
  /** The same for who makes the file and names it `path` at once, as `nameFile` would. */
  keepBy(key: string, naming: (path: string) => Promise<void>): Promise<void>;
  /** Gives a finished, durable file the name `path` as well, durably, in a folder that is there; `whenNamed` may take `from` away. */
  nameFile(from: string, path: string, whenNamed?: () => Promise<void>): Promise<void>;
}

/**
 * TypeIDs go on, behind `<kind>_`, with their time. Six characters of it are 17.5 minutes: blobs that are written together lie together and
 * share the fsync of their folder, a folder gets a million entries only at 1000 files a second, and a year makes 30,000 folders at most.
 */
const timeCharacters = 6;

const folderOf = (key: string): string => {
  const afterKind = key.indexOf('_') + 1;
  return key.slice(afterKind, afterKind + timeCharacters) || '_';
};

/** So many folders are known to be durable; one that is forgotten is only made sure of again. */
const mostKnownFolders = 4096;

export const createKeeping = (root: string): Keeping => {
  const syncer = createFolderSyncer();
  const kept = join(root, 'kept');
  const known = new Map<string, Promise<void>>();

  /** Also where it is there already: who made it may have been killed before it was durable. */
  const makeFolder = async (folder: string) => {
    await mkdir(folder).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await syncer.sync(kept);
  };
  const ensureFolder = (folder: string): Promise<void> => {
    const made = known.get(folder);
    if (made !== undefined) return made;
    if (known.size >= mostKnownFolders) known.clear();
    const making = makeFolder(folder);
    known.set(folder, making);
    making.catch(() => known.delete(folder));
    return making;
  };

  const nameFile: Keeping['nameFile'] = async (from, path, whenNamed) => {
    await link(from, path); // never replaces what has the name already, a rename would
    try {
      await Promise.all([syncer.sync(dirname(path)), whenNamed?.()]);
    } catch (error) {
      await orNothing(unlink(path));
      throw error;
    }
  };

  const keepBy: Keeping['keepBy'] = async (key, naming) => {
    const folder = join(kept, folderOf(key));
    await ensureFolder(folder);
    await naming(join(folder, key)).catch((error: unknown) => {
      if (codeOf(error) === 'EEXIST') throw new BlobExists(key);
      known.delete(folder); // perhaps somebody removed it
      throw error;
    });
  };

  return {
    kept,
    incoming: join(root, 'incoming'),
    pieces: join(root, 'pieces'),
    syncer,
    pathOf: (key) => join(kept, folderOf(key), key),
    nameFile,
    keepBy,
    keep: (from, key) => keepBy(key, (path) => nameFile(from, path)),
  };
};
