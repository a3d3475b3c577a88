import type { Caller } from '../../../foundation/caller.ts';
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
