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
import { createFileActs, type FileActs } from './file-acts.ts';
import { createFileFacts } from './file-facts.ts';
import { type FileResource, resourceOf } from './file-resource.ts';
import { createFileStore, type NewFileRow } from './file-store.ts';
import { createFolderGate } from './folder-gate.ts';
import { createFolderLocks, type FolderLocks } from './folder-locks.ts';
import { createRemoveFolder, type RemoveFolder } from './folder-removal.ts';
import { createFolderRemovalStore } from './folder-removal-store.ts';
import { createFolderStore } from './folder-store.ts';
import { createFolderTokens } from './folder-tokens.ts';
import { createFolders, type Folders } from './folders.ts';
import { createLedger } from './ledger-store.ts';
import { createQuota } from './quota.ts';
import { createReceiving, type Receiving, type Sender } from './receive-file.ts';
import { createFetches } from './shares/share-fetches.ts';
import { createShareRemoval } from './shares/share-removal.ts';
import { createShareStore } from './shares/share-store.ts';
import { createShareTokens } from './shares/share-tokens.ts';
import { createShareVisits, type ShareVisits } from './shares/share-visits.ts';
import { createShares, type Shares } from './shares/shares.ts';
import { createUsageStore } from './usage-store.ts';
import { createViewerOf, ownerOf, type Viewer } from './viewer.ts';

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
  readonly scanner: Scanner;
  readonly identity: Pick<Identity, 'audiencesOf' | 'quotasOf' | 'judge' | 'passwords' | 'guessing' | 'removeAlso'>;
  readonly events: Pick<Events, 'append' | 'announce'>;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly seal: Seal;
  readonly log: Log;
  readonly settings: FilesSettings;
}

/** Files: taken in, kept, found, handed out. */
export interface Files {
  readonly receiving: Receiving;
  readonly acts: FileActs;
  readonly folders: Folders;
  readonly removeFolder: RemoveFolder;
  readonly locks: FolderLocks;
  readonly shares: Shares;
  readonly shareVisits: ShareVisits;
  readonly blobs: BlobStore;
  /** How the world reaches us; else as the request did. */
  readonly publicUrl: string | undefined;
  /** Whoever looks; `folderToken` is the header that opens locked folders. */
  viewerOf(caller: Caller, folderToken?: string | string[]): Promise<Viewer>;
  senderOf(caller: Caller, origin: { address: string; requestId: string; folderToken?: string | string[] | undefined }): Promise<Sender>;
  /** A row as GET shows it, reached at that address. */
  resourceOf(row: NewFileRow, baseUrl: string | undefined): FileResource;
  startWorkers(): Worker[];
}

export const createFiles = ({ database, blobs, scanner, identity, events, trace, clock, ids, seal, settings }: FilesNeeds): Files => {
  const store = createFileStore(database);
  const folders = createFolderStore(database);
  const ledger = createLedger(database);
  const tokens = createFolderTokens({ folders, seal, clock });
  const { publicUrl, maxFileBytes, fileTypes, quotaPersonBytes, quotaTenantBytes } = settings;
  const facts = createFileFacts({ publicUrl });
  const quota = createQuota({
    usage: createUsageStore(database),
    quotasOf: identity.quotasOf,
    fallback: {
      ...(quotaPersonBytes === undefined ? {} : { personBytes: quotaPersonBytes }),
      ...(quotaTenantBytes === undefined ? {} : { tenantBytes: quotaTenantBytes }),
    },
  });
  const folderGate = createFolderGate({ folders });
  const fileActs = createFileActs({ store });
  const receiving = createReceiving({
    ...{ database, blobs, scanner, store, ledger, quota, events, trace, clock, ids, maxFileBytes },
    folderGate,
    facts,
    allowedTypes: fileTypes,
  });
  const shareStore = createShareStore(database);
  const shareVisits = createShareVisits({
    ...{ database, events, trace, clock, store: shareStore, passwords: identity.passwords, guessing: identity.guessing },
    tokens: createShareTokens({ seal, clock }),
    fetches: createFetches({ events, trace, facts, clock }),
  });
  identity.removeAlso(createShareRemoval({ database, store: shareStore, trace }));
  const viewerOfUnlocked = createViewerOf(identity);

  const viewerOf: Files['viewerOf'] = async (caller, folderToken) =>
    viewerOfUnlocked(caller, await tokens.foldersOf({ tenantId: caller.tenantId, ownerId: ownerOf(caller) }, folderToken));
  return {
    receiving,
    acts: fileActs,
    folders: createFolders({ database, store: folders, trace, clock, ids }),
    removeFolder: createRemoveFolder({
      ...{ database, ledger, facts, events, trace, clock, store: folders },
      removalStore: createFolderRemovalStore(database),
    }),
    locks: createFolderLocks({
      database,
      store: folders,
      tokens,
      passwords: identity.passwords,
      guessing: identity.guessing,
      trace,
      clock,
    }),
    shares: createShares({
      ...{ database, fileActs, folderGate, events, trace, clock, ids },
      store: shareStore,
      passwords: identity.passwords,
    }),
    shareVisits,
    blobs,
    publicUrl,
    viewerOf,
    async senderOf(caller, { address, requestId, folderToken }) {
      const since = clock.now();
      const viewer = await viewerOf(caller, folderToken);
      return { viewer, address, requestId, isStillLetIn: () => identity.judge(caller, since) !== undefined };
    },
    resourceOf: (row, baseUrl) => resourceOf(row, publicUrl ?? baseUrl),
    startWorkers: () => [],
  };
};
