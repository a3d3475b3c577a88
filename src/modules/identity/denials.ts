import type { Caller, Scope } from '../../foundation/caller.ts';

/**
 * What changed about tokens that are out: sessions that were ended, callers whose scopes are others now. An entry is forgotten when
 * every token that it concerns has expired, so the list is as short as the last quarter of an hour.
 */
export interface Denials {
  /** `at` is when it happened. */
  endSession(sessionId: string, at: number): void;
  changeScopes(callerId: string, scopes: ReadonlySet<Scope>, at: number): void;
  /** From now on these tenants are suspended, and no others. */
  suspendOnly(tenantIds: Iterable<string>): void;
  suspend(tenantId: string): void;
  isSuspended(tenantId: string): boolean;
  /** The caller as it counts now; undefined when its session is over or its tenant suspended. `issuedAt` is the token's. */
  judge(caller: Caller, issuedAt: number): Caller | undefined;
  /** Forgets what happened before `before`: no token of then is valid any more. */
  forgetBefore(before: number): void;
}

/**
 * When there are more than `maxEntries`, the oldest are dropped and every token issued up to then is refused instead: its holder
 * refreshes and goes on, while nothing that was ended comes alive again.
 */
export const createDenials = ({ maxEntries = 100_000 }: { maxEntries?: number } = {}): Denials => {
  const ended = new Map<string, number>();
  const changed = new Map<string, { readonly scopes: ReadonlySet<Scope>; readonly at: number }>();
  let suspended = new Set<string>();
  let refusedUpTo = 0;

  const dropOldest = () => {
    for (const [sessionId, at] of ended) {
      ended.delete(sessionId);
      refusedUpTo = Math.max(refusedUpTo, at);
      return;
    }
  };

  return {
    endSession(sessionId, at) {
      if (ended.has(sessionId)) return;
      ended.set(sessionId, at);
      if (ended.size > maxEntries) dropOldest();
    },
    changeScopes(callerId, scopes, at) {
      const known = changed.get(callerId);
      if (known && known.at > at) return;
      changed.set(callerId, { scopes, at });
    },
    suspendOnly(tenantIds) {
      suspended = new Set(tenantIds);
    },
    suspend(tenantId) {
      suspended.add(tenantId);
    },
    isSuspended: (tenantId) => suspended.has(tenantId),
    judge(caller, issuedAt) {
      if (issuedAt <= refusedUpTo || ended.has(caller.sessionId) || suspended.has(caller.tenantId)) return undefined;
      // A device may do what its person may, so a change of the person is one of the device.
      const change = changed.get(caller.personId ?? caller.id);
      return change ? { ...caller, scopes: scopesWithin(change.scopes, caller) } : caller;
    },
    forgetBefore(before) {
      for (const [sessionId, at] of ended) if (at < before) ended.delete(sessionId);
      for (const [callerId, { at }] of changed) if (at < before) changed.delete(callerId);
    },
  };
};

/** What is left of changed scopes for a session: a limited one, or that of a device, never gets more than it was given. */
const scopesWithin = (scopes: ReadonlySet<Scope>, { scopes: given, isLimited, kind }: Caller): ReadonlySet<Scope> =>
  isLimited || kind === 'device' ? new Set([...scopes].filter((scope) => given.has(scope))) : scopes;
