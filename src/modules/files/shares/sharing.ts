import type { Database, Statement, Trx, Write } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { Log } from '../../../foundation/log.ts';
import type { Seal } from '../../../foundation/secret.ts';
import type { Events } from '../../events/events.ts';
import type { Identity, RemovalStep } from '../../identity/identity.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import type { FileActs } from '../file-acts.ts';
import type { FolderGate } from '../folders/folder-gate.ts';
import type { Downloads } from '../serving/downloads.ts';
import { createRecentOpenings } from './recent-openings.ts';
import { createShareRemoval } from './share-removal.ts';
import { createShareStore } from './share-store.ts';
import { createShareTokens } from './share-tokens.ts';
import { createShareVisits, type ShareVisits } from './share-visits.ts';
import { createShares, type Shares } from './shares.ts';

interface Deleted {
  readonly fileIds?: readonly string[];
  readonly folderIds?: readonly string[];
}

/** All about shares. */
export interface Sharing {
  readonly shares: Shares;
  readonly shareVisits: ShareVisits;
  /** The writes that end the shares of what is deleted, for the transaction that deletes it; `query` is that one's, where it reads as well. */
  endSharesOf(deleted: Deleted, by: Pick<TraceEntryIn, 'who' | 'place' | 'requestId'>, query?: Trx['query']): Promise<Write[]>;
  /** The write that removes rows of shares that ended before, at most `limit`. */
  forgetEndedBefore(older: { readonly before: number; readonly limit: number }): Statement;
  /** For the deletion of accounts. */
  readonly removal: RemovalStep;
}

export const createSharing = (needs: {
  readonly database: Pick<Database, 'build' | 'read' | 'write'>;
  readonly acts: Pick<FileActs, 'get'>;
  readonly folderGate: FolderGate;
  readonly identity: Pick<Identity, 'passwords' | 'guessing' | 'isSuspended'>;
  readonly events: Pick<Events, 'append' | 'announce'>;
  readonly trace: Pick<Trace, 'entries' | 'scrub'>;
  readonly downloads: Pick<Downloads, 'writes'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly ids: Ids;
  readonly seal: Seal;
}): Sharing => {
  const { passwords, guessing, isSuspended } = needs.identity;
  const store = createShareStore(needs.database);
  return {
    shares: createShares({ ...needs, store, passwords }),
    shareVisits: createShareVisits({
      ...{ ...needs, store, passwords, guessing, isSuspended },
      tokens: createShareTokens(needs),
      openings: createRecentOpenings(needs),
    }),
    async endSharesOf(deleted, by, query) {
      const at = needs.clock.now();
      const ended = await store.listActiveOf(deleted, query);
      const entries = ended.map(
        ({ id, tenantId, fileId, folderId }): TraceEntryIn => ({
          ...{ tenantId, subject: id, kind: 'share', at, what: 'removed', ...by },
          detail: { with: fileId ?? folderId },
        }),
      );
      return [...store.endSharesOf(deleted, at), ...needs.trace.entries(entries)];
    },
    forgetEndedBefore: store.forgetEndedBefore,
    removal: createShareRemoval({ ...needs, store }),
  };
};
