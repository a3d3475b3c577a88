import { Problem } from '../../foundation/problem.ts';
import { hashOf } from '../../foundation/secret.ts';
import type { LimitDecision, Limiter, LimitPolicy } from '../../limits/limiter.ts';
import { addressGroup } from './addresses.ts';

const windowMs = 15 * 60 * 1000;
/** Failures that one name may have from one address, unless a guess says otherwise. */
export const nameLimit: LimitPolicy = { name: 'sign-in', limit: 10, windowMs };
/** Failures that one address may have with all names. */
export const addressLimit: LimitPolicy = { name: 'sign-in-address', limit: 100, windowMs };

/** More than this do not wait for the outcome of others' tries. */
const maxWaiting = 1_000;

/** What a failure is counted by. */
export interface Counted {
  readonly policy: LimitPolicy;
  readonly key: string;
}

export interface Guess {
  /** What is guessed at: a user name or an `authId`. */
  readonly name: string;
  readonly address: string;
  /** How many failures this name may have from one address, where `nameLimit` is not what is meant. */
  readonly limit?: LimitPolicy | undefined;
  /** A limit of failures from all addresses together, for what is so short that many addresses could find it. Being right forgets them. */
  readonly everywhere?: Counted | undefined;
  /** Told before the try, so that the answer can show how many are left. May throw. */
  tell(decision: LimitDecision): void;
}

export interface Guessing {
  /**
   * Lets `attempt` try where this name and address have failures left; throws `too-many` where not, also for the right secret, while
   * other addresses go on (unless the limit `everywhere` is what is used up). Only tries that end in undefined count.
   */
  guard<T extends object>(guess: Guess, attempt: () => Promise<T | undefined>): Promise<T | undefined>;
}

/**
 * A try is counted before it is made and given back when it was right, so that many at once cannot guess more often than one after
 * the other. Where the limit is used up by tries that still run, the next one waits for how they end.
 */
export const createGuessing = ({ limiter }: { limiter: Limiter }): Guessing => {
  const running = new Map<string, number>();
  let wakeWaiting: (() => void)[] = [];

  const count = (id: string, change: 1 | -1) => {
    const next = (running.get(id) ?? 0) + change;
    if (next === 0) running.delete(id);
    else running.set(id, next);
  };

  const oneEnds = () => {
    if (wakeWaiting.length >= maxWaiting) throw new Problem('unavailable', 'Too many sign in at this moment.', { retryAfterMs: 2_000 });
    return new Promise<void>((resolve) => wakeWaiting.push(resolve));
  };

  /** Takes one, or finds that the limit is used up by tries that failed. */
  const take = async ({ policy, key }: Counted): Promise<LimitDecision> => {
    const id = idOf({ policy, key });
    for (;;) {
      const decision = await limiter.take(policy, key);
      if (decision.isAllowed) count(id, 1);
      if (decision.isAllowed || !running.has(id)) return decision;
      await oneEnds();
    }
  };

  const end = async (counted: Counted, isGivenBack: boolean) => {
    try {
      if (isGivenBack) await limiter.giveBack(counted.policy, counted.key);
    } finally {
      count(idOf(counted), -1);
      const waiting = wakeWaiting;
      wakeWaiting = [];
      for (const wake of waiting) wake();
    }
  };

  /** Takes one of each, or none at all; the decision is the tightest, or the one that refused. */
  const takeAll = async (all: readonly Counted[]): Promise<LimitDecision> => {
    const decisions: LimitDecision[] = [];
    const giveAllBack = async () => {
      for (const counted of all.slice(0, decisions.length)) await end(counted, true);
    };
    try {
      for (const counted of all) {
        const decision = await take(counted);
        if (!decision.isAllowed) {
          await giveAllBack();
          return decision;
        }
        decisions.push(decision);
      }
    } catch (error) {
      await giveAllBack();
      throw error;
    }
    return decisions.reduce((least, decision) => (decision.remaining < least.remaining ? decision : least));
  };

  return {
    async guard({ name, address, limit = nameLimit, everywhere, tell }, attempt) {
      const group = addressGroup(address);
      // The address first: whoever is refused there cannot fill the counters of names and devices.
      const counters = [
        { policy: addressLimit, key: group },
        { policy: limit, key: `${hashOf(name)} ${group}` },
        ...(everywhere ? [everywhere] : []),
      ];
      const decision = await takeAll(counters);
      if (!decision.isAllowed) {
        tell(decision);
        throw new Problem('too-many', 'Too many failed tries; wait and try again.', { retryAfterMs: decision.resetMs });
      }
      let [isFailure, isForgotten] = [false, false];
      try {
        tell(decision);
        const outcome = await attempt();
        isFailure = outcome === undefined;
        if (!isFailure && everywhere) {
          await limiter.reset(everywhere.policy, everywhere.key);
          isForgotten = true;
        }
        return outcome;
      } finally {
        for (const counted of counters) await end(counted, !isFailure && !(isForgotten && counted === everywhere));
      }
    },
  };
};

const idOf = ({ policy, key }: Counted): string => `${policy.name}\n${key}`;
