import type { Database, Write } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { Log } from '../../../foundation/log.ts';
import type { Seal } from '../../../foundation/secret.ts';
import type { Events } from '../../events/events.ts';
import type { Identity, RemovalStep } from '../../identity/identity.ts';
import type { Trace } from '../../trace/trace.ts';
import type { FileActs } from '../file-acts.ts';
import type { FolderGate } from '../folders/folder-gate.ts';
import type { Downloads } from '../serving/downloads.ts';
import { createShareRemoval } from './share-removal.ts';
import { createShareStore } from './share-store.ts';
import { createShareTokens } from './share-tokens.ts';
import { createShareVisits, type ShareVisits } from './share-visits.ts';
import { createShares, type Shares } from './shares.ts';

/** All about shares. */
export interface Sharing {
  readonly shares: Shares;
  readonly shareVisits: ShareVisits;
  /** The writes that end the shares of what is deleted, for the transaction that deletes it. */
  endSharesOf(deleted: { readonly fileIds?: readonly string[]; readonly folderIds?: readonly string[] }): Write[];
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
    }),
    endSharesOf: (deleted) => store.endSharesOf(deleted, needs.clock.now()),
    removal: createShareRemoval({ ...needs, store }),
  };
};
