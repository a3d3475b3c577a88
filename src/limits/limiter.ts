/** At most `limit` in any window of `windowMs`, for each key. `name` is shown in the `RateLimit-Policy` header. */
export interface LimitPolicy {
  readonly name: string;
  readonly limit: number;
  readonly windowMs: number;
}

/** What a limiter says, and what the `RateLimit` headers of the answer tell. */
export interface LimitDecision {
  readonly isAllowed: boolean;
  readonly policyName: string;
  readonly limit: number;
  readonly windowMs: number;
  /** How much may still be taken at once. */
  readonly remaining: number;
  /** When allowed: until some of what was taken is free again (0: all is free). When not: until as much as was asked for is free. */
  readonly resetMs: number;
}

/**
 * Counts by key in a sliding window, exactly: never more than the policy's limit in any window, and at least 99 % of it for those who
 * always ask. Keys of different policies do not touch each other. Where the counters live elsewhere and are away, all methods
 * reject with `Unavailable`.
 */
export interface Limiter {
  /** Takes `cost` (default 1) where it fits; takes nothing where it does not. Of parallel calls never more than the limit are allowed. */
  take(policy: LimitPolicy, key: string, cost?: number): Promise<LimitDecision>;
  /** What `take` would say, without taking. */
  peek(policy: LimitPolicy, key: string, cost?: number): Promise<LimitDecision>;
  /** Gives back what was taken last and is not to count after all; more than was taken is ignored. */
  giveBack(policy: LimitPolicy, key: string, cost?: number): Promise<void>;
  /** Forgets what was taken. */
  reset(policy: LimitPolicy, key: string): Promise<void>;
}
