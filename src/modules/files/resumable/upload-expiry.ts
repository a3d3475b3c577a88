import { type BlobStore, BodyInUse } from '../../../blobs/blob-store.ts';
import { type Database, WriteRefused } from '../../../database/database.ts';
import type { UploadRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { Problem } from '../../../foundation/problem.ts';
import { startLoop, type Worker } from '../../../foundation/work.ts';
import type { UploadBytes } from './upload-bytes.ts';
import type { UploadEnd } from './upload-end.ts';
import type { UploadStore } from './upload-store.ts';

/** What becomes of uploads that nobody ends. */
export interface UploadExpiry {
  /** Makes files of uploads whose bytes are whole: a crash came before. Resolves with how many. */
  finishWhole(signal: AbortSignal): Promise<number>;
  /** Gives up what waited too long, never one that is whole, and forgets what is over. Resolves with how many are done with. */
  expire(signal: AbortSignal): Promise<number>;
  /** Removes some uploads of somebody whose account is gone; resolves with whether none is left. */
  removeSome(owner: { tenantId: string; ownerId: string }): Promise<boolean>;
  startWorker(): Worker;
}

const batch = 100;
const everyMs = 60_000;
/** Right at the start, and for those whose end failed since, e.g. because the scanner was away. */
const finishEveryRounds = 10;

export const createUploadExpiry = ({
  database,
  blobs,
  store,
  end,
  bytes,
  clock,
  log,
}: {
  database: Pick<Database, 'write'>;
  blobs: Pick<BlobStore, 'discard' | 'sizeOf'>;
  store: UploadStore;
  end: UploadEnd;
  bytes: Pick<UploadBytes, 'isFlowing' | 'cutOff'>;
  clock: Clock;
  log: Log;
}): UploadExpiry => {
  const isWhole = async (upload: UploadRow): Promise<boolean> =>
    upload.kind !== 'partial' && upload.length !== null && (await end.offsetOf(upload)) === upload.length;

  /** Resolves with whether it was stored; refused bytes are gone then. */
  const finish = async (upload: UploadRow): Promise<boolean> => {
    try {
      await end.finish(upload, {});
      return true;
    } catch (error) {
      if (error instanceof Problem || error instanceof BodyInUse) return false;
      throw error;
    }
  };

  const forget = async ({ id, kind }: UploadRow): Promise<void> => {
    if (kind === 'partial') await blobs.discard(id); // once more: a crash may have come before it was done
    await database.write([store.removeUpload({ id })]);
  };

  /** Resolves with whether it is done with. */
  const endOverdue = async (upload: UploadRow): Promise<boolean> => {
    if (bytes.isFlowing(upload.id)) return false;
    if (upload.state !== 'open') await forget(upload);
    else if (!(await isWhole(upload))) await end.giveUp(upload, { isOverdue: true });
    else if (!(await finish(upload))) await forget(upload);
    return true;
  };

  const expire: UploadExpiry['expire'] = async (signal) => {
    let done = 0;
    for (const upload of await store.listOverdue(clock.now(), batch)) {
      if (signal.aborted) break;
      try {
        if (await endOverdue(upload)) done += 1;
      } catch (error) {
        // Bytes came just now: then it is not overdue any more.
        if (!(error instanceof WriteRefused || error instanceof BodyInUse)) throw error;
      }
    }
    return done;
  };

  const finishWhole: UploadExpiry['finishWhole'] = async (signal) => {
    let finished = 0;
    let after = '';
    for (let found = batch; found === batch && !signal.aborted; ) {
      const uploads = await store.listOpen(after, batch);
      for (const upload of uploads) {
        after = upload.id;
        const size = signal.aborted ? undefined : await blobs.sizeOf(upload.id);
        if (size !== undefined && size === upload.length && (await finish(upload))) finished += 1;
      }
      found = uploads.length;
    }
    return finished;
  };

  return {
    expire,
    finishWhole,

    async removeSome(owner) {
      const uploads = await store.listOfOwner(owner, batch);
      for (const upload of uploads) {
        await bytes.cutOff(upload.id);
        if (upload.state === 'open') await end.giveUp(upload, {});
        await forget(upload);
      }
      return uploads.length < batch;
    },

    startWorker() {
      let rounds = 0;
      return startLoop({
        name: 'files.uploads',
        clock,
        log,
        async round(signal) {
          if (rounds % finishEveryRounds === 0) {
            const finished = await finishWhole(signal);
            if (finished > 0) log.info({ finished }, 'uploads.finished');
          }
          rounds += 1;
          const done = await expire(signal);
          if (done > 0) log.info({ done }, 'uploads.expired');
          if (done < batch) await clock.sleep(everyMs, signal);
        },
      });
    },
  };
};
