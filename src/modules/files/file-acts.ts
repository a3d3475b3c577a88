import { Problem } from '../../foundation/problem.ts';
import { nameKey } from './file-names.ts';
import type { FileStore, HeldFile, SeenFile } from './file-store.ts';
import { lockedFolder } from './folders/folder-gate.ts';
import type { Viewer } from './viewer.ts';

export interface FileActs {
  /** The row, where the viewer may see it. Throws `not-found`; `locked` for those who may see the folder that hides it. */
  get(viewer: Viewer, id: string): Promise<SeenFile>;
  /** The same for its bytes: `not-allowed` for an admin who may see the row alone, `not-found` while (or since) it is not stored. */
  getReadable(viewer: Viewer, id: string): Promise<SeenFile>;
  /** The viewer's own newest stored file of that name. Throws as `get`. */
  getNewest(viewer: Viewer, name: string): Promise<SeenFile>;
  /** A public file, for everybody, where that is its name. Throws `not-found`, `locked`. */
  getPublic(id: string, name: string): Promise<HeldFile>;
}

export const noFile = (id: string): Problem => new Problem('not-found', `There is no file ${id}.`);

/** Whether the viewer may know that the file is there although a lock hides it: who may see the folder. */
const seesFolder = (viewer: Viewer, { ownerId }: SeenFile): boolean => viewer.isAdmin || viewer.ownerId === ownerId;

export const createFileActs = ({
  store,
  isSuspended,
}: {
  store: Pick<FileStore, 'findFile' | 'findByName' | 'findHeldFile'>;
  isSuspended: (tenantId: string) => boolean;
}): FileActs => {
  const get: FileActs['get'] = async (viewer, id) => {
    const file = await store.findFile(viewer, id);
    if (file === undefined) throw noFile(id);
    if (file.isHidden === 1) throw seesFolder(viewer, file) ? lockedFolder() : noFile(id);
    return file;
  };
  return {
    get,
    async getReadable(viewer, id) {
      const file = await get(viewer, id);
      if (file.isReadable !== 1) throw new Problem('not-allowed', 'An administrator sees what is known of the file, not its bytes.');
      if (file.state !== 'stored') throw noFile(id);
      return file;
    },
    async getNewest(viewer, name) {
      const file = await store.findByName(viewer, nameKey(name));
      if (file === undefined) throw new Problem('not-found', 'You have no stored file of that name.');
      if (file.isHidden === 1) throw lockedFolder();
      return file;
    },
    async getPublic(id, name) {
      const file = await store.findHeldFile(id);
      if (file?.visibility !== 'public' || file.nameKey !== nameKey(name)) throw noFile(id);
      if (isSuspended(file.tenantId)) throw noFile(id);
      if (file.isUnderLock === 1) throw lockedFolder();
      return file;
    },
  };
};
