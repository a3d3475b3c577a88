import type { Clock } from '../../../foundation/clock.ts';
import type { PersonStore } from '../accounts/person-store.ts';
import { parseScopeList, roles } from '../permissions.ts';
import type { ServiceStore } from '../service-store.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { Denials } from './denials.ts';
import type { SessionStore } from './session-store.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Clocks of several machines differ, and a change is stamped a moment before it is committed: so much is read again each time. */
const overlapMs = 60_000;
const pageRows = 1_000;

/** Learns what other processes changed about tokens that are out: sessions ended, scopes changed, tenants suspended, keys made. */
export interface Watch {
  /** After it resolves everything committed before it was called counts here. The first look goes back as far as tokens may be out. */
  look(): Promise<void>;
}

export const createWatch = ({
  sessions,
  services,
  people,
  tenants,
  keys,
  denials,
  clock,
  accessTokenTtlMs,
}: {
  sessions: Pick<SessionStore, 'listEndedSessions'>;
  services: Pick<ServiceStore, 'listChangedServices'>;
  people: Pick<PersonStore, 'listChangedPeople'>;
  tenants: Pick<TenantStore, 'listTenantStates'>;
  keys: Pick<SigningKeys, 'reload'>;
  denials: Denials;
  clock: Clock;
  accessTokenTtlMs: number;
}): Watch => {
  let lookedAt = 0;

  const noteEndedSessions = async (since: number, lastUsedSince: number) => {
    let place = { at: since, id: '' };
    for (let rows = pageRows; rows === pageRows; ) {
      const ended = await sessions.listEndedSessions(lastUsedSince, place, pageRows);
      for (const { id, revokedAt } of ended) denials.endSession(id, revokedAt);
      const last = ended.at(-1);
      if (last) place = { at: last.revokedAt, id: last.id };
      rows = ended.length;
    }
  };

  return {
    async look() {
      const now = clock.now();
      const oldest = now - accessTokenTtlMs - overlapMs;
      const since = Math.max(lookedAt - overlapMs, oldest);
      await noteEndedSessions(since, oldest);
      for (const { id, scopesJson, updatedAt } of await services.listChangedServices(since)) {
        denials.changeScopes(id, new Set(parseScopeList(scopesJson)), updatedAt);
      }
      for (const { id, role, updatedAt } of await people.listChangedPeople(since)) {
        denials.changeScopes(id, new Set(roles[role]), updatedAt);
      }
      for (const tenant of await tenants.listTenantStates(since)) denials.noteTenant(tenant);
      denials.forgetBefore(oldest);
      await keys.reload();
      lookedAt = now;
    },
  };
};
