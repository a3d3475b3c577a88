import { closeSync, fsync, open } from 'node:fs';
import { promisify } from 'node:util';

const openFolder = promisify(open);
const syncFile = promisify(fsync);

export interface FolderSyncer {
  /** Resolves when every name that was made or removed in the folder before this call would survive a power cut. */
  sync(folder: string): Promise<void>;
}

/**
 * Many callers share one fsync of a folder. Why that is enough: a caller calls when its change is done, and is served by an fsync that
 * begins after the call. One that runs already may have begun before the change, so nobody joins it; all who come while it runs join
 * the next one, which begins when it has ended. An fsync that fails fails for everybody it was to serve, and is not tried again for them.
 */
export const createFolderSyncer = (syncFolder: (folder: string) => Promise<void> = syncNow): FolderSyncer => {
  const folders = new Map<string, { running: Promise<void>; next: Promise<void> | undefined }>();

  const begin = (folder: string): Promise<void> => {
    const running = syncFolder(folder).finally(() => {
      // Where others wait, `next` takes this place in its own turn.
      if (folders.get(folder)?.next === undefined) folders.delete(folder);
    });
    folders.set(folder, { running, next: undefined });
    return running;
  };

  return {
    sync(folder) {
      const state = folders.get(folder);
      if (state === undefined) return begin(folder);
      state.next ??= state.running.then(
        () => begin(folder),
        () => begin(folder),
      );
      return state.next;
    },
  };
};

const syncNow = async (folder: string): Promise<void> => {
  const handle = await openFolder(folder, 'r');
  try {
    await syncFile(handle);
  } finally {
    closeSync(handle);
  }
};
