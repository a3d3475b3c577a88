import type { Clock } from '../foundation/clock.ts';
import type { BlobStore } from './blob-store.ts';
import { openFolderBlobs } from './folder-blobs.ts';

/** The store that the URL's scheme names. Rejects with `Unavailable` where it cannot be used. */
export const openBlobStore = async ({ url, clock }: { url: string; clock: Clock }): Promise<BlobStore> => {
  const [, folder] = /^folder:(.+)$/.exec(url) ?? [];
  if (!folder) throw new Error(`There is no blob store for ${url.split(':')[0]}:`);
  return await openFolderBlobs({ folder, clock });
};
