import type { TenantRow } from '../../../database/tables.ts';
import type { Caller, Scope } from '../../../foundation/caller.ts';
import { deviceScopesOf } from '../permissions.ts';

/**
 * What changed about tokens that are out: sessions that were ended, callers whose scopes are others now, tenants that are suspended. What
 * concerns tokens is forgotten when they have expired, so the list is as short as the last quarter of an hour.
 */
export interface Denials {
  /** `at` is when it happened. */
  endSession(sessionId: string, at: number): void;
  changeScopes(callerId: string, scopes: ReadonlySet<Scope>, at: number): void;
  /** The newest change of a tenant counts, whatever the order in which one hears of them. */
  noteTenant(tenant: Pick<TenantRow, 'id' | 'state' | 'updatedAt'>): void;
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
  const tenants = new Map<string, Pick<TenantRow, 'state' | 'updatedAt'>>();
  let refusedUpTo = 0;

  const dropOldest = () => {
    for (const [sessionId, at] of ended) {
      ended.delete(sessionId);
      refusedUpTo = Math.max(refusedUpTo, at);
      return;
    }
  };

  const isSuspended = (tenantId: string): boolean => tenants.get(tenantId)?.state === 'suspended';

  return {
    isSuspended,
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
    noteTenant({ id, state, updatedAt }) {
      const known = tenants.get(id);
      if (known && known.updatedAt > updatedAt) return;
      tenants.set(id, { state, updatedAt });
    },
    judge(caller, issuedAt) {
      if (issuedAt <= refusedUpTo || ended.has(caller.sessionId) || isSuspended(caller.tenantId)) return undefined;
      // A device may do what its person may, so a change of the person is one of the device.
      const change = changed.get(caller.personId ?? caller.id);
      return change ? { ...caller, scopes: scopesWithin(change.scopes, caller) } : caller;
    },
    forgetBefore(before) {
      for (const [sessionId, at] of ended) if (at < before) ended.delete(sessionId);
      for (const [callerId, { at }] of changed) if (at < before) changed.delete(callerId);
      for (const [tenantId, { state, updatedAt }] of tenants) if (state === 'active' && updatedAt < before) tenants.delete(tenantId);
    },
  };
};

/** A device never gets more than this of what its person may do. */
const mostOfDevices = deviceScopesOf('operator');

/** What changed scopes of a caller are for one of its sessions: a limited one never gets more than it was given. */
const scopesWithin = (scopes: ReadonlySet<Scope>, { scopes: given, isLimited, kind }: Caller): ReadonlySet<Scope> => {
  const within = (most: ReadonlySet<Scope>) => new Set([...scopes].filter((scope) => most.has(scope)));
  if (isLimited) return within(given);
  return kind === 'device' ? within(mostOfDevices) : scopes;
};
