import type { Clock } from '../foundation/clock.ts';
import type { LimitDecision, Limiter, LimitPolicy } from './limiter.ts';

/** What was taken in one slice of a window. It counts until a whole window after its last taking, so never too short. */
interface Slice {
  readonly startedAt: number;
  lastAt: number;
  amount: number;
}

interface Counter {
  /** Oldest first. */
  slices: Slice[];
  used: number;
}

/** A window is kept in slices of 1 %, so that a key costs at most some hundred numbers however high its limit is. */
const slicesPerWindow = 100;

/**
 * Counters in this process. When there are more than `maxKeys`, the one that was not touched for longest is forgotten, so memory is
 * bounded whatever names a guesser invents.
 */
export const createMemoryLimiter = ({ clock, maxKeys = 100_000 }: { clock: Clock; maxKeys?: number }): Limiter => {
  const counters = new Map<string, Counter>();
  const idOf = (policy: LimitPolicy, key: string) => `${policy.name}\n${key}`;

  const find = (policy: LimitPolicy, key: string, now: number): Counter | undefined => {
    const counter = counters.get(idOf(policy, key));
    if (counter) forgetOld(counter, now - policy.windowMs);
    return counter;
  };

  /** Puts the counter behind all others, as the one touched last; an empty one is dropped. */
  const keep = (policy: LimitPolicy, key: string, counter: Counter) => {
    const id = idOf(policy, key);
    counters.delete(id);
    if (counter.used === 0) return;
    counters.set(id, counter);
    if (counters.size <= maxKeys) return;
    for (const oldest of counters.keys()) {
      counters.delete(oldest);
      break;
    }
  };

  return {
    async take(policy, key, cost = 1) {
      const now = clock.now();
      const counter = find(policy, key, now) ?? { slices: [], used: 0 };
      const isAllowed = counter.used + cost <= policy.limit;
      if (isAllowed && cost > 0) add(counter, cost, now, policy.windowMs / slicesPerWindow);
      keep(policy, key, counter);
      return decide(policy, counter, isAllowed, cost, now);
    },
    async peek(policy, key, cost = 1) {
      const now = clock.now();
      const counter = find(policy, key, now) ?? { slices: [], used: 0 };
      return decide(policy, counter, counter.used + cost <= policy.limit, cost, now);
    },
    async giveBack(policy, key, cost = 1) {
      const counter = find(policy, key, clock.now());
      if (!counter) return;
      subtract(counter, cost);
      if (counter.used === 0) counters.delete(idOf(policy, key));
    },
    async reset(policy, key) {
      counters.delete(idOf(policy, key));
    },
  };
};

const forgetOld = (counter: Counter, before: number) => {
  let gone = 0;
  for (const slice of counter.slices) {
    if (slice.lastAt > before) break;
    counter.used -= slice.amount;
    gone += 1;
  }
  if (gone > 0) counter.slices.splice(0, gone);
};

const add = (counter: Counter, cost: number, now: number, sliceMs: number) => {
  const newest = counter.slices.at(-1);
  counter.used += cost;
  if (newest && now - newest.startedAt < sliceMs) {
    newest.amount += cost;
    newest.lastAt = now;
  } else {
    counter.slices.push({ startedAt: now, lastAt: now, amount: cost });
  }
};

const subtract = (counter: Counter, cost: number) => {
  let rest = cost;
  for (let newest = counter.slices.at(-1); newest && rest > 0; newest = counter.slices.at(-1)) {
    const part = Math.min(rest, newest.amount);
    newest.amount -= part;
    counter.used -= part;
    rest -= part;
    if (newest.amount === 0) counter.slices.pop();
  }
};

const decide = (policy: LimitPolicy, counter: Counter, isAllowed: boolean, cost: number, now: number): LimitDecision => ({
  isAllowed,
  policyName: policy.name,
  limit: policy.limit,
  windowMs: policy.windowMs,
  remaining: Math.max(0, policy.limit - counter.used),
  resetMs: freeIn(policy, counter, isAllowed ? 1 : counter.used + cost - policy.limit, now),
});

/** How long until at least `amount` of what was taken is free again; never longer than a window. */
const freeIn = (policy: LimitPolicy, counter: Counter, amount: number, now: number): number => {
  let freed = 0;
  for (const slice of counter.slices) {
    freed += slice.amount;
    if (freed >= amount) return slice.lastAt + policy.windowMs - now;
  }
  return counter.used === 0 ? 0 : policy.windowMs;
};
