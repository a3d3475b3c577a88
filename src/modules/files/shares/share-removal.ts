import type { Database } from '../../../database/database.ts';
import type { RemovalStep } from '../../identity/identity.ts';
import type { Trace } from '../../trace/trace.ts';
import type { ShareStore } from './share-store.ts';

const sharesInStep = 100;
const entriesInStep = 500;

/** The shares of a person whose account was deleted: nobody finds anything at their addresses, and the trace keeps ids only. */
export const createShareRemoval = ({
  database,
  store,
  trace,
}: {
  database: Pick<Database, 'write'>;
  store: Pick<ShareStore, 'listIdsOf' | 'removeShares'>;
  trace: Pick<Trace, 'scrub'>;
}): RemovalStep => ({
  name: 'shares',
  async removeSome({ id, tenantId }, signal) {
    const ids = await store.listIdsOf({ tenantId, ownerId: id }, sharesInStep);
    if (ids.length === 0) return true;
    // The rows go last: by them a removal that was cut off finds again what is to be scrubbed.
    while (!signal.aborted && (await trace.scrub(ids, entriesInStep)) === entriesInStep);
    if (!signal.aborted) await database.write([store.removeShares(ids)]);
    return false;
  },
});
