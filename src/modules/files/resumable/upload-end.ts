import { type BlobStore, BodyInUse } from '../../../blobs/blob-store.ts';
import type { Database, Write } from '../../../database/database.ts';
import type { UploadRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { FileRemoval } from '../ending/file-removal.ts';
import type { NewFileRow } from '../file-store.ts';
import type { Settlement, Settling } from '../receiving/settle-file.ts';
import type { SettleStore } from '../receiving/settle-store.ts';
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
  /** Nothing will come of it: row of the file, reservation and bytes go. With `isOverdue` only where no bytes came since it was read. */
  giveUp(upload: UploadRow, how: { readonly requestId?: string | undefined; readonly isOverdue?: boolean }): Promise<void>;
  /** The writes that note that bytes came. */
  touch(upload: UploadRow): readonly Write[];
}

export interface UploadEndNeeds {
  readonly database: Pick<Database, 'write'>;
  readonly blobs: BlobStore;
  readonly store: UploadStore;
  readonly files: SettleStore;
  readonly settling: Settling;
  readonly removal: FileRemoval;
  readonly clock: Clock;
}

/** However a file ends, its upload ends with it. */
export const endUploadOf =
  ({ store, clock }: Pick<UploadEndNeeds, 'store' | 'clock'>) =>
  (id: string): readonly Write[] => [store.close({ id, state: 'ended', expiresAt: clock.now() + uploadKeptMs })];

export const createUploadEnd = ({ database, blobs, store, files, settling, removal, clock }: UploadEndNeeds): UploadEnd => {
  const finishing = new Map<string, Promise<NewFileRow>>();
  const endUpload = endUploadOf({ store, clock });

  const finishNow = async ({ id, tenantId }: UploadRow, how: Settlement): Promise<NewFileRow> => {
    const bytes = await blobs.complete(id);
    return await settling.settle({ id, tenantId }, bytes, {
      ...how,
      alsoWhenStored: [store.close({ id, state: 'stored', expiresAt: clock.now() + uploadKeptMs }), ...(how.alsoWhenStored ?? [])],
      alsoWhenRejected: endUpload(id),
    });
  };

  const giveUpPartial = async ({ id }: UploadRow, isOverdue: boolean): Promise<void> => {
    const now = clock.now();
    await database.write(isOverdue ? [store.expireOpen({ id, now, expiresAt: now + uploadKeptMs })] : endUpload(id));
    // Where this fails, the worker does it when it forgets the upload.
    await blobs.discard(id).catch((error: unknown) => {
      if (!(error instanceof BodyInUse)) throw error;
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

    async giveUp(upload, { requestId, isOverdue = false }) {
      const { id, tenantId, ownerId, kind, expiresAt } = upload;
      if (kind === 'partial') return await giveUpPartial(upload, isOverdue);
      for (;;) {
        const file = await files.findExpected({ tenantId }, id);
        if (file?.state !== 'expected') return void (await database.write(endUpload(id)));
        if (isOverdue && file.updatedAt > expiresAt - uploadKeptMs) return;
        // Refused where the file changed since it was read; then it is read once more.
        if (await removal.remove(file, { who: ownerId, tells: 'nothing', ...(requestId === undefined ? {} : { requestId }) })) return;
      }
    },

    touch({ id }) {
      const at = clock.now();
      return [store.touch({ id, expiresAt: at + uploadKeptMs }), files.touchFile({ id, at })];
    },
  };
};
