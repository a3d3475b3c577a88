/** How long answers took, in little memory however many there are. */
export interface AnswerTimes {
  add(ms: number): void;
  readonly count: number;
  readonly slowestMs: number;
  /** Answers slower than the limit. */
  readonly slow: number;
  /** Half of the answers came within this, to the millisecond. */
  medianMs(): number;
}

const longestCountedMs = 10_000;

export const createAnswerTimes = (limitMs: number): AnswerTimes => {
  const perMs = new Uint32Array(longestCountedMs + 1);
  let count = 0;
  let slowestMs = 0;
  let slow = 0;
  return {
    add(ms) {
      const whole = Math.min(Math.ceil(ms), longestCountedMs);
      perMs[whole] = (perMs[whole] ?? 0) + 1;
      count += 1;
      slowestMs = Math.max(slowestMs, ms);
      if (ms > limitMs) slow += 1;
    },
    get count() {
      return count;
    },
    get slowestMs() {
      return slowestMs;
    },
    get slow() {
      return slow;
    },
    medianMs() {
      let left = count / 2;
      return Math.max(
        0,
        perMs.findIndex((amount) => {
          left -= amount;
          return left <= 0;
        }),
      );
    },
  };
};
