import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { BlobExists, type BlobFacts, BlobMissing, type BlobStore } from '../../../blobs/blob-store.ts';
import { type Database, WriteRefused } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace } from '../../trace/trace.ts';
import { noFile } from '../file-acts.ts';
import type { FileFields } from '../file-fields.ts';
import type { FileStore, NewFileRow } from '../file-store.ts';
import { type FolderGate, lockedFolder } from '../folders/folder-gate.ts';
import { entryOf } from '../folders/folder-trace.ts';
import type { Ledger } from '../ledger-store.ts';
import { beginReading } from '../receiving/first-bytes.ts';
import type { Quota } from '../receiving/quota.ts';
import { newRow, type Sender, tooLargeFile } from '../receiving/receive-file.ts';
import type { Settlement, Settling } from '../receiving/settle-file.ts';
import type { ExpectedFile } from '../receiving/settle-store.ts';
import { isAllowed, judgedBytes, notAllowed } from '../type-detection/file-types.ts';
import { declaredType } from '../type-detection/type-names.ts';
import type { DirectUploadStore } from './direct-upload-store.ts';
import type { SignedQuery, UploadSignature } from './upload-signature.ts';

/** What is said of a file before its bytes come. */
export interface DirectWish {
  readonly size: number;
  readonly type: string;
  /** In hexadecimal. */
  readonly sha256?: string | undefined;
  readonly fields: FileFields;
}

/** Where the bytes go, and what has to go with them. The signature in the path is a secret. */
export interface DirectTarget {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly expiresAt: number;
}

/**
 * Files whose bytes do not pass through the session of their owner: declared first, with room held for them, then sent to a signed
 * address. A store of its own tells by a notification that they are there.
 */
export interface DirectUploads {
  /** Resolves when the expected file is durable. Throws what an upload of such a file would throw. */
  create(sender: Sender, wish: DirectWish): Promise<{ readonly row: NewFileRow; readonly target: DirectTarget }>;
  /**
   * The bytes that come to the signed address. Resolves when the file is stored, also where just these bytes were sent before. Throws why they
   * are not what was declared: the file is rejected then; `conflict` while another request sends them, or where others are stored; `tenant-suspended`. A body
   * that is cut off changes nothing.
   */
  take(fileId: string, query: SignedQuery, incoming: { body: Readable; bytes: number | undefined }, how: Settlement): Promise<NewFileRow>;
  /**
   * The store says that there is something under that key. What is not ours, is not there (any more), or was settled before changes nothing.
   */
  arrived(key: string, how: Settlement): Promise<void>;
}

export interface DirectUploadsNeeds {
  readonly database: Pick<Database, 'write'>;
  readonly blobs: Pick<BlobStore, 'put' | 'open' | 'sizeOf'>;
  readonly store: DirectUploadStore;
  readonly fileStore: Pick<FileStore, 'insertFile'>;
  readonly signature: UploadSignature;
  readonly settling: Settling;
  readonly folderGate: FolderGate;
  readonly ledger: Ledger;
  readonly quota: Quota;
  readonly trace: Pick<Trace, 'entries'>;
  readonly isSuspended: (tenantId: string) => boolean;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly maxFileBytes: number;
  readonly allowedTypes: readonly string[];
}

const idShape = /^file_[0-9a-z]{26}$/;

export const createDirectUploads = (needs: DirectUploadsNeeds): DirectUploads => {
  const { database, blobs, store, fileStore, signature, settling, folderGate, ledger, quota, trace, clock, ids } = needs;
  const { maxFileBytes, allowedTypes } = needs;
  /** Files whose bytes are coming in just now. */
  const running = new Set<string>();

  const create: DirectUploads['create'] = async (sender, { size, type: declared, sha256 = '', fields }) => {
    const { viewer } = sender;
    if (size === 0) throw new Problem('empty', 'A file has at least one byte.');
    if (size > maxFileBytes) throw tooLargeFile(maxFileBytes);
    const type = declaredType(declared) ?? '';
    if (type !== '' && !isAllowed(type, allowedTypes)) throw notAllowed(type);
    await quota.roomFor(viewer, size);
    const gate = await folderGate.open(viewer, fields.folderId);
    const at = clock.now();
    const bytes = { id: ids.next('file'), type, size, sha256: sha256.toLowerCase() };
    const row = newRow(sender, bytes, fields, { state: 'expected', at });
    try {
      await database.write([
        ...gate.writes,
        fileStore.insertFile(row),
        ...ledger.enter(row.id),
        ...ledger.holdTo(row, await quota.limitsOf(row.tenantId)),
        ...trace.entries([entryOf(sender, 'file', row.id, { what: 'received', at, place: sender.address, detail: { how: 'direct' } })]),
      ]);
    } catch (error) {
      if (!(error instanceof WriteRefused)) throw error;
      await folderGate.open(viewer, fields.folderId); // tells where the folder went meanwhile
      throw quota.exceeded();
    }
    const { query, expiresAt } = signature.sign(row.id, { isUnlocked: gate.isUnderLock });
    const headers = { 'content-type': declared };
    return { row, target: { path: `/v1/files/direct/${row.id}?${query}`, headers, expiresAt } };
  };

  /** The bytes into the store, no more than were declared. `refuse` is told why they cannot be those of the file. */
  const keepBytes = async (file: ExpectedFile, body: Readable, refuse: (reason: Problem) => Problem): Promise<BlobFacts> => {
    const begun = await beginReading(body, judgedBytes);
    let size = 0;
    const inspect = (chunk: Buffer) => {
      size += chunk.length;
      if (size > file.size) throw refuse(otherSize(file, 'more'));
    };
    try {
      const how = { isWhole: begun.isWhole, declared: file.type === '' ? undefined : file.type };
      await settling.judgeHead(begun.head, how).catch((error: unknown) => {
        throw error instanceof Problem ? refuse(error) : error;
      });
      if (begun.isWhole) inspect(begun.head);
      return await blobs.put(file.id, begun.isWhole ? begun.head : begun.bytes(inspect, () => undefined));
    } catch (error) {
      begun.drop();
      if (error instanceof BlobExists) throw isComing();
      throw error;
    }
  };

  const takeExpected = async (file: ExpectedFile, body: Readable, bytes: number | undefined, how: Settlement): Promise<NewFileRow> => {
    let verdict: Problem | undefined;
    const refuse = (reason: Problem): Problem => {
      verdict = reason;
      return reason;
    };
    let facts: BlobFacts;
    try {
      if (bytes !== undefined && bytes !== file.size) throw refuse(otherSize(file, `${bytes} bytes`));
      facts = await keepBytes(file, body, refuse);
    } catch (error) {
      if (verdict !== undefined) await settling.reject(file, verdict, how);
      throw error;
    }
    return await settling.settle(file, facts, how);
  };

  /** Bytes that are in the store already: an object store took them itself, or a crash came before the row. */
  const settleKept = async (file: ExpectedFile, size: number, how: Settlement): Promise<void> => {
    try {
      // Of another size than declared they are refused, whatever they are.
      const sha256 = size === file.size ? ((await sha256Of(await blobs.open(file.id))) ?? '') : '';
      await settling.settle(file, { size, sha256 }, how);
    } catch (error) {
      if (!(error instanceof Problem || error instanceof BlobMissing)) throw error; // else it is rejected now, or went meanwhile
    }
  };

  const arrived: DirectUploads['arrived'] = async (key, how) => {
    const id = key.slice(key.lastIndexOf('/') + 1);
    const file = idShape.test(id) ? await store.findDirect(id) : undefined;
    if (file?.state !== 'expected') return;
    const size = await blobs.sizeOf(id);
    if (size !== undefined) await settleKept(file, size, how);
  };

  /** Sent once more: the same bytes are what is there. */
  const takeAgain = async (file: ExpectedFile, body: Readable): Promise<NewFileRow> => {
    const isSame = (await sha256Of(body, file.size)) === file.sha256;
    if (!isSame) throw new Problem('conflict', 'The file is stored already, and these are other bytes.');
    return file;
  };

  return {
    create,
    arrived,

    async take(id, query, { body, bytes }, how) {
      const { isUnlocked } = signature.prove(id, query);
      if (running.has(id)) throw isComing();
      running.add(id);
      try {
        await arrived(id, how);
        const file = await store.findDirect(id);
        if (file === undefined) throw noFile(id);
        if (needs.isSuspended(file.tenantId)) throw new Problem('tenant-suspended', 'The tenant of the file is suspended.');
        if (file.state !== 'expected' && file.state !== 'stored') throw gone(file.reason);
        if (file.isUnderLock === 1 && !isUnlocked) throw lockedFolder();
        return await (file.state === 'stored' ? takeAgain(file, body) : takeExpected(file, body, bytes, how));
      } finally {
        running.delete(id);
      }
    },
  };
};

const gone = (reason: string | null): Problem => new Problem('gone', reason ?? 'The file is not expected any more.');

const isComing = (): Problem => new Problem('conflict', 'Another request sends the bytes of this file just now.');

const otherSize = ({ size }: ExpectedFile, found: string): Problem =>
  new Problem('bad-request', `The file has ${size} bytes and not ${found}.`);

/** Undefined where there are more bytes than that. */
const sha256Of = async (body: Readable, mostBytes = Number.POSITIVE_INFINITY): Promise<string | undefined> => {
  const digest = createHash('sha256');
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > mostBytes) return undefined;
    digest.update(chunk);
  }
  return digest.digest('hex');
};
