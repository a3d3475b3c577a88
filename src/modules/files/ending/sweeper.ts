import { type BlobStore, BodyInUse, type ListedBlob } from '../../../blobs/blob-store.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { Log } from '../../../foundation/log.ts';
import { startRounds, type Worker } from '../../../foundation/work.ts';
import { fileOfKey } from '../blob-keys.ts';
import type { SweepStore } from './sweep-store.ts';

/** What a look through everything brought. */
export interface Swept {
  /** Bytes that no row knew, whole ones and those of unfinished uploads: gone now. */
  readonly removed: number;
  /** What writes that a crash cut off had left: gone now. */
  readonly litter: number;
  /** Files whose bytes are not there, or are not as many as they were. */
  readonly missing: number;
}

/**
 * Compares bytes and rows, both ways. Bytes without a row are what a crash between the two left: they go. A row without its bytes must
 * never be; it is told as loudly as can be and stays, since only a person can know where the bytes are.
 */
export interface Sweeper {
  sweep(signal: AbortSignal): Promise<Swept>;
  /** How many files had no bytes at the last look; undefined before the first. */
  missing(): number | undefined;
  startWorker(): Worker;
}

/** Which of these files something other than a row of "files" stands for, e.g. an upload that is no file yet. */
export type KnownElsewhere = (fileIds: readonly string[]) => Promise<ReadonlySet<string>>;

const firstSweepMs = 15_000;
const sweepEveryMs = 6 * 60 * 60_000;
const inStep = 200;
/** Nobody shall feel the sweeper. */
const pauseMs = 25;
/** Longer than anybody takes from the last byte of a file to its row. */
const graceMs = 24 * 60 * 60_000;

export const createSweeper = ({
  store,
  blobs,
  clock,
  ids,
  log,
  isAlone,
  knownElsewhere = [],
}: {
  store: SweepStore;
  blobs: Pick<BlobStore, 'list' | 'remove' | 'discard' | 'sizeOf' | 'sweep'>;
  clock: Clock;
  ids: Ids;
  log: Log;
  /** Whether no other process takes in files: what was written before this one began is nobody's upload then. */
  isAlone: boolean;
  knownElsewhere?: readonly KnownElsewhere[];
}): Sweeper => {
  const startedAt = clock.now();
  const firstId = ids.next('file');
  /** Later bytes may get their row yet. The id tells as well, and also where the machine's clock was set back since. */
  const isSettled = ({ key, writtenAt }: ListedBlob): boolean =>
    writtenAt < clock.now() - graceMs || (isAlone && writtenAt < startedAt && (fileOfKey(key) ?? firstId) < firstId);
  const litterMs = (): number => (isAlone ? Math.min(clock.now() - startedAt, graceMs) : graceMs);

  /** Of these blobs, those that nothing stands for. */
  const orphansAmong = async (listed: readonly ListedBlob[]): Promise<ListedBlob[]> => {
    const ids = [...new Set(listed.map(({ key }) => fileOfKey(key)).filter((id) => id !== undefined))];
    if (ids.length === 0) return [];
    const [states, ...elsewhere] = await Promise.all([store.findStates(ids), ...knownElsewhere.map((known) => known(ids))]);
    const isKnown = ({ key, state }: ListedBlob): boolean => {
      const id = fileOfKey(key);
      if (id === undefined || elsewhere.some((known) => known.has(id))) return true;
      const rowState = states.get(id);
      if (rowState === undefined) return false;
      // Pieces of a body that is whole by now are a name that a crash left.
      return state === 'whole' || rowState === 'expected';
    };
    return listed.filter((blob) => !isKnown(blob));
  };

  const removeOne = async (blob: ListedBlob): Promise<boolean> => {
    // Once more, right before: it takes a while to come here, and bytes are gone for good.
    if ((await orphansAmong([blob])).length === 0) return false;
    try {
      if (blob.state === 'whole') await blobs.remove(blob.key);
      else await blobs.discard(blob.key);
      return true;
    } catch (error) {
      if (error instanceof BodyInUse) return false;
      throw error;
    }
  };

  const removeOrphans = async (listed: readonly ListedBlob[]): Promise<number> => {
    let removed = 0;
    for (const blob of await orphansAmong(listed)) if (await removeOne(blob)) removed += 1;
    return removed;
  };

  const sweepBytes = async (signal: AbortSignal): Promise<number> => {
    let removed = 0;
    let some: ListedBlob[] = [];
    for await (const blob of blobs.list()) {
      if (signal.aborted) return removed;
      if (!isSettled(blob)) continue;
      some.push(blob);
      if (some.length < inStep) continue;
      removed += await removeOrphans(some);
      some = [];
      await clock.sleep(pauseMs, signal);
    }
    return removed + (await removeOrphans(some));
  };

  /** Whether the bytes of a file are as its row promises. */
  const isMissing = async (id: string, size: number): Promise<boolean> => {
    const found = await blobs.sizeOf(id);
    if (found === size || (await store.findKept(id)) === undefined) return false; // it was deleted meanwhile
    log.error({ file: id, bytes: size, found: found ?? null }, 'file.bytes-missing');
    return true;
  };

  const lookAtRows = async (signal: AbortSignal): Promise<number> => {
    let missing = 0;
    for (let position = 0; !signal.aborted; ) {
      const rows = await store.listKeptAfter(position, inStep);
      for (const { id, size } of rows) if (await isMissing(id, size)) missing += 1;
      const last = rows.at(-1);
      if (last === undefined || rows.length < inStep) break;
      position = last.position;
      await clock.sleep(pauseMs, signal);
    }
    return missing;
  };

  let lastMissing: number | undefined;
  const sweep: Sweeper['sweep'] = async (signal) => {
    // In this order: a write that was cut off at its very end has both names, and to take one makes the other look young.
    const removed = await sweepBytes(signal);
    const litter = await blobs.sweep(litterMs());
    const missing = await lookAtRows(signal);
    if (!signal.aborted) lastMissing = missing;
    const outcome = { removed, litter, missing };
    if (removed + litter + missing > 0) log.warn(outcome, 'files.swept');
    return outcome;
  };

  return {
    sweep,
    missing: () => lastMissing,
    startWorker: () =>
      startRounds({
        ...{ name: 'files.sweeper', clock, log, firstMs: firstSweepMs, everyMs: sweepEveryMs },
        async round(signal) {
          await sweep(signal);
        },
      }),
  };
};
