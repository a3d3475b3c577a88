import type { BlobFacts, BlobStore } from '../../../blobs/blob-store.ts';
import type { Database, Trx, Write } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Scanner } from '../../../scan/scanner.ts';
import type { Events } from '../../events/events.ts';
import type { Trace } from '../../trace/trace.ts';
import type { BlobRemoval } from '../ending/blob-removal.ts';
import type { FileFacts } from '../file-facts.ts';
import type { NewFileRow } from '../file-store.ts';
import type { Ledger } from '../ledger-store.ts';
import { judgeAllowed, judgedBytes } from '../type-detection/file-types.ts';
import { createTextCheck } from '../type-detection/text-check.ts';
import { notText } from './receive-file.ts';
import type { ExpectedFile, SettleStore } from './settle-store.ts';

// The end of the road for files whose row came before their bytes (resumable and direct uploads): `expected` becomes `stored`, or
// `rejected` where the bytes are not what they should be. The row decides who does it: whatever is said twice, or was cut off by a crash and
// is said again, happens once.

/** What settled it, for the trace; and writes of the caller's own that belong into the same transaction. */
export interface Settlement {
  readonly requestId?: string | undefined;
  readonly address?: string | undefined;
  readonly alsoWhenStored?: readonly Write[];
  readonly alsoWhenRejected?: readonly Write[];
}

export interface Settling {
  /**
   * The bytes of an expected file are whole and durable under its id. Resolves with the row when it is stored, also where it was before.
   * Throws the reason where it is rejected now, `gone` where it was rejected or removed before; its bytes are gone then.
   */
  settle(file: { id: string; tenantId: string }, bytes: BlobFacts, how: Settlement): Promise<NewFileRow>;
  /** Rejects it for that reason; its bytes are removed, whole or in pieces. Does nothing where it is not expected any more. */
  reject(file: { id: string; tenantId: string }, reason: Problem, how: Settlement): Promise<void>;
  /** What the bytes are by their beginning. Throws `unsupported-type`. */
  judgeHead(head: Uint8Array, how: { isWhole: boolean; declared: string | undefined }): Promise<string>;
}

/** A text that is read again to be checked, piece by piece. */
const textPieceBytes = 1024 * 1024;

export interface SettlingNeeds {
  readonly database: Pick<Database, 'transaction'>;
  readonly blobs: Pick<BlobStore, 'read' | 'open' | 'remove'>;
  readonly blobRemoval: Pick<BlobRemoval, 'writes' | 'announce'>;
  readonly scanner: Scanner;
  readonly store: SettleStore;
  readonly ledger: Ledger;
  readonly events: Pick<Events, 'append' | 'announce'>;
  readonly trace: Pick<Trace, 'entries'>;
  readonly facts: FileFacts;
  readonly clock: Clock;
  readonly allowedTypes: readonly string[];
}

export const createSettling = (needs: SettlingNeeds): Settling => {
  const { database, blobs, blobRemoval, scanner, store, ledger, events, trace, facts, clock, allowedTypes } = needs;

  const judgeHead: Settling['judgeHead'] = (head, how) => judgeAllowed(head, how, allowedTypes);

  const checkText = async (id: string, type: string, head: Buffer, size: number): Promise<void> => {
    const check = createTextCheck({ type, head, isWhole: head.length === size });
    if (check === undefined) return;
    for (let first = 0; first < size; first += textPieceBytes) {
      const piece = await blobs.read(id, { first, last: Math.min(first + textPieceBytes, size) - 1 });
      if (!check.write(piece)) throw notText(type);
    }
    if (!check.end()) throw notText(type);
  };

  /** What the bytes are. Throws where they are not what was declared. */
  const judgeBytes = async (file: NewFileRow, { size, sha256 }: BlobFacts): Promise<string> => {
    if (size === 0) throw new Problem('empty', 'The file has no bytes.');
    if (file.size > 0 && file.size !== size) throw new Problem('bad-request', `The file has ${size} bytes and not ${file.size}.`);
    if (file.sha256 !== '' && file.sha256 !== sha256) throw new Problem('digest-mismatch', `The SHA-256 of the bytes is ${sha256}.`);
    const head = await blobs.read(file.id, { first: 0, last: Math.min(size, judgedBytes) - 1 });
    const type = await judgeHead(head, { isWhole: head.length === size, declared: file.type === '' ? undefined : file.type });
    await checkText(file.id, type, head, size);
    const verdict = await scanner.scan(() => blobs.open(file.id));
    if (!verdict.isClean) throw new Problem('infected', `The scanner found ${verdict.found}.`);
    return type;
  };

  const entryOf = (file: NewFileRow, at: number, { requestId, address }: Settlement) => ({
    tenantId: file.tenantId,
    subject: file.id,
    kind: 'file',
    requestId,
    at,
    who: file.ownerId,
    place: address,
  });

  const writeStored = async ({ run }: Trx, file: ExpectedFile, row: NewFileRow, how: Settlement): Promise<void> => {
    const { id, type, size, sha256, updatedAt: at } = row;
    const entry = entryOf(file, at, how);
    await run([
      ...ledger.around(id, [store.setStored({ id, type, size, sha256, at })]),
      ...events.append([facts.of('file.stored', row, { isUnderLock: file.isUnderLock === 1, who: file.senderId })]),
      ...trace.entries([
        { ...entry, what: 'checked', detail: { type, size, sha256 } },
        { ...entry, what: 'stored' },
      ]),
      ...(how.alsoWhenStored ?? []),
    ]);
  };

  const isExpected = (file: NewFileRow | undefined): boolean => file?.state === 'expected' || file?.state === 'checking';

  const reject: Settling['reject'] = async ({ id, tenantId }, reason, how) => {
    await database.transaction(async ({ query, run }) => {
      const file = await store.expectedIn(query, { tenantId }, id);
      if (file === undefined || !isExpected(file)) return;
      const at = clock.now();
      const row: NewFileRow = { ...file, state: 'rejected', reason: reason.message, updatedAt: at };
      await run([
        ...ledger.around(id, [store.setRejected({ id, reason: reason.message, at })]),
        ...blobRemoval.writes(row, at),
        ...events.append([facts.of('file.rejected', row, { isUnderLock: file.isUnderLock === 1, who: file.senderId })]),
        ...trace.entries([{ ...entryOf(file, at, how), what: 'rejected', detail: { reason: reason.message, kind: reason.kind } }]),
        ...(how.alsoWhenRejected ?? []),
      ]);
    });
    events.announce();
    blobRemoval.announce();
  };

  const settle: Settling['settle'] = async ({ id, tenantId }, bytes, how) => {
    const before = await store.findExpected({ tenantId }, id);
    if (before === undefined || !isExpected(before)) return await settledBefore(before, id);
    let type: string;
    try {
      type = await judgeBytes(before, bytes);
    } catch (error) {
      if (error instanceof Problem) await reject({ id, tenantId }, error, how);
      throw error;
    }
    const row = await database.transaction(async (trx) => {
      // Read once more: what is said of it (its name, its folder) may have changed, or somebody else may have settled it.
      const file = await store.expectedIn(trx.query, { tenantId }, id);
      if (file === undefined || !isExpected(file)) return undefined;
      const stored = { ...file, ...bytes, type, state: 'stored', reason: null, updatedAt: clock.now() } as const;
      await writeStored(trx, file, stored, how);
      return stored;
    });
    if (row === undefined) return await settledBefore(await store.findExpected({ tenantId }, id), id);
    events.announce();
    return row;
  };

  /** It was settled before, or is no more: then its bytes are litter. */
  const settledBefore = async (file: NewFileRow | undefined, id: string): Promise<NewFileRow> => {
    if (file?.state === 'stored' || file?.state === 'trashed') return file;
    await blobs.remove(id);
    throw new Problem('gone', file?.reason ?? 'The file was removed before its bytes were whole.');
  };

  return { settle, reject, judgeHead };
};
