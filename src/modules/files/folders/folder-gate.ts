import type { Write } from '../../../database/database.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Viewer } from '../viewer.ts';
import type { FolderStore } from './folder-store.ts';

/** The way into a folder. */
export interface FolderGate {
  /**
   * For something that is put into the folder (none: the top level). Throws `not-found` where it is not the viewer's, `locked` where it has
   * to be unlocked first. The writes belong before those of the act: they refuse it (`WriteRefused`) where the folder goes, or is locked,
   * meanwhile.
   */
  open(viewer: Viewer, folderId: string | undefined): Promise<{ readonly isUnderLock: boolean; readonly writes: readonly Write[] }>;
}

export const noFolder = (id: string): Problem => new Problem('not-found', `You have no folder ${id}.`);

export const lockedFolder = (): Problem =>
  new Problem('locked', 'The folder is locked. Whoever has its password unlocks it, and sends the token of that in `X-Folder-Token`.');

export const createFolderGate = ({ folders }: { folders: Pick<FolderStore, 'findFolder' | 'holdFolder'> }): FolderGate => ({
  async open(viewer, folderId) {
    if (folderId === undefined) return { isUnderLock: false, writes: [] };
    const folder = await folders.findFolder(viewer, folderId);
    if (folder === undefined) throw noFolder(folderId);
    if (folder.isHidden === 1) throw lockedFolder();
    return { isUnderLock: folder.isUnderLock === 1, writes: [folders.holdFolder(viewer, folderId)] };
  },
});
