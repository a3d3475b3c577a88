import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { BlobStore } from '../../../blobs/blob-store.ts';
import { openBlobStore } from '../../../blobs/open-blob-store.ts';
import type { FolderRow } from '../../../database/tables.ts';
import { createIds } from '../../../foundation/ids.ts';
import { createBell } from '../../../foundation/work.ts';
import { openIntake } from '../../../intake/open-intake.ts';
import { createEvents, createEventTraceStore } from '../../events/events.ts';
import { createKeptLog } from '../../identity/accounts/people.fixture.ts';
import { createTurnableClock, givenDatabase } from '../../identity/identity.fixture.ts';
import { createTrace } from '../../trace/trace.ts';
import { createFileActs } from '../file-acts.ts';
import { createFileFacts } from '../file-facts.ts';
import { createFileStore, type NewFileRow } from '../file-store.ts';
import { createFolderStore } from '../folders/folder-store.ts';
import { createLedger } from '../ledger-store.ts';
import { createShareStore } from '../shares/share-store.ts';
import type { Viewer } from '../viewer.ts';
import { createBlobRemoval } from './blob-removal.ts';
import { createBlobRemovalStore } from './blob-removal-store.ts';
import { createFileRemoval } from './file-removal.ts';
import { createFileRetention } from './file-retention.ts';
import { createOwnerRemoval } from './owner-removal.ts';
import { createSweepStore } from './sweep-store.ts';
import { createSweeper } from './sweeper.ts';
import { createTrash } from './trash.ts';
import { createTrashStore } from './trash-store.ts';

export const tenantId = 'ten_tests';
export const dayMs = 86_400_000;
export const origin = { address: '192.0.2.7', requestId: 'req_tests' };
export const grace: Viewer = { tenantId, callerId: 'per_grace', ownerId: 'per_grace', audiences: [], isAdmin: false, unlocked: [] };

/** The end of files over a real database and a real folder, a clock that can be turned, and ways to have files. */
export const givenTrash = async (context: TestContext) => {
  const clock = createTurnableClock();
  const database = await givenDatabase(context, clock);
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-trash-'));
  context.after(() => rm(folder, { recursive: true }));
  const blobs = await openBlobStore({ url: `folder:${folder}`, clock });
  const ids = createIds(clock.now);
  const log = createKeptLog();
  const trace = createTrace({ database, source: createEventTraceStore(database) });
  const { events, intake } = createEvents({
    ...{ database, trace, clock, ids, arrived: createBell(clock) },
    openIntake: (writer) => openIntake('database:', { writer, clock }),
  });
  context.after(() => intake.close());
  const files = createFileStore(database);
  const ledger = createLedger(database);
  const shares = createShareStore(database);
  const facts = createFileFacts({ publicUrl: undefined });

  /** As a process that has just begun; `through` stands before the blobs. */
  const open = (through: Partial<BlobStore> = {}) => {
    const store = createTrashStore(database);
    const kept = { ...blobs, ...through };
    const blobRemoval = createBlobRemoval({ database, blobs: kept, store: createBlobRemovalStore(database), clock, log });
    const removal = createFileRemoval({ database, store, blobRemoval, ledger, events, trace, facts, clock });
    const acts = createFileActs({ store: files, isSuspended: () => false });
    const sweeping = { store: createSweepStore(database), blobs: kept, clock, ids, log };
    return {
      acts,
      blobRemoval,
      removal,
      trash: createTrash({ database, acts, store, folders: createFolderStore(database), removal, ledger, events, trace, facts, clock }),
      retention: createFileRetention({
        database,
        blobs: kept,
        store,
        removal,
        clock,
        log,
        trashMs: 30 * dayMs,
        retentionMs: 90 * dayMs,
        alsoForgets: [shares.forgetEndedBefore],
      }),
      sweeper: createSweeper({ ...sweeping, isAlone: true }),
      sweeperAmongOthers: createSweeper({ ...sweeping, isAlone: false }),
      ownerRemoval: createOwnerRemoval({ database, store, removal, trace }),
    };
  };

  const givenFile = async (changes: Partial<NewFileRow> = {}, bytes = 'the bytes of a file'): Promise<NewFileRow> => {
    const at = clock.now();
    const id = ids.next('file');
    const row: NewFileRow = {
      ...{ id, tenantId, ownerId: 'per_grace', senderId: 'per_grace', name: `${id}.txt`, nameKey: `${id}.txt`, title: null },
      ...{ description: null, category: null, language: null, provider: null, rolesJson: '[]', folderId: null, visibility: 'private' },
      ...{ type: 'text/plain', size: bytes.length, sha256: 'e'.repeat(64), state: 'stored', reason: null, downloads: 0 },
      ...{ createdAt: at, updatedAt: at, trashedAt: null },
      ...changes,
    };
    if (row.state === 'stored' || row.state === 'trashed') await blobs.put(id, Buffer.from(bytes));
    const traced = { tenantId, subject: id, kind: 'file', at, what: 'received', who: row.ownerId, place: '192.0.2.7' } as const;
    await database.write([files.insertFile(row), ...ledger.enter(id), ...trace.entries([traced])]);
    return row;
  };

  const givenFolder = async (changes: Partial<FolderRow> = {}): Promise<FolderRow> => {
    const at = clock.now();
    const id = ids.next('folder');
    const row = {
      ...{ id, tenantId, ownerId: 'per_grace', parentId: null, name: 'Holidays', nameKey: 'Holidays', lockHash: null },
      ...{ createdAt: at, updatedAt: at },
      ...changes,
    };
    await database.write([database.build.insertInto('folders').values(row).compile()]);
    return row;
  };

  return {
    ...{ clock, database, blobs, folder, ids, log, trace, open, givenFile, givenFolder },
    /** What files take by the books, and by their rows. */
    async usage() {
      const booked = await database.read.selectFrom('fileUsage').selectAll().where('files', '<>', 0).execute();
      const rows = await database.read.selectFrom('files').select(['ownerId', 'size']).where('state', '<>', 'rejected').execute();
      const bookedOf = (ownerId: string) => booked.find((row) => row.ownerId === ownerId);
      return {
        booked: { files: bookedOf('')?.files ?? 0, bytes: bookedOf('')?.bytes ?? 0 },
        counted: { files: rows.length, bytes: rows.reduce((sum, { size }) => sum + size, 0) },
      };
    },
    rowOf: (id: string) => database.read.selectFrom('files').selectAll().where('id', '=', id).executeTakeFirst(),
    /** The types of facts of our own about that file, in order, with their bodies. */
    async factsOf(id: string) {
      const rows = await database.read.selectFrom('facts').selectAll().where('orderingKey', '=', id).orderBy('position').execute();
      return rows.map((row) => ({ type: row.type, text: JSON.stringify(row) }));
    },
    tracesOf: (id: string) => database.read.selectFrom('traceEntries').selectAll().where('subject', '=', id).orderBy('seq').execute(),
    async keysOf(): Promise<string[]> {
      const keys: string[] = [];
      for await (const { key } of blobs.list()) keys.push(key);
      return keys.toSorted();
    },
    orders: () => database.read.selectFrom('blobRemovals').selectAll().execute(),
  };
};
