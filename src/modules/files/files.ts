import type { BlobStore } from '../../blobs/blob-store.ts';
import type { Database } from '../../database/database.ts';
import type { Caller } from '../../foundation/caller.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import type { Log } from '../../foundation/log.ts';
import type { Seal } from '../../foundation/secret.ts';
import type { Worker } from '../../foundation/work.ts';
import type { Scanner } from '../../scan/scanner.ts';
import type { Events } from '../events/events.ts';
import type { Identity } from '../identity/identity.ts';
import type { Trace } from '../trace/trace.ts';
import { type AccessLog, createAccessLog } from './access-log.ts';
import { createAccessStore } from './access-store.ts';
import { createDownloads, type Downloads } from './downloads.ts';
import { createFileActs, type FileActs } from './file-acts.ts';
import { createFileFacts } from './file-facts.ts';
import { type FileResource, resourceOf } from './file-resource.ts';
import { createFileStore, type NewFileRow } from './file-store.ts';
import { createFolderGate } from './folder-gate.ts';
import { createFolderStore } from './folder-store.ts';
import { createLedger } from './ledger-store.ts';
import { createLinkKeyStore } from './link-key-store.ts';
import { createLinkKeys } from './link-keys.ts';
import { createLinks, type Links } from './links.ts';
import { createQuota } from './quota.ts';
import { createReceiving, type Receiving, type Sender } from './receive-file.ts';
import { type BytesOf, createBytesOf } from './serve-file.ts';
import { createThumbnailMaker } from './thumbnail-maker.ts';
import { createThumbnails, type Thumbnails } from './thumbnails.ts';
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
  /** How long it is known who fetched what. */
  readonly retentionMs: number;
}

export interface FilesNeeds {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly scanner: Scanner;
  readonly identity: Pick<Identity, 'audiencesOf' | 'quotasOf' | 'judge' | 'passwords' | 'guessing' | 'removeAlso'>;
  readonly events: Pick<Events, 'append' | 'announce'>;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly seal: Seal;
  readonly settings: FilesSettings;
}

/** Files: taken in, kept, found, handed out. */
export interface Files {
  readonly receiving: Receiving;
  readonly acts: FileActs;
  /** Whoever looks; `folderToken` is the header that opens locked folders. */
  viewerOf(caller: Caller, folderToken?: string): Promise<Viewer>;
  senderOf(caller: Caller, origin: { address: string; requestId: string; folderToken?: string | string[] | undefined }): Promise<Sender>;
  /** A row as GET shows it, reached at that address. */
  resourceOf(row: NewFileRow, baseUrl: string | undefined): FileResource;
  /** A path of ours as the world reaches it. */
  urlOf(path: string, baseUrl: string | undefined): string;
  /** The bytes of a stored file, for who may have them. */
  readonly bytesOf: BytesOf;
  readonly links: Links;
  readonly downloads: Downloads;
  readonly accessLog: AccessLog;
  readonly thumbnails: Thumbnails;
  startWorkers(): Worker[];
  /** Writes down what was given out, and ends what makes thumbnails. Called when no request is under way. */
  close(): Promise<void>;
}

export const createFiles = ({ database, blobs, scanner, identity, events, trace, clock, ids, log, seal, settings }: FilesNeeds): Files => {
  const store = createFileStore(database);
  const folders = createFolderStore(database);
  const ledger = createLedger(database);
  const { publicUrl, maxFileBytes, fileTypes, quotaPersonBytes, quotaTenantBytes, linkTtlMs, retentionMs } = settings;
  const quota = createQuota({
    usage: createUsageStore(database),
    quotasOf: identity.quotasOf,
    fallback: {
      ...(quotaPersonBytes === undefined ? {} : { personBytes: quotaPersonBytes }),
      ...(quotaTenantBytes === undefined ? {} : { tenantBytes: quotaTenantBytes }),
    },
  });
  const facts = createFileFacts({ publicUrl });
  const accesses = createAccessStore(database);
  const downloads = createDownloads({ database, store, accesses, facts, events, trace, clock, ids, log });
  const linkKeys = createLinkKeyStore(database);
  const accessLog = createAccessLog({ database, accesses, trace, linkKeys, downloads, clock, log, retentionMs });
  identity.removeAlso(accessLog.removal);
  const thumbnails = createThumbnails({ blobs, maker: createThumbnailMaker(), clock, log });
  const receiving = createReceiving({
    ...{ database, blobs, scanner, store, ledger, quota, events, trace, clock, ids, maxFileBytes },
    folderGate: createFolderGate({ folders }),
    facts,
    allowedTypes: fileTypes,
  });
  const viewerOfUnlocked = createViewerOf(identity);

  const viewerOf: Files['viewerOf'] = (caller) => viewerOfUnlocked(caller);
  return {
    receiving,
    acts: createFileActs({ store }),
    viewerOf,
    async senderOf(caller, { address, requestId }) {
      const since = clock.now();
      return { viewer: await viewerOf(caller), address, requestId, isStillLetIn: () => identity.judge(caller, since) !== undefined };
    },
    resourceOf: (row, baseUrl) => resourceOf(row, publicUrl ?? baseUrl),
    urlOf: (path, baseUrl) => `${publicUrl ?? baseUrl ?? ''}${path}`,
    bytesOf: createBytesOf({ blobs, store, downloads, log }),
    links: createLinks({ store, keys: createLinkKeys({ store: linkKeys, seal, clock }), clock, linkTtlMs }),
    downloads,
    accessLog,
    thumbnails,
    startWorkers: () => [accessLog.startRetention()],
    async close() {
      await Promise.all([downloads.close(), thumbnails.close()]);
    },
  };
};
