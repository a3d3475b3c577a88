import { type Database, WriteRefused } from '../../../database/database.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Guess, Guessing, Passwords } from '../../identity/identity.ts';
import type { Trace } from '../../trace/trace.ts';
import type { Actor, Viewer } from '../viewer.ts';
import { lockedFolder, noFolder } from './folder-gate.ts';
import type { FolderStore, SeenFolder } from './folder-store.ts';
import type { FolderTokens } from './folder-tokens.ts';
import { entryOf } from './folder-trace.ts';

type Tell = Guess['tell'];

/**
 * Locks of folders. All throw `not-found` where the folder is not the viewer's. Wrong passwords are `wrong-password`; after five from one
 * address within 15 minutes `too-many`, also for the right one, while other addresses and other folders go on.
 */
export interface FolderLocks {
  /** Locks it, or gives an unlocked one another password, which ends all tokens that are out. Throws `locked` where it was not unlocked. */
  lock(actor: Actor, id: string, password: string): Promise<void>;
  /** Takes the lock away. Throws `conflict` where there is none, `locked` where a folder above it hides it. */
  remove(actor: Actor, id: string, password: string, tell: Tell): Promise<void>;
  /** Opens it for the person, for an hour. Of folders that lie in each other each is unlocked by itself, in any order. */
  unlock(actor: Actor, id: string, password: string, tell: Tell): Promise<{ folderToken: string; expiresAt: string }>;
}

const guessLimit = { name: 'folder-lock', limit: 5, windowMs: 15 * 60 * 1000 };

/** A folder with its lock. */
type LockedFolder = SeenFolder & { readonly lockHash: string };

export const createFolderLocks = ({
  database,
  store,
  tokens,
  passwords,
  guessing,
  trace,
  clock,
}: {
  database: Pick<Database, 'write' | 'transaction'>;
  store: FolderStore;
  tokens: Pick<FolderTokens, 'give'>;
  passwords: Pick<Passwords, 'hash' | 'matches'>;
  guessing: Guessing;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
}): FolderLocks => {
  const getLocked = async (viewer: Viewer, id: string): Promise<LockedFolder> => {
    const folder = await store.findFolder(viewer, id);
    if (folder === undefined) throw noFolder(id);
    const { lockHash } = folder;
    if (lockHash === null) throw new Problem('conflict', 'The folder has no lock.');
    return { ...folder, lockHash };
  };

  const prove = async (actor: Actor, { id, lockHash }: LockedFolder, password: string, tell: Tell): Promise<void> => {
    const guess = { name: `folder ${id}`, address: actor.address, limit: guessLimit, tell };
    const proven = await guessing.guard(guess, async () => ((await passwords.matches(lockHash, password)) ? {} : undefined));
    if (proven) return;
    const refused = { what: 'refused', at: clock.now(), place: actor.address, detail: { reason: 'wrong password' } } as const;
    await database.write(trace.entries([entryOf(actor, 'folder', id, refused)]));
    throw new Problem('wrong-password', 'This is not the password of the folder.');
  };

  const mayLock = (folder: SeenFolder | undefined, id: string): void => {
    if (folder === undefined) throw noFolder(id);
    if (folder.isHidden === 1) throw lockedFolder();
  };

  return {
    async lock(actor, id, password) {
      const { viewer } = actor;
      mayLock(await store.findFolder(viewer, id), id);
      const lockHash = await passwords.hash(password);
      const at = clock.now();
      await database.transaction(async ({ query, run }) => {
        mayLock(await store.findFolder(viewer, id, query), id); // somebody may have locked it meanwhile
        await run([
          store.setLock({ id, lockHash, updatedAt: at }),
          ...trace.entries([entryOf(actor, 'folder', id, { what: 'locked', at })]),
        ]);
      });
    },

    async remove(actor, id, password, tell) {
      const folder = await getLocked(actor.viewer, id);
      if (folder.isWithinHidden === 1) throw lockedFolder();
      await prove(actor, folder, password, tell);
      const at = clock.now();
      const entry = entryOf(actor, 'folder', id, { what: 'unlocked', at, detail: { isRemoved: true } });
      try {
        await database.write([store.removeLock({ id, lockHash: folder.lockHash, updatedAt: at }), ...trace.entries([entry])]);
      } catch (error) {
        if (error instanceof WriteRefused) throw new Problem('conflict', 'The lock was changed meanwhile.');
        throw error;
      }
    },

    async unlock(actor, id, password, tell) {
      const folder = await getLocked(actor.viewer, id);
      await prove(actor, folder, password, tell);
      await database.write(trace.entries([entryOf(actor, 'folder', id, { what: 'unlocked', at: clock.now(), place: actor.address })]));
      const { folderToken, expiresAt } = tokens.give(actor.viewer, folder);
      return { folderToken, expiresAt: toRfc3339(expiresAt) };
    },
  };
};
