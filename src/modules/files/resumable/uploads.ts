import type { Readable } from 'node:stream';
import { BlobMissing, type BlobStore, BodyInUse, type StretchDigest } from '../../../blobs/blob-store.ts';
import { type Database, type Write, WriteRefused } from '../../../database/database.ts';
import type { UploadRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace } from '../../trace/trace.ts';
import type { FileStore } from '../file-store.ts';
import { type FolderGate, lockedFolder } from '../folders/folder-gate.ts';
import type { Ledger, Limits } from '../ledger-store.ts';

import type { Quota } from '../receiving/quota.ts';
import { newRow, type Sender, tooLargeFile } from '../receiving/receive-file.ts';
import type { Settling } from '../receiving/settle-file.ts';
import type { SettleStore } from '../receiving/settle-store.ts';
import { judgedBytes } from '../type-detection/file-types.ts';
import { declaredType } from '../type-detection/type-names.ts';

import { badHeader, type Concat } from './tus-headers.ts';
import { inUse, type UploadBytes, wrongOffset } from './upload-bytes.ts';
import { type UploadEnd, uploadKeptMs } from './upload-end.ts';
import { readMetadata } from './upload-metadata.ts';
import type { FoundUpload, UploadStore } from './upload-store.ts';

/** What a client wants to upload. */
export interface UploadWish {
  /** Undefined where it will be told later; of a final upload it follows from its parts. */
  readonly length: number | undefined;
  /** `Upload-Metadata` as it was sent. */
  readonly metadata: string | undefined;
  readonly concat: Concat | undefined;
}

/** Bytes that go on with an upload. */
export interface UploadChunk {
  readonly offset: number;
  readonly body: Readable;
  /** How many they are, where the request says so. */
  readonly bytes: number | undefined;
  /** The length of the whole, where it is told with them. */
  readonly length?: number | undefined;
  readonly checksum?: StretchDigest | undefined;
}

/** Where an upload stands. */
export interface Progress {
  readonly upload: UploadRow;
  /** Undefined of a final upload whose parts are not put together. */
  readonly offset: number | undefined;
  /** Its file is stored. */
  readonly isStored: boolean;
}

/** Uploads that can be resumed. Each belongs to its owner alone; for everybody else there is none. */
export interface Uploads {
  readonly maxFileBytes: number;
  /** Resolves when it is durable, with the room for it held. A final upload is put together at once. */
  create(sender: Sender, wish: UploadWish): Promise<Progress>;
  /** Throws `not-found`, `gone` where it is over, `locked` where its folder is. */
  find(sender: Sender, id: string): Promise<FoundUpload>;
  /** Where it stands. One whose bytes are all there is finished first. */
  look(sender: Sender, upload: FoundUpload): Promise<Progress>;
  /** Takes the bytes, durably; what came before they broke off stays. The last ones make it a file. */
  append(sender: Sender, upload: FoundUpload, chunk: UploadChunk): Promise<Progress>;
  /** Gives it up with all that came. Of a finished one only the upload ends: its file stays. */
  terminate(sender: Sender, upload: FoundUpload): Promise<void>;
}

export interface UploadsNeeds {
  readonly database: Pick<Database, 'write'>;
  readonly blobs: Pick<BlobStore, 'concat' | 'discard'>;
  readonly store: UploadStore;
  readonly files: SettleStore;
  readonly fileStore: Pick<FileStore, 'insertFile'>;
  readonly folderGate: FolderGate;
  readonly ledger: Ledger;
  readonly quota: Quota;
  readonly settling: Settling;
  readonly trace: Pick<Trace, 'entries'>;
  readonly bytes: UploadBytes;
  readonly end: UploadEnd;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly maxFileBytes: number;
}

/** A single request may take longer than an upload may wait for the next one. */
const touchEveryMs = 10 * 60 * 1000;

const gone = (): Problem => new Problem('gone', 'The upload was ended or refused, or has expired. Begin a new one.');

const settlementOf = ({ requestId, address }: Sender) => ({ requestId, address });

export const createUploads = (needs: UploadsNeeds): Uploads => {
  const { database, blobs, store, files, fileStore, folderGate, ledger, quota, settling, trace, bytes, end, clock, ids, maxFileBytes } =
    needs;

  const expiry = (): number => clock.now() + uploadKeptMs;

  const holdPartial = ({ id, tenantId, ownerId }: UploadRow, { personBytes, tenantBytes }: Limits): Write[] => [
    ...(personBytes === undefined ? [] : [store.holdPartial({ id, tenantId, ownerId, limit: personBytes })]),
    ...(tenantBytes === undefined ? [] : [store.holdPartial({ id, tenantId, ownerId: '', limit: tenantBytes })]),
  ];

  /** The writes that make the row of a file that waits for its bytes, and hold the room for it. */
  const expectFile = async (sender: Sender, upload: UploadRow): Promise<readonly Write[]> => {
    const { fields, declaredType: declaredAs } = readMetadata(upload.metadata ?? undefined);
    const { viewer, address, requestId } = sender;
    const gate = await folderGate.open(viewer, fields.folderId);
    const declared = { id: upload.id, type: declaredType(declaredAs) ?? '', size: upload.length ?? 0, sha256: '' };
    const row = newRow(sender, declared, fields, { state: 'expected', at: upload.createdAt });
    const by = viewer.callerId === viewer.ownerId ? {} : { by: viewer.callerId };
    const { tenantId, id, ownerId, createdAt: at } = upload;
    const entry = { tenantId, subject: id, kind: 'file', requestId, at, what: 'received', who: ownerId, place: address } as const;
    return [
      ...gate.writes,
      fileStore.insertFile(row),
      ...ledger.enter(row.id),
      ...ledger.holdTo(row, await quota.limitsOf(row.tenantId)),
      ...trace.entries([{ ...entry, detail: { how: 'resumable', ...by } }]),
    ];
  };

  /** `before` are writes that come before the room is looked at. */
  const begin = async (sender: Sender, wish: UploadWish, length: number | undefined, before: readonly Write[] = []): Promise<UploadRow> => {
    const { viewer } = sender;
    if (length === 0) throw new Problem('empty', 'A file has at least one byte.');
    if (length !== undefined && length > maxFileBytes) throw tooLargeFile(maxFileBytes);
    if (before.length === 0) await quota.roomFor(viewer, length ?? 0);
    const kind = wish.concat?.kind ?? 'file';
    const upload: UploadRow = {
      id: ids.next(kind === 'partial' ? 'upload' : 'file'),
      ...{ tenantId: viewer.tenantId, ownerId: viewer.ownerId, kind, state: 'open' },
      length: length ?? null,
      reservedBytes: kind === 'partial' ? (length ?? 0) : 0,
      metadata: wish.metadata ?? null,
      concatenation: wish.concat?.kind === 'final' ? wish.concat.text : (wish.concat?.kind ?? null),
      createdAt: clock.now(),
      expiresAt: expiry(),
    };
    readMetadata(wish.metadata); // of a partial one, too: nonsense is told at once
    const writes = kind === 'partial' ? holdPartial(upload, await quota.limitsOf(viewer.tenantId)) : await expectFile(sender, upload);
    try {
      await database.write([store.insertUpload(upload), ...before, ...writes]);
      return upload;
    } catch (error) {
      if (!(error instanceof WriteRefused)) throw error;
      await folderGate.open(viewer, readMetadata(wish.metadata).fields.folderId); // tells where the folder went meanwhile
      throw quota.exceeded();
    }
  };

  /** The parts of a final upload: own partial ones that are whole. */
  const wholeParts = async (sender: Sender, partIds: readonly string[]): Promise<FoundUpload[]> => {
    const parts: FoundUpload[] = [];
    for (const id of partIds) {
      const part = await store.findUpload(sender.viewer, id);
      if (part === undefined || part.kind !== 'partial' || part.state !== 'open') {
        throw badHeader('Upload-Concat', `names ${id}, which is no partial upload of yours, or not any more`);
      }
      if (part.length === null || (await end.offsetOf(part)) !== part.length) {
        throw badHeader('Upload-Concat', `names ${id}, which is not whole yet`);
      }
      parts.push(part);
    }
    return parts;
  };

  const joinParts = async (sender: Sender, upload: UploadRow, partIds: readonly string[]): Promise<void> => {
    try {
      await blobs.concat(upload.id, partIds);
    } catch (error) {
      await end.giveUp(upload, settlementOf(sender));
      if (error instanceof BlobMissing || error instanceof BodyInUse) throw new Problem('conflict', 'A part was changed meanwhile.');
      throw error;
    }
  };

  const putTogether = async (sender: Sender, wish: UploadWish, partIds: readonly string[]): Promise<Progress> => {
    const parts = await wholeParts(sender, partIds);
    const length = parts.reduce((sum, part) => sum + (part.length ?? 0), 0);
    // The room of the parts is that of the whole from here on, until nothing comes of it.
    const hold = (bytesOf: (part: UploadRow) => number) =>
      parts.map((part) => store.setReservedIfOpen({ id: part.id, bytes: bytesOf(part) }));
    const upload = await begin(
      sender,
      wish,
      length,
      hold(() => 0),
    );
    const used = [...new Set(partIds)];
    const expiresAt = expiry();
    const alsoWhenStored = used.map((id) => store.close({ id, state: 'ended', expiresAt }));
    try {
      await joinParts(sender, upload, partIds);
      await end.finish(upload, { ...settlementOf(sender), alsoWhenStored });
    } catch (error) {
      const isWaiting = (await files.findExpected(upload, upload.id))?.state === 'expected'; // e.g. for the scanner
      if (!isWaiting) await database.write(hold((part) => part.length ?? 0));
      throw error;
    }
    // What a failure leaves is found when the worker forgets the parts.
    for (const id of used) await blobs.discard(id).catch(() => undefined);
    return { upload, offset: length, isStored: true };
  };

  /** Holds room for so many bytes; with the length, where that is known now. */
  const reserve = async (upload: UploadRow, reservedBytes: number, length?: number): Promise<void> => {
    const { id, tenantId, kind } = upload;
    const limits = await quota.limitsOf(tenantId);
    const room =
      kind === 'partial'
        ? [store.setReserved({ id, bytes: reservedBytes }), ...holdPartial(upload, limits)]
        : [...ledger.around(id, [files.setSize({ id, size: reservedBytes })]), ...ledger.holdTo(upload, limits)];
    try {
      await database.write([...(length === undefined ? [] : [store.setLength({ id, length })]), ...room]);
    } catch (error) {
      throw error instanceof WriteRefused ? quota.exceeded() : error;
    }
  };

  /** Uploads without a length that came at once found the same room: those for which none is left end, since nobody counts their bytes. */
  const holdWhatCame = async (sender: Sender, upload: UploadRow, bytesThere: number): Promise<void> => {
    try {
      await reserve(upload, bytesThere);
    } catch (error) {
      if (error instanceof Problem) await end.giveUp(upload, settlementOf(sender));
      throw error;
    }
  };

  const find: Uploads['find'] = async ({ viewer }, id) => {
    const upload = await store.findUpload(viewer, id);
    if (upload === undefined) throw new Problem('not-found', `There is no upload ${id}.`);
    const { kind, state, fileState, expiresAt } = upload;
    if (state === 'ended') throw gone();
    if (kind !== 'partial' && (fileState === null || fileState === 'rejected')) throw gone();
    if (upload.isHidden === 1) throw lockedFolder();
    if (state === 'stored') return upload;
    if (fileState === 'trashed' || (expiresAt <= clock.now() && !bytes.isFlowing(id))) throw gone();
    return upload;
  };

  /** The upload with its length, where that is told now. */
  const withLength = async (sender: Sender, upload: FoundUpload, { offset, length }: UploadChunk): Promise<FoundUpload> => {
    if (length === undefined || length === upload.length) return upload;
    if (upload.length !== null) throw badHeader('Upload-Length', `was said to be ${upload.length}`);
    if (length < offset) throw badHeader('Upload-Length', 'is less than what is there');
    if (length === 0) throw new Problem('empty', 'A file has at least one byte.');
    if (length > maxFileBytes) throw tooLargeFile(maxFileBytes);
    try {
      await reserve(upload, length, length);
    } catch (error) {
      const now = error instanceof Problem ? await find(sender, upload.id) : undefined;
      throw now === undefined || now.length === null ? error : inUse(); // somebody told it at the same time
    }
    return { ...upload, length, fileSize: length };
  };

  const finish = async (sender: Sender, upload: UploadRow): Promise<Progress> => {
    try {
      await end.finish(upload, settlementOf(sender));
    } catch (error) {
      if (!(error instanceof BodyInUse || error instanceof BlobMissing)) throw error;
      await find(sender, upload.id); // whoever deletes it is faster just now: then it is gone
      throw error instanceof BodyInUse ? inUse() : error;
    }
    return { upload, offset: upload.length ?? undefined, isStored: true };
  };

  const beyond = (length: number): Problem =>
    new Problem('too-large', `The upload was said to have ${length} bytes.`, { members: { limit: length } });

  /** Looks at what comes: no more than was said, and by its beginning of a type that is taken. */
  const guardFor = (upload: FoundUpload, roomBytes: number) => {
    const head: Buffer[] = [];
    let touchedAt = clock.now();
    let isJudged = upload.kind !== 'file';
    return async (chunk: Buffer, endsAt: number): Promise<void> => {
      if (upload.length !== null && endsAt > upload.length) throw beyond(upload.length);
      if (endsAt > maxFileBytes) throw tooLargeFile(maxFileBytes);
      if (upload.length === null && endsAt > roomBytes) throw quota.exceeded();
      if (clock.now() - touchedAt > touchEveryMs) {
        touchedAt = clock.now();
        await database.write(end.touch(upload));
      }
      if (isJudged) return;
      head.push(chunk);
      const whole = head.reduce((sum, { length }) => sum + length, 0);
      if (whole < endsAt)
        isJudged = true; // the beginning came with another request: it is judged at the end
      else if (whole >= judgedBytes) {
        isJudged = true;
        await settling.judgeHead(Buffer.concat(head), { isWhole: endsAt === upload.length, declared: upload.fileType || undefined });
      }
    };
  };

  const appendTo = async (sender: Sender, upload: FoundUpload, chunk: UploadChunk): Promise<Progress> => {
    const { id, length } = upload;
    // Where the request tells its length, the room for it is held already.
    const isHeld = length !== null || chunk.bytes !== undefined;
    const roomBytes = isHeld ? Infinity : chunk.offset + (await quota.roomFor(sender.viewer, 0));
    const stretch = { id, offset: chunk.offset, body: chunk.body, checksum: chunk.checksum };
    const { offset, brokenBy } = await bytes.take({ ...stretch, look: guardFor(upload, roomBytes) });
    if (brokenBy instanceof Problem && brokenBy.kind === 'unsupported-type') {
      const ended = store.close({ id, state: 'ended', expiresAt: expiry() });
      await settling.reject(upload, brokenBy, { ...settlementOf(sender), alsoWhenRejected: [ended] });
      throw brokenBy;
    }
    const moved = { ...upload, expiresAt: expiry() };
    await database.write(end.touch(upload));
    if (length === null) await holdWhatCame(sender, upload, offset);
    if (brokenBy !== undefined) throw brokenBy;
    if (!sender.isStillLetIn()) throw new Problem('bad-token', 'The session ended while the bytes came in. They were kept.');
    return upload.kind === 'file' && offset === length ? await finish(sender, upload) : { upload: moved, offset, isStored: false };
  };

  return {
    maxFileBytes,

    async create(sender, wish) {
      if (wish.concat?.kind === 'final') return await putTogether(sender, wish, wish.concat.parts);
      return { upload: await begin(sender, wish, wish.length), offset: 0, isStored: false };
    },

    find,

    async look(sender, upload) {
      const offset = await end.offsetOf(upload);
      if (upload.state === 'stored') return { upload, offset, isStored: true };
      if (upload.kind === 'partial' || offset === undefined || offset !== upload.length) return { upload, offset, isStored: false };
      await bytes.whenStill(upload.id);
      return await finish(sender, upload);
    },

    async append(sender, found, chunk) {
      if (found.kind === 'final') throw new Problem('not-allowed', 'A final upload is made of its parts alone.');
      await bytes.makeWay(found.id);
      const current = await end.offsetOf(found);
      if (current !== chunk.offset) throw wrongOffset(current ?? 0);
      const upload = await withLength(sender, found, chunk);
      const endsAt = chunk.offset + (chunk.bytes ?? 0);
      if (upload.length !== null && endsAt > upload.length) throw beyond(upload.length);
      if (endsAt > maxFileBytes) throw tooLargeFile(maxFileBytes);
      if (upload.state === 'stored') return { upload, offset: current, isStored: true };
      // All was there before: a crash came before it was a file, or the length is known only now.
      if (upload.kind === 'file' && current === upload.length) return await finish(sender, upload);
      if (upload.length === null && chunk.bytes !== undefined) await reserve(upload, endsAt);
      return await appendTo(sender, upload, chunk);
    },

    async terminate(sender, upload) {
      if (upload.state === 'stored') return void (await database.write([store.endStored({ id: upload.id })]));
      await bytes.cutOff(upload.id);
      await end.giveUp(upload, settlementOf(sender));
    },
  };
};
