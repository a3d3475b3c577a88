import type { Database } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { startLoop, type Worker } from '../../../foundation/work.ts';
import type { Viewer } from '../viewer.ts';
import type { Days, FileStatsStore, StatCount } from './file-stats-store.ts';
import { dayMs } from './file-stats-store.ts';

export interface Counts {
  readonly files: number;
  readonly bytes: number;
  readonly downloads: number;
}

export type CountsOfKey = Counts & { readonly key: string };

/** Stored files that the viewer may see, counted. What has no provider (category, language, role) counts in the totals alone. */
export interface FileStatistics {
  readonly totals: Counts;
  readonly byProvider: CountsOfKey[];
  readonly byCategory: CountsOfKey[];
  readonly byLanguage: CountsOfKey[];
  /** A file for several audiences counts in each. */
  readonly byRole: CountsOfKey[];
  readonly byType: CountsOfKey[];
  readonly byMonth: CountsOfKey[];
}

export interface Statistics {
  /** Adds what changed to the counts, from time to time. */
  startAdding(needs: { log: Log }): Worker;
  /** Of files made between the two instants: on the days (UTC) that lie within, at the ends those that are touched. */
  count(viewer: Viewer, times: { from?: number | undefined; to?: number | undefined }): Promise<FileStatistics>;
}

/** Whole days: that of `from`, and all that begin before `to`. */
const daysOf = ({ from, to }: { from?: number | undefined; to?: number | undefined }): Days => ({
  first: from === undefined ? undefined : Math.floor(from / dayMs),
  last: to === undefined ? undefined : Math.ceil(to / dayMs) - 1,
});

const none: Counts = { files: 0, bytes: 0, downloads: 0 };

const plus = (one: Counts, other: Counts): Counts => ({
  files: one.files + other.files,
  bytes: one.bytes + other.bytes,
  downloads: one.downloads + other.downloads,
});

const monthOf = ({ month }: StatCount): string => new Date((month ?? 0) * dayMs).toISOString().slice(0, 7);

const inOrder = (one: CountsOfKey, other: CountsOfKey): number => other.files - one.files || (one.key < other.key ? -1 : 1);

/** A piece of work that holds the writer for some milliseconds at the most. */
const mostAtOnce = 500;
const restMs = 2_000;

export const createStatistics = ({
  statsStore,
  database,
  clock,
}: {
  statsStore: FileStatsStore;
  database: Pick<Database, 'write'>;
  clock: Clock;
}): Statistics => ({
  startAdding: ({ log }) =>
    startLoop({
      ...{ name: 'file-counts', clock, log },
      async round(signal) {
        const noted = await statsStore.findNoted(mostAtOnce);
        if (noted !== undefined) await database.write(statsStore.addNoted(noted.seq));
        if (noted === undefined || noted.amount < mostAtOnce) await clock.sleep(restMs, signal);
      },
    }),

  async count(viewer, times) {
    const counts = await statsStore.countFiles(viewer, daysOf(times));
    const by = (dimension: StatCount['dimension']): CountsOfKey[] =>
      counts
        .filter((count) => count.dimension === dimension)
        .map(({ key, files, bytes, downloads }) => ({ key, files, bytes, downloads }))
        .toSorted(inOrder);
    const months = counts.filter(({ dimension }) => dimension === 'total');
    return {
      totals: months.reduce<Counts>(plus, none),
      byProvider: by('provider'),
      byCategory: by('category'),
      byLanguage: by('language'),
      byRole: by('role'),
      byType: by('type'),
      byMonth: months
        .map((month) => ({ key: monthOf(month), files: month.files, bytes: month.bytes, downloads: month.downloads }))
        .toSorted((one, other) => (one.key < other.key ? -1 : 1)),
    };
  },
});
