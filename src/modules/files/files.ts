import type { BlobStore } from '../../blobs/blob-store.ts';
import type { Database } from '../../database/database.ts';
import type { Caller } from '../../foundation/caller.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import type { Log } from '../../foundation/log.ts';
import type { Seal, Secret } from '../../foundation/secret.ts';
import type { Worker } from '../../foundation/work.ts';
import type { Scanner } from '../../scan/scanner.ts';
import type { Events } from '../events/events.ts';
import type { Identity } from '../identity/identity.ts';
import type { Trace } from '../trace/trace.ts';
import { type Catalogue, createCatalogue } from './catalogue/catalogue.ts';
import { createCatalogueStore } from './catalogue/catalogue-store.ts';
import { createStatistics, type Statistics } from './catalogue/file-statistics.ts';
import { createFileStatsStore } from './catalogue/file-stats-store.ts';
import { createDirectUploadStore } from './direct/direct-upload-store.ts';
import { createDirectUploads, type DirectUploads } from './direct/direct-uploads.ts';
import { createUploadSignature } from './direct/upload-signature.ts';
import { createBlobRemoval } from './ending/blob-removal.ts';
import { createBlobRemovalStore } from './ending/blob-removal-store.ts';
import { createFileRemoval, type RemoveAlso } from './ending/file-removal.ts';
import { createFileRetention } from './ending/file-retention.ts';
import { createOwnerRemoval } from './ending/owner-removal.ts';
import { createSweepStore } from './ending/sweep-store.ts';
import { createSweeper } from './ending/sweeper.ts';
import { createTrash, type Trash } from './ending/trash.ts';
import { createTrashStore } from './ending/trash-store.ts';
import { createFileActs, type FileActs } from './file-acts.ts';
import { createFileFacts } from './file-facts.ts';
import { type FileResource, resourceOf } from './file-resource.ts';
import { createFileStore, type NewFileRow } from './file-store.ts';
import { createFolderGate } from './folders/folder-gate.ts';
import { createFolderLocks, type FolderLocks } from './folders/folder-locks.ts';
import { createRemoveFolder, type RemoveFolder } from './folders/folder-removal.ts';
import { createFolderRemovalStore } from './folders/folder-removal-store.ts';
import { createFolderStore } from './folders/folder-store.ts';
import { createFolderTokens } from './folders/folder-tokens.ts';
import { createFolders, type Folders } from './folders/folders.ts';
import { createLedger } from './ledger-store.ts';
import { createOwnerStore } from './owner-store.ts';
import { createQuota } from './receiving/quota.ts';
import { createReceiving, type Receiving, type Sender } from './receiving/receive-file.ts';
import { createUsageStore } from './receiving/usage-store.ts';
import { createResumable } from './resumable/resumable.ts';
import { endUploadOf } from './resumable/upload-end.ts';
import { createUploadStore } from './resumable/upload-store.ts';
import type { Uploads } from './resumable/uploads.ts';
import { type AccessLog, createAccessLog } from './serving/access-log.ts';
import { createAccessStore } from './serving/access-store.ts';
import { createDownloads, type Downloads } from './serving/downloads.ts';
import { createLinkKeyStore } from './serving/link-key-store.ts';
import { createLinkKeys } from './serving/link-keys.ts';
import { createLinks, type Links } from './serving/links.ts';
import { type BytesOf, createBytesOf, createTellMissing } from './serving/serve-file.ts';
import type { ShareVisits } from './shares/share-visits.ts';
import type { Shares } from './shares/shares.ts';
import { createSharing } from './shares/sharing.ts';
import { createThumbnailMaker } from './thumbnails/thumbnail-maker.ts';
import { createThumbnails, type Thumbnails } from './thumbnails/thumbnails.ts';
import { createViewerOf, ownerOf, ownerViewer, type Viewer } from './viewer.ts';

export interface FilesSettings {
  readonly publicUrl?: string | undefined;
  readonly maxFileBytes: number;
  readonly fileTypes: readonly string[];
  readonly quotaPersonBytes?: number | undefined;
  readonly quotaTenantBytes?: number | undefined;
  readonly trashMs: number;
  /** How long traces are kept, and who fetched what. */
  readonly retentionMs: number;
  readonly linkTtlMs: number;
  readonly hookKeys?: readonly Secret[] | undefined;
}

export interface FilesNeeds {
  readonly database: Database;
  readonly blobs: BlobStore;
  readonly scanner: Scanner;
  readonly identity: Pick<
    Identity,
    'audiencesOf' | 'audiencesOfOwner' | 'isSuspended' | 'quotasOf' | 'judge' | 'passwords' | 'guessing' | 'removeAlso'
  >;
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

/** Where a request comes from. `folderToken` is the header that opens locked folders. */
export interface Origin {
  readonly address: string;
  readonly requestId: string;
  readonly folderToken?: string | string[] | undefined;
}

/** Files: taken in, kept, found, handed out. */
export interface Files {
  readonly receiving: Receiving;
  readonly acts: FileActs;
  readonly uploads: Uploads;
  readonly folders: Folders;
  readonly removeFolder: RemoveFolder;
  readonly locks: FolderLocks;
  readonly trash: Trash;
  readonly shares: Shares;
  readonly shareVisits: ShareVisits;
  readonly directUploads: DirectUploads;
  /** With one of these the object store tells of bytes that have arrived. */
  readonly hookKeys: readonly Secret[];
  readonly catalogue: Catalogue;
  readonly statistics: Statistics;
  /** Whoever looks; `folderToken` is the header that opens locked folders. */
  viewerOf(caller: Caller, folderToken?: string | string[]): Promise<Viewer>;
  senderOf(caller: Caller, origin: Origin): Promise<Sender>;
  /** The same for what only makes files of its own: without its audiences, which would have to be asked for. */
  uploaderOf(caller: Caller, origin: Origin): Promise<Sender>;
  /** A row as GET shows it, reached at that address. */
  resourceOf(row: NewFileRow, baseUrl: string | undefined): FileResource;
  /** Files whose bytes were not there when the sweeper last looked; undefined before it did. */
  missingBytes(): number | undefined;
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

export const createFiles = (needs: FilesNeeds): Files => {
  const { database, blobs, identity, trace, clock, ids, seal, log, isAlone, settings } = needs;
  const { publicUrl, maxFileBytes, fileTypes, quotaPersonBytes, quotaTenantBytes, trashMs, retentionMs, linkTtlMs } = settings;
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
  const { isSuspended } = identity;
  const common = { ...needs, isSuspended, ledger, facts, quota, folderGate };

  const receiving = createReceiving({ ...common, store, maxFileBytes, allowedTypes: fileTypes });
  const acts = createFileActs({ store, isSuspended });
  const catalogue = createCatalogue({ ...common, store, catalogueStore: createCatalogueStore(database), acts });
  const statistics = createStatistics({ ...common, statsStore: createFileStatsStore(database) });
  const trashStore = createTrashStore(database);
  const blobRemoval = createBlobRemoval({ database, blobs, store: createBlobRemovalStore(database), clock, log });
  const accesses = createAccessStore(database);
  const downloads = createDownloads({ ...common, accesses });
  const sharing = createSharing({ ...common, acts, downloads });
  const uploadStore = createUploadStore(database);
  const alsoRemoves = [
    ((fileId, by) => sharing.endSharesOf({ fileIds: [fileId] }, by)) satisfies RemoveAlso,
    endUploadOf({ store: uploadStore, clock }),
  ];
  const removal = createFileRemoval({ ...common, store: trashStore, blobRemoval, alsoRemoves });
  const resumable = createResumable({
    ...{ ...common, maxFileBytes, allowedTypes: fileTypes, blobRemoval, removal },
    ...{ store: uploadStore, fileStore: store },
  });
  const directUploads = createDirectUploads({
    ...{ ...common, maxFileBytes, allowedTypes: fileTypes, settling: resumable.settling, fileStore: store },
    store: createDirectUploadStore(database),
    signature: createUploadSignature({ seal, clock }),
  });
  const trash = createTrash({ ...common, acts, store: trashStore, folders: folderStore, removal });
  const retention = createFileRetention({
    ...common,
    store: trashStore,
    removal,
    trashMs,
    retentionMs,
    alsoForgets: [sharing.forgetEndedBefore],
  });
  const sweeper = createSweeper({ store: createSweepStore(database), blobs, clock, ids, log, isAlone });
  identity.removeAlso(sharing.removal);
  identity.removeAlso(resumable.removal);
  identity.removeAlso(createOwnerRemoval({ ...common, store: trashStore, removal }));

  const linkKeys = createLinkKeyStore(database);
  const accessLog = createAccessLog({ ...common, accesses, linkKeys, downloads, retentionMs });
  identity.removeAlso(accessLog.removal);
  const tellMissing = createTellMissing({ store, log });
  const thumbnails = createThumbnails({ ...common, tellMissing, maker: createThumbnailMaker() });

  const viewerOfUnlocked = createViewerOf(identity);
  const unlockedBy = (caller: Caller, folderToken: Parameters<Files['viewerOf']>[1]) =>
    tokens.foldersOf({ tenantId: caller.tenantId, ownerId: ownerOf(caller) }, folderToken);
  const viewerOf: Files['viewerOf'] = async (caller, folderToken) => viewerOfUnlocked(caller, await unlockedBy(caller, folderToken));
  const ownerViewerOf: Files['viewerOf'] = async (caller, folderToken) => ownerViewer(caller, await unlockedBy(caller, folderToken));
  const sender = async (caller: Caller, { address, requestId }: Origin, viewer: Promise<Viewer>): Promise<Sender> => {
    const since = clock.now(); // before anything is waited for: from here on it counts when the session ends
    return { viewer: await viewer, address, requestId, isStillLetIn: () => identity.judge(caller, since) !== undefined };
  };
  const owners = createOwnerStore(database);
  trace.askOwnersOf('file', async (caller, ids, folderToken) => owners.ownersOfFiles(await viewerOf(caller, folderToken), ids));
  trace.askOwnersOf('folder', async (caller, ids, folderToken) => owners.ownersOfFolders(await viewerOf(caller, folderToken), ids));
  trace.askOwnersOf('share', async (caller, ids, folderToken) => owners.ownersOfShares(await viewerOf(caller, folderToken), ids));

  return {
    receiving,
    acts,
    uploads: resumable.uploads,
    trash,
    shares: sharing.shares,
    shareVisits: sharing.shareVisits,
    directUploads,
    hookKeys: settings.hookKeys ?? [],
    folders: createFolders({ ...common, store: folderStore }),
    removeFolder: createRemoveFolder({
      ...{ ...common, store: folderStore, removalStore: createFolderRemovalStore(database) },
      alsoRemoves: [
        (folderIds, { viewer, address, requestId }, query) =>
          sharing.endSharesOf({ folderIds }, { who: viewer.ownerId, place: address, requestId }, query),
      ],
    }),
    locks: createFolderLocks({ ...common, ...identity, store: folderStore, tokens }),
    catalogue,
    statistics,
    viewerOf,
    senderOf: (caller, origin) => sender(caller, origin, viewerOf(caller, origin.folderToken)),
    uploaderOf: (caller, origin) => sender(caller, origin, ownerViewerOf(caller, origin.folderToken)),
    resourceOf: (row, baseUrl) => resourceOf(row, publicUrl ?? baseUrl),
    urlOf: (path, baseUrl) => `${publicUrl ?? baseUrl ?? ''}${path}`,
    bytesOf: createBytesOf({ ...common, tellMissing, downloads }),
    links: createLinks({
      ...{ store, isSuspended, audiencesOfOwner: identity.audiencesOfOwner },
      keys: createLinkKeys({ store: linkKeys, seal, clock }),
      clock,
      linkTtlMs,
    }),
    downloads,
    accessLog,
    thumbnails,
    missingBytes: sweeper.missing,
    startWorkers: () => [
      blobRemoval.startWorker(),
      retention.startWorker(),
      sweeper.startWorker(),
      accessLog.startRetention(),
      resumable.startWorker(),
      statistics.startAdding({ log }),
    ],
    async close() {
      await Promise.all([downloads.close(), thumbnails.close()]);
    },
  };
};
