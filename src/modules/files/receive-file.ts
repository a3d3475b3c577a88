import { Readable } from 'node:stream';
import type { BlobStore } from '../../blobs/blob-store.ts';
import { type Database, WriteRefused } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import { Problem } from '../../foundation/problem.ts';
import type { Scanner } from '../../scan/scanner.ts';
import type { Events } from '../events/events.ts';
import type { Trace } from '../trace/trace.ts';
import type { FileFacts } from './file-facts.ts';
import type { FileFields } from './file-fields.ts';
import { nameKey } from './file-names.ts';
import type { FileStore, NewFileRow } from './file-store.ts';
import { isAllowed, judgedBytes, judgeType } from './file-types.ts';
import { beginReading } from './first-bytes.ts';
import type { FolderGate } from './folder-gate.ts';
import type { Ledger } from './ledger-store.ts';
import type { Quota } from './quota.ts';
import { createTextCheck } from './text-check.ts';
import type { Viewer } from './viewer.ts';

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
  readonly body: Readable;
  readonly declaredType?: string | undefined;
  readonly declaredBytes?: number | undefined;
  /** What they must be, lower-case hexadecimal. */
  readonly sha256?: string | undefined;
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
}

export interface ReceivingNeeds {
  readonly database: Pick<Database, 'write'>;
  readonly blobs: BlobStore;
  readonly scanner: Scanner;
  readonly store: Pick<FileStore, 'insertFile'>;
  readonly folderGate: FolderGate;
  readonly ledger: Ledger;
  readonly quota: Quota;
  readonly events: Pick<Events, 'append' | 'announce'>;
  readonly trace: Pick<Trace, 'entries'>;
  readonly facts: FileFacts;
  readonly clock: Clock;
  readonly ids: Ids;
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
  const { database, blobs, scanner, store, folderGate, ledger, quota, events, trace, facts, clock, ids, maxFileBytes, allowedTypes } =
    needs;

  const takeBytes: Receiving['takeBytes'] = async ({ viewer }, { body, declaredType, declaredBytes, sha256: expected }) => {
    if (declaredBytes !== undefined && declaredBytes > maxFileBytes) throw tooLargeFile(maxFileBytes);
    const roomBytes = await quota.roomFor(viewer, declaredBytes ?? 0);
    const begun = await beginReading(body, judgedBytes);
    const guard = async function* (type: string) {
      const text = createTextCheck({ type, head: begun.head, isWhole: begun.isWhole });
      let size = 0;
      for await (const chunk of begun.bytes()) {
        size += chunk.length;
        if (size > maxFileBytes) throw tooLargeFile(maxFileBytes);
        if (size > roomBytes) throw quota.exceeded();
        if (text !== undefined && !text.write(chunk)) throw notText(type);
        yield chunk;
      }
      if (text !== undefined && !text.end()) throw notText(type);
    };
    try {
      if (begun.head.length === 0) throw new Problem('empty', 'The file has no bytes.');
      const type = await judgeType(begun.head, { isWhole: begun.isWhole, declared: declaredType });
      if (!isAllowed(type, allowedTypes)) throw notAllowed(type);
      const id = ids.next('file');
      const { size, sha256 } = await blobs.put(id, await bodyOf(begun.isWhole, guard(type)));
      try {
        if (expected !== undefined && expected !== sha256) throw new Problem('digest-mismatch', `The SHA-256 of the bytes is ${sha256}.`);
        const verdict = await scanner.scan(() => blobs.open(id));
        if (!verdict.isClean) throw new Problem('infected', `The scanner found ${verdict.found}.`);
      } catch (error) {
        await blobs.remove(id);
        throw error;
      }
      return { id, type, size, sha256 };
    } catch (error) {
      await begun.drop();
      throw error;
    }
  };

  const keep: Receiving['keep'] = async (sender, bytes, fields) => {
    const { viewer, address, requestId } = sender;
    try {
      const gate = await folderGate.open(viewer, fields.folderId);
      if (!sender.isStillLetIn()) throw new Problem('bad-token', 'The session ended while the file came in.');
      const at = clock.now();
      const row = newRow(sender, bytes, fields, { state: 'stored', at });
      const limits = await quota.limitsOf(viewer.tenantId);
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
          },
          { ...entry, what: 'checked', detail: { type: row.type, size: row.size, sha256: row.sha256 } },
          { ...entry, what: 'stored' },
        ]),
      ]);
      events.announce();
      return row;
    } catch (error) {
      // Of any other failure it is not known whether the row is there: then the sweeper finds out.
      const refusal = error instanceof WriteRefused ? await refusalOf(sender, fields) : error;
      if (refusal instanceof Problem) await blobs.remove(bytes.id);
      throw refusal;
    }
  };

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

  return { takeBytes, keep };
};

export const notText = (type: string) => new Problem('unsupported-type', `The bytes are not ${type} from beginning to end.`);

export const notAllowed = (type: string) =>
  new Problem('unsupported-type', `Files of the type ${type} are not taken here.`, { members: { found: type } });

/** A short body goes to the store as it is; of a long one no more than a few chunks are in memory. */
const bodyOf = async (isWhole: boolean, bytes: AsyncGenerator<Buffer>): Promise<Readable | Uint8Array> => {
  if (!isWhole) return Readable.from(bytes, { objectMode: false });
  const chunks: Buffer[] = [];
  for await (const chunk of bytes) chunks.push(chunk);
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
};
