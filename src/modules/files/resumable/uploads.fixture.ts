import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import type { BlobStore } from '../../../blobs/blob-store.ts';
import { openBlobStore } from '../../../blobs/open-blob-store.ts';
import { createIds } from '../../../foundation/ids.ts';
import { createBell } from '../../../foundation/work.ts';
import { openIntake } from '../../../intake/open-intake.ts';
import type { Scanner } from '../../../scan/scanner.ts';
import { createEvents } from '../../events/events.ts';
import { createKeptLog } from '../../identity/accounts/people.fixture.ts';
import { createTurnableClock, givenDatabase } from '../../identity/identity.fixture.ts';
import { createTrace } from '../../trace/trace.ts';
import { createBlobRemoval } from '../ending/blob-removal.ts';
import { createBlobRemovalStore } from '../ending/blob-removal-store.ts';
import { createFileRemoval } from '../ending/file-removal.ts';
import { createFileRetention } from '../ending/file-retention.ts';
import { createTrashStore } from '../ending/trash-store.ts';
import { createFileFacts } from '../file-facts.ts';
import { createFileStore } from '../file-store.ts';

import { createFolderGate } from '../folders/folder-gate.ts';
import { createFolderStore } from '../folders/folder-store.ts';
import { createLedger, type Limits } from '../ledger-store.ts';
import { createQuota } from '../receiving/quota.ts';
import type { Sender } from '../receiving/receive-file.ts';
import { createSettling } from '../receiving/settle-file.ts';
import { createSettleStore } from '../receiving/settle-store.ts';
import { createUsageStore } from '../receiving/usage-store.ts';

import { createUploadBytes } from './upload-bytes.ts';
import { createUploadEnd, endUploadOf } from './upload-end.ts';
import { createUploadExpiry } from './upload-expiry.ts';
import { createUploadStore } from './upload-store.ts';
import { createUploads } from './uploads.ts';

const tenantId = 'ten_tests';
export const dayMs = 86_400_000;

export const grace: Sender = {
  viewer: { tenantId, callerId: 'per_grace', ownerId: 'per_grace', audiences: [], isAdmin: false, unlocked: [] },
  address: '192.0.2.7',
  requestId: 'req_tests',
  isStillLetIn: () => true,
};

/** Uploads over a real database and a real folder, with a clock that can be turned. */
export const givenUploads = async (context: TestContext) => {
  const clock = createTurnableClock();
  const database = await givenDatabase(context, clock);
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-uploads-'));
  context.after(() => rm(folder, { recursive: true }));
  const blobs = await openBlobStore({ url: `folder:${folder}`, clock });
  const ids = createIds(clock.now);
  const log = createKeptLog();
  const trace = createTrace({ database });
  const { events, intake } = createEvents({
    ...{ database, trace, clock, ids, arrived: createBell(clock) },
    openIntake: (writer) => openIntake('database:', { writer, clock }),
  });
  context.after(() => intake.close());

  /** As a process that has just begun; `through` stands before the blobs. */
  const open = (
    through: Partial<BlobStore> = {},
    scanner: Pick<Scanner, 'scan'> = { scan: async () => ({ isClean: true }) },
    limits: Limits = {},
  ) => {
    const kept = { ...blobs, ...through };
    const ledger = createLedger(database);
    const quota = createQuota({ usage: createUsageStore(database), quotasOf: async () => ({}), fallback: limits });
    const folderGate = createFolderGate({ folders: createFolderStore(database) });
    const facts = createFileFacts({ publicUrl: undefined });
    const common = { ...{ database, events, trace, clock, ids, log, ledger, quota, folderGate, facts }, blobs: kept };
    const store = createUploadStore(database);
    const files = createSettleStore(database);
    const blobRemoval = createBlobRemoval({ ...common, store: createBlobRemovalStore(database) });
    const trashStore = createTrashStore(database);
    const removal = createFileRemoval({ ...common, store: trashStore, blobRemoval, alsoRemoves: [endUploadOf({ store, clock })] });
    const whole = { ...scanner, check: async () => undefined };
    const settling = createSettling({ ...common, scanner: whole, store: files, blobRemoval, allowedTypes: ['text/*'] });
    const bytes = createUploadBytes({ blobs: kept, clock });
    const end = createUploadEnd({ ...common, store, files, settling, removal });
    const uploads = createUploads({
      ...common,
      store,
      files,
      fileStore: createFileStore(database),
      settling,
      bytes,
      end,
      maxFileBytes: 1e6,
    });

    const begin = async (length: number | undefined, more: { metadata?: string; isPartial?: boolean } = {}) => {
      const concat = more.isPartial === true ? ({ kind: 'partial' } as const) : undefined;
      return (await uploads.create(grace, { length, metadata: more.metadata, concat })).upload.id;
    };
    const send = async (id: string, offset: number, text: string) => {
      const found = await uploads.find(grace, id);
      return await uploads.append(grace, found, {
        offset,
        body: Readable.from([Buffer.from(text)], { objectMode: false }),
        bytes: text.length,
      });
    };
    /** Bytes of which nobody said how many they are, all of them at once. */
    const sendUncounted = async (id: string, text: string) => {
      const body = Readable.from([Buffer.from(text)], { objectMode: false });
      return await uploads.append(grace, await uploads.find(grace, id), { offset: 0, body, bytes: undefined });
    };
    return {
      ...{ uploads, end, settling, begin, send, sendUncounted, removal },
      look: async (id: string) => await uploads.look(grace, await uploads.find(grace, id)),
      expiry: createUploadExpiry({ ...common, store, end, bytes }),
      retention: createFileRetention({ ...common, store: trashStore, removal, trashMs: dayMs, retentionMs: dayMs }),
    };
  };

  const countOf = async (table: 'files' | 'uploads' | 'facts'): Promise<number> => {
    const { amount } = await database.read
      .selectFrom(table)
      .select(({ fn }) => fn.countAll<number>().as('amount'))
      .executeTakeFirstOrThrow();
    return amount;
  };
  const stateOf = async (id: string) =>
    (await database.read.selectFrom('files').select(['state', 'reason']).where('id', '=', id).executeTakeFirst()) ?? { state: undefined };
  const usedBytes = async (): Promise<number> =>
    (await database.read.selectFrom('fileUsage').select('bytes').where('ownerId', '=', '').executeTakeFirst())?.bytes ?? 0;
  const signal = new AbortController().signal;
  return { clock, blobs, database, open, countOf, stateOf, usedBytes, signal };
};
