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
import { createBlobRemoval } from './blob-removal.ts';
import { createBlobRemovalStore } from './blob-removal-store.ts';
import { createFileActs, type FileActs } from './file-acts.ts';
import { createFileFacts } from './file-facts.ts';
import { createFileRemoval } from './file-removal.ts';
import { type FileResource, resourceOf } from './file-resource.ts';
import { createFileRetention } from './file-retention.ts';
import { createFileStore, type NewFileRow } from './file-store.ts';
import { createFolderGate } from './folder-gate.ts';
import { createFolderLocks, type FolderLocks } from './folder-locks.ts';
import { createRemoveFolder, type RemoveFolder } from './folder-removal.ts';
import { createFolderRemovalStore } from './folder-removal-store.ts';
import { createFolderStore } from './folder-store.ts';
import { createFolderTokens } from './folder-tokens.ts';
import { createFolders, type Folders } from './folders.ts';
import { createLedger } from './ledger-store.ts';
import { createOwnerRemoval } from './owner-removal.ts';
import { createOwnerStore } from './owner-store.ts';
import { createQuota } from './quota.ts';
import { createReceiving, type Receiving, type Sender } from './receive-file.ts';
import { createUploadBytes } from './resumable/upload-bytes.ts';
import { createUploadEnd, endUploadOf } from './resumable/upload-end.ts';
import { createUploadExpiry } from './resumable/upload-expiry.ts';
import { createUploadStore } from './resumable/upload-store.ts';
import { createUploads, type Uploads } from './resumable/uploads.ts';
import { createSettling } from './settle-file.ts';
import { createSettleStore } from './settle-store.ts';
import { createSweepStore } from './sweep-store.ts';
import { createSweeper } from './sweeper.ts';
import { createTrash, type Trash } from './trash.ts';
import { createTrashStore } from './trash-store.ts';
import { createUsageStore } from './usage-store.ts';
import { createViewerOf, ownerOf, type Viewer } from './viewer.ts';

export interface FilesSettings {
  readonly publicUrl?: string | undefined;
  readonly maxFileBytes: number;
  readonly fileTypes: readonly string[];
  readonly quotaPersonBytes?: number | undefined;
  readonly quotaTenantBytes?: number | undefined;
  readonly trashMs: number;
  /** How long traces are kept. */
  readonly retentionMs: number;
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
  /** Whether no other process takes in files on the same data. */
  readonly isAlone: boolean;
  readonly settings: FilesSettings;
}

/** Files: taken in, kept, found, handed out. */
export interface Files {
  readonly receiving: Receiving;
  readonly acts: FileActs;
  readonly uploads: Uploads;
  /** What stands before our own paths in the world's addresses; empty without a `PUBLIC_URL` that has a path. */
  readonly pathPrefix: string;
  readonly folders: Folders;
  readonly removeFolder: RemoveFolder;
  readonly locks: FolderLocks;
  readonly trash: Trash;
  /** Whoever looks; `folderToken` is the header that opens locked folders. */
  viewerOf(caller: Caller, folderToken?: string | string[]): Promise<Viewer>;
  senderOf(caller: Caller, origin: { address: string; requestId: string; folderToken?: string | string[] | undefined }): Promise<Sender>;
  /** A row as GET shows it, reached at that address. */
  resourceOf(row: NewFileRow, baseUrl: string | undefined): FileResource;
  /** Files whose bytes were not there when the sweeper last looked; undefined before it did. */
  missingBytes(): number | undefined;
  startWorkers(): Worker[];
}

export const createFiles = (needs: FilesNeeds): Files => {
  const { database, blobs, identity, trace, clock, ids, seal, log, isAlone, settings } = needs;
  const { publicUrl, maxFileBytes, fileTypes, quotaPersonBytes, quotaTenantBytes, trashMs, retentionMs } = settings;
  const store = createFileStore(database);
  const folderStore = createFolderStore(database);
  const ledger = createLedger(database);
  const tokens = createFolderTokens({ folders: folderStore, seal, clock });
  const facts = createFileFacts({ publicUrl });
  const quota = createQuota({
    usage: createUsageStore(database),
    quotasOf: identity.quotasOf,
    fallback: {
      ...(quotaPersonBytes === undefined ? {} : { personBytes: quotaPersonBytes }),
      ...(quotaTenantBytes === undefined ? {} : { tenantBytes: quotaTenantBytes }),
    },
  });
  const folderGate = createFolderGate({ folders: folderStore });
  /** What nearly every act needs; each takes what it names. */
  const common = { ...needs, ledger, facts, quota, folderGate };

  const receiving = createReceiving({ ...common, store, maxFileBytes, allowedTypes: fileTypes });
  const acts = createFileActs({ store });
  const trashStore = createTrashStore(database);
  const blobRemoval = createBlobRemoval({ database, blobs, store: createBlobRemovalStore(database), clock, log });
  const uploadStore = createUploadStore(database);
  const removal = createFileRemoval({
    ...common,
    store: trashStore,
    blobRemoval,
    alsoRemoves: [endUploadOf({ store: uploadStore, clock })],
  });
  const settleStore = createSettleStore(database);
  const settling = createSettling({ ...common, store: settleStore, blobRemoval, allowedTypes: fileTypes });
  const bytes = createUploadBytes({ blobs, clock });
  const end = createUploadEnd({ ...common, store: uploadStore, files: settleStore, settling, removal });
  const uploads = createUploads({
    ...common,
    settling,
    bytes,
    end,
    maxFileBytes,
    store: uploadStore,
    files: settleStore,
    fileStore: store,
  });
  const expiry = createUploadExpiry({ ...common, store: uploadStore, end, bytes });
  const trash = createTrash({ ...common, acts, store: trashStore, folders: folderStore, removal });
  const retention = createFileRetention({ ...common, store: trashStore, removal, trashMs, retentionMs });
  const sweeper = createSweeper({ store: createSweepStore(database), blobs, clock, ids, log, isAlone });
  identity.removeAlso({ name: 'uploads', removeSome: ({ id, tenantId }) => expiry.removeSome({ tenantId, ownerId: id }) });
  identity.removeAlso(createOwnerRemoval({ ...common, store: trashStore, removal }));

  const viewerOfUnlocked = createViewerOf(identity);
  const viewerOf: Files['viewerOf'] = async (caller, folderToken) =>
    viewerOfUnlocked(caller, await tokens.foldersOf({ tenantId: caller.tenantId, ownerId: ownerOf(caller) }, folderToken));
  const owners = createOwnerStore(database);
  trace.askOwnersOf('file', async (caller, ids, folderToken) => owners.ownersOfFiles(await viewerOf(caller, folderToken), ids));
  trace.askOwnersOf('folder', async (caller, ids, folderToken) => owners.ownersOfFolders(await viewerOf(caller, folderToken), ids));

  return {
    receiving,
    acts,
    trash,
    folders: createFolders({ ...common, store: folderStore }),
    removeFolder: createRemoveFolder({ ...common, store: folderStore, removalStore: createFolderRemovalStore(database) }),
    locks: createFolderLocks({ ...common, ...identity, store: folderStore, tokens }),
    uploads,
    pathPrefix: publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/$/, ''),
    viewerOf,
    async senderOf(caller, { address, requestId, folderToken }) {
      const since = clock.now();
      const viewer = await viewerOf(caller, folderToken);
      return { viewer, address, requestId, isStillLetIn: () => identity.judge(caller, since) !== undefined };
    },
    resourceOf: (row, baseUrl) => resourceOf(row, publicUrl ?? baseUrl),
    missingBytes: sweeper.missing,
    startWorkers: () => [blobRemoval.startWorker(), retention.startWorker(), sweeper.startWorker(), expiry.startWorker()],
  };
};
