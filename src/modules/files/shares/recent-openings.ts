import type { Clock } from '../../../foundation/clock.ts';

/**
 * Who opened what just now: reading a page once more, or the preview that a messenger makes of it, is no news, and must not fill trace and
 * targets. Kept in mind alone: another replica, or the same after a start, may note an opening once more.
 */
export interface RecentOpenings {
  /** Whether the share was not opened from there in the last minutes; from here on it was. */
  isNews(shareId: string, from: string): boolean;
}

const keptMs = 10 * 60_000;
const mostKept = 10_000;

export const createRecentOpenings = ({ clock }: { clock: Pick<Clock, 'now'> }): RecentOpenings => {
  /** When they were noted, oldest first. */
  const noted = new Map<string, number>();
  return {
    isNews(shareId, from) {
      const now = clock.now();
      for (const [key, at] of noted) {
        if (at > now - keptMs && noted.size < mostKept) break;
        noted.delete(key);
      }
      const key = `${shareId} ${from}`;
      if (noted.has(key)) return false;
      noted.set(key, now);
      return true;
    },
  };
};
