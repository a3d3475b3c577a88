import { type BlobStore, BodyInUse } from '../../../blobs/blob-store.ts';
import type { Database } from '../../../database/database.ts';
import type { UploadRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Trace } from '../../trace/trace.ts';
import type { NewFileRow } from '../file-store.ts';
import type { Ledger } from '../ledger-store.ts';
import type { Settlement, Settling } from '../settle-file.ts';
import type { SettleStore } from '../settle-store.ts';
import type { UploadStore } from './upload-store.ts';

/** How long an upload may wait for its next bytes, and how long it is remembered when it is over. */
export const uploadKeptMs = 24 * 60 * 60 * 1000;

/** How uploads end. Whatever a crash cuts off here is found and ended the same way by the next request or by the worker. */
export interface UploadEnd {
  /** How many bytes are there and durable; undefined of a final upload whose parts are not put together. */
  offsetOf(upload: UploadRow): Promise<number | undefined>;
  /**
   * All bytes are there: makes them the file. Resolves when it is stored; throws why it is refused, and nothing is left then. Said twice
   * at once it is done once.
   */
  finish(upload: UploadRow, how: Settlement): Promise<NewFileRow>;
  /** Nothing will come of it: row of the file, reservation and bytes go. With `ifIdleSince` only where no bytes came since. */
  giveUp(upload: UploadRow, how: { readonly requestId?: string | undefined; readonly ifOverdueAt?: number }): Promise<void>;
}

export interface UploadEndNeeds {
  readonly database: Pick<Database, 'transaction'>;
  readonly blobs: BlobStore;
  readonly store: UploadStore;
  readonly files: SettleStore;
  readonly ledger: Ledger;
  readonly settling: Settling;
  readonly trace: Pick<Trace, 'entries'>;
  readonly clock: Clock;
}

export const createUploadEnd = ({ database, blobs, store, files, ledger, settling, trace, clock }: UploadEndNeeds): UploadEnd => {
  const finishing = new Map<string, Promise<NewFileRow>>();

  const finishNow = async ({ id, tenantId }: UploadRow, how: Settlement): Promise<NewFileRow> => {
    const bytes = await blobs.complete(id);
    const expiresAt = clock.now() + uploadKeptMs;
    return await settling.settle({ id, tenantId }, bytes, {
      ...how,
      alsoWhenStored: [store.close({ id, state: 'stored', expiresAt }), ...(how.alsoWhenStored ?? [])],
      alsoWhenRejected: [store.close({ id, state: 'ended', expiresAt }), ...(how.alsoWhenRejected ?? [])],
    });
  };

  return {
    async offsetOf({ id, kind, state, length }) {
      if (state === 'stored') return length ?? undefined;
      const offset = await blobs.offsetOf(id);
      if (offset !== undefined) return offset;
      // Whole bytes whose file is not stored yet: a crash came between the two.
      return (await blobs.sizeOf(id)) ?? (kind === 'final' ? undefined : 0);
    },

    finish(upload, how) {
      const running = finishing.get(upload.id) ?? finishNow(upload, how).finally(() => finishing.delete(upload.id));
      finishing.set(upload.id, running);
      return running;
    },

    async giveUp({ id, tenantId, ownerId }, { requestId, ifOverdueAt }) {
      const isWhole = (await blobs.sizeOf(id)) !== undefined;
      const at = clock.now();
      await database.transaction(async ({ query, run }) => {
        const end = { id, expiresAt: at + uploadKeptMs };
        const file = await files.expectedIn(query, { tenantId }, id);
        const isExpected = file?.state === 'expected';
        await run([
          ...(ifOverdueAt === undefined ? [store.close({ ...end, state: 'ended' })] : [store.expireOpen({ ...end, now: ifOverdueAt })]),
          ...(isExpected ? [...ledger.leave(id), files.removeExpected({ id })] : []),
          ...(isExpected && isWhole ? [files.orderRemoval({ blobKey: id, orderedAt: at })] : []),
          ...(isExpected ? trace.entries([{ tenantId, subject: id, kind: 'file', requestId, at, what: 'deleted', who: ownerId }]) : []),
        ]);
      });
      // The row tells the worker to look once more when it is forgotten, so a failure here leaves nothing for ever.
      await blobs.discard(id).catch((error: unknown) => {
        if (!(error instanceof BodyInUse)) throw error;
      });
      if (isWhole && (await files.findExpected({ tenantId }, id)) === undefined) await blobs.remove(id);
    },
  };
};
