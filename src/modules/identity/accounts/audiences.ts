import type { Caller, TenantScope } from '../../../foundation/caller.ts';
import type { ServiceStore } from '../service-store.ts';
import type { PersonStore } from './person-store.ts';

/** The audiences that the caller belongs to now (`roles` of its person); none for services and for people known elsewhere. */
export type AudiencesOf = (caller: Caller) => Promise<readonly string[]>;

export const createAudiencesOf =
  (people: Pick<PersonStore, 'findPerson'>): AudiencesOf =>
  async (caller) => {
    if (caller.kind === 'service' || caller.isKnownElsewhere) return [];
    const person = await people.findPerson(caller, caller.personId ?? caller.id);
    return person === undefined ? [] : JSON.parse(person.rolesJson);
  };

/**
 * The same by its id alone, for what somebody made and left: a person, a service, or somebody who is known elsewhere. Undefined where it is not
 * of that tenant (any more).
 */
export type AudiencesOfOwner = (scope: TenantScope, ownerId: string) => Promise<readonly string[] | undefined>;

export const createAudiencesOfOwner =
  (people: Pick<PersonStore, 'findPerson'>, services: Pick<ServiceStore, 'findService'>): AudiencesOfOwner =>
  async (scope, ownerId) => {
    if (ownerId.startsWith('svc_')) return (await services.findService(scope, ownerId)) === undefined ? undefined : [];
    if (!ownerId.startsWith('per_')) return []; // whether it is still known elsewhere, we are not told
    const person = await people.findPerson(scope, ownerId);
    return person === undefined ? undefined : JSON.parse(person.rolesJson);
  };
