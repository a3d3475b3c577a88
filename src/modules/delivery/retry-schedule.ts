/** How often and how patiently a delivery is tried. */
export interface RetryPolicy {
  /** Attempts in all, the first included. */
  readonly attempts: number;
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

/**
 * How long to wait after the `made`-th attempt failed, or `undefined` when none is left. Doubling with full jitter: any time between
 * nothing and the doubled delay, so that many deliveries that failed together do not come back together.
 */
export const delayAfter = (policy: RetryPolicy, made: number, chance: () => number): number | undefined => {
  if (made >= policy.attempts) return undefined;
  const ceilingMs = Math.min(policy.maxDelayMs, policy.minDelayMs * 2 ** Math.min(made - 1, 40));
  return Math.round(ceilingMs * chance());
};
