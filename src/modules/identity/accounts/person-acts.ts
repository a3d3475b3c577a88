import { UniqueViolation, type Write } from '../../../database/database.ts';
import type { PersonRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf } from '../../../foundation/secret.ts';
import type { Trace, TraceWhat } from '../../trace/trace.ts';
import type { Role } from '../permissions.ts';
import type { Passwords } from './passwords.ts';
import { mustBeDisplayName, mustBeEmail, mustBePassword } from './person-fields.ts';
import type { PersonStore } from './person-store.ts';
import { mustBeUsername, usernameKeyOf } from './usernames.ts';

export interface PersonWanted {
  readonly tenantId: string;
  readonly username: string;
  readonly password: string;
  readonly email?: string | undefined;
  readonly displayName?: string | undefined;
  readonly role: Role;
  /** The audiences that it belongs to. */
  readonly roles?: readonly string[];
  readonly state?: PersonRow['state'];
}

/** How it came about, for the trace. */
export interface Making {
  readonly what: TraceWhat;
  /** Who made it; the person itself when absent. */
  readonly who?: string;
  readonly place?: string | undefined;
  readonly requestId?: string | undefined;
  readonly detail?: object;
}

export interface PersonMade {
  readonly person: PersonRow;
  /** To be carried out in one transaction, through `orNameTaken`. */
  readonly writes: Write[];
}

/**
 * Makes the row of a person, with its name taken for ever and its first trace entry; nothing is written yet. Throws `bad-body` for a
 * name, password or address that nobody may have (`at` is where the person stands in the body), and `unavailable` when too many passwords wait to be hashed.
 */
export type MakePerson = (wanted: PersonWanted, making: Making, at?: string) => Promise<PersonMade>;

export const createMakePerson =
  ({
    store,
    passwords,
    trace,
    clock,
    ids,
  }: {
    store: Pick<PersonStore, 'insertPerson' | 'takeName'>;
    passwords: Pick<Passwords, 'hash'>;
    trace: Pick<Trace, 'entries'>;
    clock: Clock;
    ids: Ids;
  }): MakePerson =>
  async (wanted, { what, who, place, requestId, detail }, at = '') => {
    const { tenantId, username, password, email, displayName, role, roles = [], state = 'active' } = wanted;
    mustBeUsername(username, `${at}/username`);
    if (email !== undefined) mustBeEmail(email, `${at}/email`);
    if (displayName !== undefined) mustBeDisplayName(displayName, `${at}/displayName`);
    await mustBePassword(password, `${at}/password`);
    const passwordHash = await passwords.hash(password);
    const now = clock.now();
    const person: PersonRow = {
      id: ids.next('person'),
      tenantId,
      username: username.normalize('NFKC'),
      usernameKey: usernameKeyOf(username),
      passwordHash,
      email: email ?? null,
      pendingEmail: null,
      displayName: displayName ?? null,
      role,
      rolesJson: JSON.stringify(roles),
      state,
      createdAt: now,
      updatedAt: now,
    };
    const entry = { tenantId, subject: person.id, kind: 'person', requestId, at: now, what, who: who ?? person.id, place, detail };
    return {
      person,
      writes: [store.takeName({ nameHash: nameHashOf(person.usernameKey) }), store.insertPerson(person), ...trace.entries([entry])],
    };
  };

/** What is kept of a name when its person is gone. */
export const nameHashOf = (usernameKey: string): string => hashOf(`username ${usernameKey}`);

/** The names that people have and had are unique in the database, so of many who want one at once exactly one gets it. */
export const orNameTaken = async <T>(writing: Promise<T>): Promise<T> => {
  try {
    return await writing;
  } catch (error) {
    if (error instanceof UniqueViolation) throw new Problem('conflict', 'The user name is taken.', { cause: error });
    throw error;
  }
};
