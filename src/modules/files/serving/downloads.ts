import type { Database, Write } from '../../../database/database.ts';
import type { AccessRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { Log } from '../../../foundation/log.ts';
import { Unavailable } from '../../../foundation/problem.ts';
import type { Events } from '../../events/events.ts';
import type { Trace } from '../../trace/trace.ts';
import type { FileFacts } from '../file-facts.ts';
import type { NewFileRow } from '../file-store.ts';
import type { Ledger } from '../ledger-store.ts';
import type { Viewer } from '../viewer.ts';
import type { AccessStore } from './access-store.ts';

/** Bytes of a file that are given out, from the first one on. */
export interface Download {
  /** As it is fetched. */
  readonly file: NewFileRow;
  readonly isUnderLock: boolean;
  readonly how: AccessRow['how'];
  /** Who fetches it; absent where nobody had to say so. */
  readonly by?: Pick<Viewer, 'callerId' | 'ownerId'> | undefined;
  readonly address: string;
  readonly userAgent?: string | undefined;
  readonly requestId?: string | undefined;
  /** How many the answer has. */
  readonly bytes: number;
}

/**
 * Counts what is given out. A fetch must not wait for the disk, so what is counted is written down a moment later, many together: access,
 * count, fact and trace of each in one transaction. A crash may lose that moment.
 */
export interface Downloads {
  /** Throws `Unavailable` where more wait to be written than memory should hold: bytes that nobody can note are not given out. */
  count(download: Download): void;
  /** The same as writes, for who counts exactly, in a transaction of its own. Call `events.announce()` behind it. */
  writes(downloads: readonly Download[]): Write[];
  /** Resolves when all that was counted so far is written. */
  settle(): Promise<void>;
  /** Writes what is left; says how much is lost where that cannot be. */
  close(): Promise<void>;
}

const gatherMs = 50;
const mostInGroup = 500;
const mostWaiting = 20_000;
const longestPauseMs = 5_000;
const triesAtEnd = 3;
const longestUserAgent = 512;

interface Counted extends Download {
  readonly id: string;
  readonly at: number;
}

export interface DownloadsNeeds {
  readonly database: Pick<Database, 'write'>;
  readonly ledger: Pick<Ledger, 'download'>;
  readonly accesses: Pick<AccessStore, 'insertAccesses'>;
  readonly facts: FileFacts;
  readonly events: Pick<Events, 'append' | 'announce'>;
  readonly trace: Pick<Trace, 'entries'>;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
}

const toRow = ({ id, at, file, how, by, address, userAgent, bytes }: Counted): AccessRow => ({
  id,
  tenantId: file.tenantId,
  ownerId: file.ownerId,
  fileId: file.id,
  folderId: file.folderId,
  name: file.name,
  personId: by?.ownerId ?? null,
  how,
  address,
  userAgent: userAgent?.slice(0, longestUserAgent) ?? null,
  bytes,
  provider: file.provider,
  language: file.language,
  rolesJson: file.rolesJson,
  at,
});

export const createDownloads = (needs: DownloadsNeeds): Downloads => {
  const { database, ledger, accesses, facts, events, trace, clock, ids, log } = needs;
  const waiting: Counted[] = [];
  let counted = 0;
  let written = 0;
  let failures = 0;
  let isArmed = false;
  let underWay: Promise<void> | undefined;

  const mark = (download: Download): Counted => ({ ...download, id: ids.next('access'), at: clock.now() });

  const writesOf = (list: readonly Counted[]): Write[] => {
    const amounts = new Map<string, number>();
    for (const { file } of list) amounts.set(file.id, (amounts.get(file.id) ?? 0) + 1);
    return [
      ...[...amounts].flatMap(([id, amount]) => ledger.download(id, amount)),
      ...accesses.insertAccesses(list.map(toRow)),
      ...events.append(
        list.map(({ file, how, by, isUnderLock }) =>
          facts.of('file.fetched', file, {
            isUnderLock,
            who: by?.callerId ?? 'entrepot',
            more: { how, ...(by === undefined ? {} : { by: by.callerId }) },
          }),
        ),
      ),
      ...trace.entries(
        list.map(({ file, how, by, address, requestId, bytes, at }) => ({
          ...{ tenantId: file.tenantId, subject: file.id, kind: 'file', requestId, at, what: 'fetched' as const },
          ...{ who: by?.ownerId, place: address },
          // As with what came in: a device acts for its person.
          detail: { how, bytes, ...(by === undefined || by.callerId === by.ownerId ? {} : { by: by.callerId }) },
        })),
      ),
    ];
  };

  const writeNext = async (): Promise<void> => {
    const group = waiting.slice(0, mostInGroup);
    if (group.length === 0) return;
    try {
      await database.write(writesOf(group));
      failures = 0;
    } catch (error) {
      failures += 1;
      if (error instanceof Unavailable) {
        log.warn({ err: error, waiting: waiting.length }, 'downloads.not-noted-yet');
        throw error;
      }
      // A fault of ours would come again with every try, and hold up all behind it.
      log.error({ err: error, lost: group.length }, 'downloads.lost');
    }
    waiting.splice(0, group.length);
    written += group.length;
    events.announce();
  };

  const flush = (): Promise<void> => {
    underWay ??= writeNext().finally(() => {
      underWay = undefined;
    });
    return underWay;
  };

  /** Sees to it that what waits is written soon. */
  const arm = () => {
    if (isArmed || waiting.length === 0) return;
    isArmed = true;
    const run = async () => {
      await clock.sleep(Math.min(gatherMs * 2 ** failures, longestPauseMs));
      isArmed = false;
      await flush().catch(() => undefined); // logged; the next round tries again
      arm();
    };
    void run();
  };

  const settle = async () => {
    const upTo = counted;
    while (written < upTo) await flush();
  };

  return {
    count(download) {
      if (waiting.length >= mostWaiting) throw new Unavailable('Downloads cannot be noted just now.');
      waiting.push(mark(download));
      counted += 1;
      if (waiting.length >= mostInGroup && failures === 0) void flush().catch(() => undefined); // logged; `arm` tries again
      arm();
    },
    writes: (downloads) => (downloads.length === 0 ? [] : writesOf(downloads.map(mark))),
    settle,
    async close() {
      for (let tries = 0; tries < triesAtEnd && waiting.length > 0; tries += 1) await settle().catch(() => undefined);
      if (waiting.length > 0) log.error({ lost: waiting.length }, 'downloads.lost');
      waiting.length = 0;
    },
  };
};
