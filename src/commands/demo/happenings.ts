import type { Happening } from './live-table.ts';
import type { TargetAnswer } from './mock-target.ts';

/** What happened last, in words. */
export interface Happenings {
  /** Newest first. */
  readonly latest: readonly Happening[];
  answered(id: string, answer: TargetAnswer): void;
  refreshed(): void;
}

const kept = 10;
const ordinals = ['', 'first', 'second', 'third', 'fourth', 'fifth'] as const;

/** `elapsedMs` is the time since the start. */
export const createHappenings = (elapsedMs: () => number): Happenings => {
  const latest: Happening[] = [];
  const tries = new Map<string, number>();
  const note = (kind: Happening['kind'], text: string) => {
    latest.unshift({ atMs: elapsedMs(), kind, text });
    latest.length = Math.min(latest.length, kept);
  };
  return {
    latest,
    answered(id, answer) {
      if (answer === 'refused') return note('bad', `${id} came too early and was answered with 429`);
      const number = (tries.get(id) ?? 0) + 1;
      if (answer === 'failed') {
        tries.set(id, number);
        return note('bad', `${id} failed in the target, it will be tried again`);
      }
      tries.delete(id);
      note('good', `${id} delivered${number === 1 ? '' : ` at the ${ordinals[number] ?? `${number}th`} try`}`);
    },
    refreshed: () => note('neutral', 'the source refreshed its session'),
  };
};
