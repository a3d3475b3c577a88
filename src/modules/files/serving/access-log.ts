import type { Database } from '../../../database/database.ts';
import type { AccessRow } from '../../../database/tables.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { decodeCursor, type Page, type PageRequest, toPage } from '../../../foundation/page.ts';
import { startRounds, type Worker } from '../../../foundation/work.ts';
import type { RemovalStep } from '../../identity/identity.ts';
import type { Trace } from '../../trace/trace.ts';
import type { Viewer } from '../viewer.ts';
import type { AccessFilter, AccessStore } from './access-store.ts';
import type { Downloads } from './downloads.ts';
import type { LinkKeyStore } from './link-key-store.ts';

/** One fetch, as callers see it. */
export interface Access {
  readonly at: string;
  readonly fileId: string;
  readonly name: string;
  readonly person?: string;
  readonly how: AccessRow['how'];
  readonly address?: string;
  readonly userAgent?: string;
  readonly bytes: number;
}

/** Who fetched what. */
export interface AccessLog {
  /** Newest first, with all that was counted before the call. */
  list(viewer: Viewer, filter: AccessFilter, page: PageRequest): Promise<Page<Access>>;
  /** For the deletion of accounts: what others fetched of its files goes, and of what it fetched of others' only its id stays. */
  readonly removal: RemovalStep;
  /** Removes what is older than the retention. */
  startRetention(): Worker;
}

const accessesInStep = 500;
const firstLookMs = 45_000;
const lookEveryMs = 10 * 60_000;

const toAccess = ({ at, fileId, name, personId, how, address, userAgent, bytes }: AccessRow): Access => ({
  at: toRfc3339(at),
  fileId,
  name,
  ...(personId === null ? {} : { person: personId }),
  how,
  ...(address === null ? {} : { address }),
  ...(userAgent === null ? {} : { userAgent }),
  bytes,
});

export const createAccessLog = ({
  database,
  accesses,
  trace,
  linkKeys,
  downloads,
  clock,
  log,
  retentionMs,
}: {
  database: Pick<Database, 'write'>;
  accesses: AccessStore;
  trace: Pick<Trace, 'scrub'>;
  linkKeys: Pick<LinkKeyStore, 'removeExpired'>;
  downloads: Pick<Downloads, 'settle'>;
  clock: Clock;
  log: Log;
  retentionMs: number;
}): AccessLog => ({
  async list(viewer, filter, { limit, cursor }) {
    const after = cursor === undefined ? undefined : decodeCursor(cursor, ['string'] as const)[0];
    await downloads.settle();
    const rows = await accesses.listAccesses(viewer, filter, { limit: limit + 1, after });
    return toPage(rows, limit, ({ id }) => [id], toAccess);
  },

  removal: {
    name: 'files.accesses',
    async removeSome({ id }) {
      await downloads.settle();
      if ((await accesses.removeOfOwner(id, accessesInStep)) === accessesInStep) return false;
      const found = await accesses.findToScrub(id, accessesInStep);
      if (found.length === 0) return true;
      const fileIds = [...new Set(found.map(({ fileId }) => fileId))];
      // The trace first: what it still tells is found by the accesses.
      if ((await trace.scrub(fileIds, accessesInStep, id)) === accessesInStep) return false;
      await database.write([accesses.scrub(found.map((one) => one.id))]);
      return found.length < accessesInStep;
    },
  },

  startRetention: () =>
    startRounds({
      ...{ name: 'files.accesses', clock, log, firstMs: firstLookMs, everyMs: lookEveryMs },
      async round(signal) {
        const before = clock.now() - retentionMs;
        let removed = 0;
        for (let full = true; full && !signal.aborted; ) {
          const inStep = await accesses.removeOld(before, accessesInStep);
          removed += inStep;
          full = inStep === accessesInStep;
        }
        await linkKeys.removeExpired(clock.now());
        if (removed > 0) log.info({ removed, before }, 'accesses.removed');
      },
    }),
});
