import type { BlobStore } from '../../blobs/blob-store.ts';
import type { Database } from '../../database/database.ts';
import type { Caller } from '../../foundation/caller.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import type { Log } from '../../foundation/log.ts';
import type { Worker } from '../../foundation/work.ts';
import type { Events } from '../events/events.ts';
import type { Identity } from '../identity/identity.ts';
import type { Trace } from '../trace/trace.ts';
import { type Catalogue, createCatalogue } from './catalogue.ts';
import { createCatalogueStore } from './catalogue-store.ts';
import { createFileActs, type FileActs } from './file-acts.ts';
import { createFileFacts } from './file-facts.ts';
import { type FileResource, resourceOf } from './file-resource.ts';
import { createStatistics, type Statistics } from './file-statistics.ts';
import { createFileStatsStore } from './file-stats-store.ts';
import { createFileStore, type NewFileRow } from './file-store.ts';
import { createFolderGate } from './folder-gate.ts';
import { createFolderStore } from './folder-store.ts';
import { createLedger } from './ledger-store.ts';
import { createQuota } from './quota.ts';
import { createReceiving, type Receiving, type Sender } from './receive-file.ts';
import { createUsageStore } from './usage-store.ts';
import { createViewerOf, type Viewer } from './viewer.ts';

export interface FilesSettings {
  readonly publicUrl?: string | undefined;
  readonly maxFileBytes: number;
  readonly fileTypes: readonly string[];
  readonly quotaPersonBytes?: number | undefined;
  readonly quotaTenantBytes?: number | undefined;
  readonly trashMs: number;
  readonly linkTtlMs: number;
}

export interface FilesNeeds {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly identity: Pick<Identity, 'audiencesOf' | 'quotasOf' | 'judge' | 'passwords' | 'guessing' | 'removeAlso'>;
  readonly events: Pick<Events, 'append' | 'announce'>;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly settings: FilesSettings;
}

/** Files: taken in, kept, found, handed out. */
export interface Files {
  readonly receiving: Receiving;
  readonly acts: FileActs;
  readonly catalogue: Catalogue;
  readonly statistics: Statistics;
  /** Whoever looks; `folderToken` is the header that opens locked folders. */
  viewerOf(caller: Caller, folderToken?: string): Promise<Viewer>;
  senderOf(caller: Caller, origin: { address: string; requestId: string; folderToken?: string | string[] | undefined }): Promise<Sender>;
  /** A row as GET shows it, reached at that address. */
  resourceOf(row: NewFileRow, baseUrl: string | undefined): FileResource;
  startWorkers(): Worker[];
}

export const createFiles = ({ database, blobs, identity, events, trace, clock, ids, log, settings }: FilesNeeds): Files => {
  const store = createFileStore(database);
  const folders = createFolderStore(database);
  const ledger = createLedger(database);
  const { publicUrl, maxFileBytes, fileTypes, quotaPersonBytes, quotaTenantBytes } = settings;
  const quota = createQuota({
    usage: createUsageStore(database),
    quotasOf: identity.quotasOf,
    fallback: {
      ...(quotaPersonBytes === undefined ? {} : { personBytes: quotaPersonBytes }),
      ...(quotaTenantBytes === undefined ? {} : { tenantBytes: quotaTenantBytes }),
    },
  });
  const folderGate = createFolderGate({ folders });
  const receiving = createReceiving({
    ...{ database, blobs, store, ledger, quota, events, trace, clock, ids, maxFileBytes },
    folderGate,
    facts: createFileFacts({ publicUrl }),
    allowedTypes: fileTypes,
  });
  const acts = createFileActs({ store });
  const statistics = createStatistics({ statsStore: createFileStatsStore(database), database, clock });
  const catalogueStore = createCatalogueStore(database);
  const catalogue = createCatalogue({ database, store, catalogueStore, acts, folderGate, ledger, trace, clock });
  const viewerOfUnlocked = createViewerOf(identity);

  const viewerOf: Files['viewerOf'] = (caller) => viewerOfUnlocked(caller);
  return {
    receiving,
    acts,
    catalogue,
    statistics,
    viewerOf,
    async senderOf(caller, { address, requestId }) {
      const since = clock.now();
      return { viewer: await viewerOf(caller), address, requestId, isStillLetIn: () => identity.judge(caller, since) !== undefined };
    },
    resourceOf: (row, baseUrl) => resourceOf(row, publicUrl ?? baseUrl),
    startWorkers: () => [statistics.startAdding({ log })],
  };
};
