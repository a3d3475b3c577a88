import type { Database } from '../../../database/database.ts';
import type { RemovalStep } from '../../identity/identity.ts';
import type { Trace } from '../../trace/trace.ts';
import type { FileRemoval } from './file-removal.ts';
import type { TrashStore } from './trash-store.ts';

const filesInStep = 50;
const idsInStep = 100;
const entriesInStep = 500;

/**
 * What files keep of a person whose account was deleted: files with their bytes, folders, counts. Targets are told ids only, and ids are all
 * that the trace keeps, also of files that the person itself had deleted before. What a service had sent stays when the service is
 * removed: it belongs to the tenant's work, administrators see it.
 */
export const createOwnerRemoval = ({
  database,
  store,
  removal,
  trace,
}: {
  database: Pick<Database, 'write'>;
  store: TrashStore;
  removal: FileRemoval;
  trace: Pick<Trace, 'scrub'>;
}): RemovalStep => {
  const scrubAll = async (ids: readonly string[], signal: AbortSignal): Promise<void> => {
    while (!signal.aborted && (await trace.scrub(ids, entriesInStep)) === entriesInStep);
  };

  return {
    name: 'files',
    async removeSome({ id, tenantId }, signal) {
      const owner = { tenantId, ownerId: id };
      const files = await store.listFilesOf(owner, filesInStep);
      if (files.length > 0) {
        // One that changed meanwhile is found again.
        await Promise.all(files.map((file) => removal.remove(file, { who: 'entrepot', tells: 'ids' })));
        return false;
      }
      const ended = await store.listEndsOf(owner, idsInStep);
      if (ended.length > 0) {
        await scrubAll(ended, signal);
        if (!signal.aborted) await database.write([store.forgetEnds(ended)]);
        return false;
      }
      const folders = await store.listFoldersOf(owner, idsInStep);
      if (folders.length > 0) {
        await scrubAll(folders, signal);
        if (!signal.aborted) await database.write([store.removeFolders(folders)]);
        return false;
      }
      await database.write([store.removeUsage(owner)]);
      return true;
    },
  };
};
