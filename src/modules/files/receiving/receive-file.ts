import { Readable } from 'node:stream';
import type { BlobStore } from '../../../blobs/blob-store.ts';
import { type Database, WriteRefused } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { Log } from '../../../foundation/log.ts';
import { hasOwnChunks, releaseChunk } from '../../../foundation/own-chunks.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Scanner } from '../../../scan/scanner.ts';
import type { Events } from '../../events/events.ts';
import type { Trace } from '../../trace/trace.ts';
import type { FileFacts } from '../file-facts.ts';
import type { FileFields } from '../file-fields.ts';
import { nameKey } from '../file-names.ts';
import type { FileStore, NewFileRow } from '../file-store.ts';
import type { FolderGate } from '../folders/folder-gate.ts';
import type { Ledger } from '../ledger-store.ts';
import { judgeAllowed, judgedBytes } from '../type-detection/file-types.ts';
import { createTextCheck } from '../type-detection/text-check.ts';
import type { Viewer } from '../viewer.ts';
import { beginReading } from './first-bytes.ts';
import type { Quota } from './quota.ts';

// The one road of bytes into the house, whatever protocol they come by. The order is what it is for: nothing is said to be kept before
// both its bytes and its row would survive a power cut, and a row never points to bytes that are not there.
//
//   what is known early (size, quota, type) is refused early → first bytes → what they are → through size guard and text check into the
//   blob store (durable) → scan → one transaction {row, counts, fact, trace} → the answer
//
// A crash in between leaves bytes without a row: litter, swept later.

/** Who sends a file, from where, in which request. */
export interface Sender {
  readonly viewer: Viewer;
  readonly address: string;
  readonly requestId?: string;
  /** Whether its session still counts; asked again at the end, since an upload may outlive an account. */
  isStillLetIn(): boolean;
}

export interface IncomingBytes {
  /** Short ones as they are (given away: their memory is given back when they are kept), others as they come. */
  readonly body: Readable | Buffer;
  readonly declaredType?: string | undefined;
  /** There will be as many at least: what is too much by that is refused before any of them is read. */
  readonly declaredBytes?: number | undefined;
  /** What they must be, lower-case hexadecimal. */
  readonly sha256?: string | undefined;
  /** Where they are to go, where that is known: refused early as well. `keep` looks again. */
  readonly folderId?: string | undefined;
}

/** Bytes that are durable in the blob store and have no row yet. */
export interface KeptBytes {
  /** Their key, and the id of the file that they will be. */
  readonly id: string;
  readonly type: string;
  readonly size: number;
  readonly sha256: string;
}

export interface Receiving {
  /** Resolves when the bytes are durable. After a rejection nothing of them is left. */
  takeBytes(sender: Sender, incoming: IncomingBytes): Promise<KeptBytes>;
  /** Makes a file of them: resolves when row, fact and trace are durable. After a refusal the bytes are gone. */
  keep(sender: Sender, bytes: KeptBytes, fields: FileFields): Promise<NewFileRow>;
  /** Instead of `keep`, where they are not to be kept after all. */
  drop(bytes: KeptBytes): Promise<void>;
}

export interface ReceivingNeeds {
  readonly database: Pick<Database, 'write'>;
  readonly blobs: BlobStore;
  readonly scanner: Scanner;
  readonly store: Pick<FileStore, 'insertFile' | 'hasFile'>;
  readonly folderGate: FolderGate;
  readonly ledger: Ledger;
  readonly quota: Quota;
  readonly events: Pick<Events, 'append' | 'announce'>;
  readonly trace: Pick<Trace, 'entries'>;
  readonly facts: FileFacts;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Pick<Log, 'warn'>;
  readonly maxFileBytes: number;
  readonly allowedTypes: readonly string[];
}

/** Where nobody gave it a name. */
const namelessName = 'unnamed';

export const tooLargeFile = (limitBytes: number): Problem =>
  new Problem('too-large', `A file may have up to ${limitBytes} bytes.`, { members: { limit: limitBytes } });

/** The row of a new file of the sender's. */
export const newRow = (
  { viewer }: Pick<Sender, 'viewer'>,
  { id, type, size, sha256 }: KeptBytes,
  fields: FileFields,
  { state, at }: { state: NewFileRow['state']; at: number },
): NewFileRow => {
  const name = fields.name ?? namelessName;
  return {
    id,
    tenantId: viewer.tenantId,
    ownerId: viewer.ownerId,
    senderId: viewer.callerId,
    name,
    nameKey: nameKey(name),
    title: fields.title ?? null,
    description: fields.description ?? null,
    category: fields.category ?? null,
    language: fields.language ?? null,
    provider: fields.provider ?? null,
    rolesJson: JSON.stringify(fields.roles ?? []),
    folderId: fields.folderId ?? null,
    visibility: fields.visibility ?? 'private',
    type,
    size,
    sha256,
    state,
    reason: null,
    downloads: 0,
    createdAt: at,
    updatedAt: at,
    trashedAt: null,
  };
};

export const createReceiving = (needs: ReceivingNeeds): Receiving => {
  const { database, blobs, scanner, store, folderGate, ledger, quota, events, trace, facts, clock, ids, log, maxFileBytes, allowedTypes } =
    needs;

  /** The type of bytes of which all are there: judging them looks at every one. */
  const typeOfWhole = async (bytes: Buffer, declared: string | undefined): Promise<string> => {
    if (bytes.length === 0) throw new Problem('empty', 'The file has no bytes.');
    return await judgeAllowed(bytes, { isWhole: true, declared }, allowedTypes);
  };

  /** `isOurs`: nobody else looks at the bytes any more. */
  const putWhole = async (id: string, bytes: Buffer, declared: string | undefined, isOurs: boolean) => {
    const type = await typeOfWhole(bytes, declared);
    const put = await blobs.put(id, bytes);
    if (isOurs) releaseChunk(bytes);
    return { type, ...put };
  };

  const putStream = async (id: string, body: Readable, declared: string | undefined, roomBytes: number) => {
    const begun = await beginReading(body, judgedBytes);
    const { head } = begun;
    const mindSize = (size: number) => {
      if (size > maxFileBytes) throw tooLargeFile(maxFileBytes);
      if (size > roomBytes) throw quota.exceeded();
    };
    try {
      mindSize(head.length);
      if (begun.isWhole) return await putWhole(id, head, declared, hasOwnChunks(body));
      const type = await judgeAllowed(head, { isWhole: false, declared }, allowedTypes);
      const text = createTextCheck({ type, head, isWhole: false });
      let size = 0;
      const inspect = (chunk: Buffer) => {
        size += chunk.length;
        mindSize(size);
        if (text !== undefined && !text.write(chunk)) throw notText(type);
      };
      const atEnd = () => {
        if (text !== undefined && !text.end()) throw notText(type);
      };
      return { type, ...(await blobs.put(id, begun.bytes(inspect, atEnd))) };
    } catch (error) {
      begun.drop();
      throw error;
    }
  };

  const takeBytes: Receiving['takeBytes'] = async ({ viewer }, { body, declaredType, declaredBytes = 0, sha256: expected, folderId }) => {
    const isShort = !(body instanceof Readable);
    const leastBytes = isShort ? body.length : declaredBytes;
    if (leastBytes > maxFileBytes) throw tooLargeFile(maxFileBytes);
    const roomBytes = await quota.roomFor(viewer, leastBytes);
    if (folderId !== undefined) await folderGate.open(viewer, folderId);
    const id = ids.next('file');
    const { type, size, sha256 } = await (isShort ? putWhole(id, body, declaredType, true) : putStream(id, body, declaredType, roomBytes));
    const kept = { id, type, size, sha256 };
    try {
      if (expected !== undefined && expected !== sha256) throw new Problem('digest-mismatch', `The SHA-256 of the bytes is ${sha256}.`);
      const verdict = await scanner.scan(() => blobs.open(id));
      if (!verdict.isClean) throw new Problem('infected', `The scanner found ${verdict.found}.`);
    } catch (error) {
      await drop(kept);
      throw error;
    }
    return kept;
  };

  const keep: Receiving['keep'] = async (sender, bytes, fields) => {
    const { viewer, address, requestId } = sender;
    try {
      const gate = await folderGate.open(viewer, fields.folderId);
      if (!sender.isStillLetIn()) throw new Problem('bad-token', 'The session ended while the file came in.');
      const limits = await quota.limitsOf(viewer.tenantId);
      // Nothing is waited for between here and the write: so files are written in the order of their times.
      const at = clock.now();
      const row = newRow(sender, bytes, fields, { state: 'stored', at });
      const entry = { tenantId: row.tenantId, subject: row.id, kind: 'file', requestId, at, who: viewer.ownerId };
      await database.write([
        ...gate.writes,
        store.insertFile(row),
        ...ledger.enter(row.id),
        ...ledger.holdTo(row, limits),
        ...events.append([facts.of('file.stored', row, { isUnderLock: gate.isUnderLock, who: viewer.callerId })]),
        ...trace.entries([
          {
            ...entry,
            what: 'received',
            place: address,
            ...(viewer.callerId === viewer.ownerId ? {} : { detail: { by: viewer.callerId } }),
            further: [{ what: 'checked', detail: { type: row.type, size: row.size, sha256: row.sha256 } }, { what: 'stored' }],
          },
        ]),
      ]);
      events.announce();
      return row;
    } catch (error) {
      const refusal = error instanceof WriteRefused ? await refusalOf(sender, fields) : error;
      if (refusal instanceof Problem || (await isSurelyWithoutRow(bytes))) await drop(bytes);
      throw refusal;
    }
  };

  /** Where that cannot be known either, the bytes stay, and the sweeper finds out later. */
  const isSurelyWithoutRow = async ({ id }: KeptBytes): Promise<boolean> =>
    await store.hasFile(id).then(
      (isThere) => !isThere,
      () => false,
    );

  /** What is not removed now is litter, swept later: that must not hide why it was to be removed. */
  const drop: Receiving['drop'] = async ({ id }) =>
    await blobs.remove(id).catch((error: unknown) => log.warn({ err: error, file: id }, 'file.litter'));

  /** Why the transaction was refused: the folder went meanwhile, or there is no room. */
  const refusalOf = async ({ viewer }: Sender, { folderId }: FileFields): Promise<Problem> => {
    try {
      await folderGate.open(viewer, folderId);
      return quota.exceeded();
    } catch (error) {
      if (error instanceof Problem) return error;
      throw error;
    }
  };

  return { takeBytes, keep, drop };
};

export const notText = (type: string) => new Problem('unsupported-type', `The bytes are not ${type} from beginning to end.`);
