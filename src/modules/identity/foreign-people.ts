import { type Database, type Trx, UniqueViolation } from '../../database/database.ts';
import type { PersonRow } from '../../database/tables.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import { Problem } from '../../foundation/problem.ts';
import { hashOf } from '../../foundation/secret.ts';
import type { Trace } from '../trace/trace.ts';
import { nameHashOf } from './accounts/person-acts.ts';
import type { ForeignPersonFound, PersonStore } from './accounts/person-store.ts';
import { isUsername, usernameKeyOf } from './accounts/usernames.ts';
import type { TenantStore } from './tenants/tenant-store.ts';

/** What an identity provider says about a person. Only `iss` and `sub` are what they must be; the rest may be anything. */
export interface ForeignClaims {
  readonly iss: string;
  readonly sub: string;
  readonly [claim: string]: unknown;
}

/** The people whom trusted identity providers vouch for. */
export interface ForeignPeople {
  /**
   * The person as it stands now; made at first sight, once, however many ask at the same time. Throws `sign-up-closed` where it would be
   * new and nobody may sign up, `tenant-suspended`, and `not-allowed` for one that was removed here: its link stays as a mark, so that
   * an identity provider that knows nothing of it does not bring it back.
   */
  personOf(claims: ForeignClaims, address: string): Promise<Pick<PersonRow, 'id' | 'tenantId' | 'role'>>;
}

/** Somebody else makes the same person, or takes the same name, at the same moment: then it is there at the next look. */
const maxTries = 3;
const maxTextLength = 128;
const maxEmailLength = 254;

export const createForeignPeople = ({
  database,
  people,
  tenants,
  trace,
  clock,
  ids,
  tenantId,
}: {
  database: Pick<Database, 'transaction'>;
  people: PersonStore;
  tenants: Pick<TenantStore, 'findTenant'>;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  ids: Ids;
  /** The tenant of everybody who comes this way. */
  tenantId: string;
}): ForeignPeople => {
  const make = async (trx: Trx, claims: ForeignClaims, address: string): Promise<void> => {
    if (await people.findForeignPerson(claims.iss, hashOf(claims.sub), trx)) return;
    const id = ids.next('person');
    const now = clock.now();
    const wanted = typeof claims.preferred_username === 'string' ? claims.preferred_username.normalize('NFKC') : '';
    const wantedKey = usernameKeyOf(wanted);
    const isWantedFree =
      isUsername(wanted) && !(await people.isNameTaken({ usernameKey: wantedKey, nameHash: nameHashOf(wantedKey) }, trx));
    const username = isWantedFree ? wanted : id;
    const person: PersonRow = {
      id,
      tenantId,
      username,
      usernameKey: usernameKeyOf(username),
      passwordHash: '',
      email: emailIn(claims),
      pendingEmail: null,
      displayName: textIn(claims.name, maxTextLength),
      role: 'member',
      rolesJson: '[]',
      state: 'active',
      createdAt: now,
      updatedAt: now,
    };
    const { iss: issuer, sub } = claims;
    const entry = {
      tenantId,
      subject: id,
      kind: 'person',
      at: now,
      what: 'signed-up',
      who: id,
      place: address,
      detail: { issuer },
    } as const;
    await trx.run([
      people.takeName({ nameHash: nameHashOf(person.usernameKey) }),
      people.insertPerson(person),
      people.insertForeignPerson({ issuer, subjectHash: hashOf(sub), personId: id, createdAt: now }),
      ...trace.entries([entry]),
    ]);
  };

  const makeUnlessClosed = async (claims: ForeignClaims, address: string) => {
    const tenant = await tenants.findTenant(tenantId);
    if (tenant?.state !== 'active') throw tenantSuspended();
    if (tenant.signUp === 'closed') throw new Problem('sign-up-closed', 'There is no account for this person, and nobody can sign up.');
    try {
      await database.transaction((trx) => make(trx, claims, address));
    } catch (error) {
      if (!(error instanceof UniqueViolation)) throw error;
    }
  };

  return {
    async personOf(claims, address) {
      for (let tries = 0; tries < maxTries; tries += 1) {
        const found = await people.findForeignPerson(claims.iss, hashOf(claims.sub));
        if (found) return standing(found);
        await makeUnlessClosed(claims, address);
      }
      throw new Error('A person of an identity provider cannot be made.');
    },
  };
};

const standing = ({ person, tenantState }: ForeignPersonFound) => {
  if (!person) throw new Problem('not-allowed', 'The account of this person was removed here.');
  if (tenantState !== 'active') throw tenantSuspended();
  return person;
};

const tenantSuspended = () => new Problem('tenant-suspended', 'The tenant of this person is suspended.');

/** Where it is a text that can be shown; else it is as if it were not there. */
const textIn = (value: unknown, maxLength: number): string | null => {
  const text = typeof value === 'string' ? value.normalize('NFC').trim() : '';
  return text === '' || text.length > maxLength || /[\p{Cc}\p{Cf}\p{Cs}]/u.test(text) ? null : text;
};

/** An address that the provider itself does not vouch for could be anybody's. */
const emailIn = ({ email, email_verified: isVerified }: ForeignClaims): string | null => {
  const text = isVerified === false || isVerified === 'false' ? null : textIn(email, maxEmailLength);
  return text !== null && /^[^\s@<>,;"]+@[^\s@<>,;"]+$/.test(text) ? text : null;
};
