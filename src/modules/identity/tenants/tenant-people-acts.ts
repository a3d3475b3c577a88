import type { Database, Trx } from '../../../database/database.ts';
import type { PersonRow } from '../../../database/tables.ts';
import type { Caller, TenantScope } from '../../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import { type Page, type PageRequest, toPage } from '../../../foundation/page.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import type { DeleteAccount } from '../accounts/account-deletion.ts';
import type { MailTokens } from '../accounts/mail-tokens.ts';
import type { Passwords } from '../accounts/passwords.ts';
import { type MakePerson, orNameTaken } from '../accounts/person-acts.ts';
import { mustBeDisplayName, mustBeEmail, mustBePassword } from '../accounts/person-fields.ts';
import type { PersonStore } from '../accounts/person-store.ts';
import type { LockOut } from '../lock-out.ts';
import { mustHoldAll, type Role, roles } from '../permissions.ts';
import type { Denials } from '../sessions/denials.ts';
import type { Origin } from '../sessions/sessions.ts';

/** A person as those see it who look after the tenant. */
export interface PersonSeen {
  readonly id: string;
  readonly username: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly role: Role;
  readonly roles: string[];
  readonly state: PersonRow['state'];
  readonly createdAt: string;
}

export interface NewTenantPerson {
  readonly username: string;
  readonly password: string;
  readonly email?: string;
  readonly displayName?: string;
  readonly role: Role;
  readonly roles?: readonly string[];
}

/** What is not given stays as it is; null takes away. */
export interface PersonChange {
  readonly password?: string;
  readonly email?: string | null;
  readonly displayName?: string | null;
  readonly role?: Role;
  readonly roles?: readonly string[] | null;
}

/**
 * The people of the caller's own tenant; those of others are `not-found`. Nobody makes or changes a person who may do more than itself
 * (`not-allowed`). The instance keeps an operator (`conflict`).
 */
export interface TenantPeople {
  /** Throws `conflict` where the user name is taken, in whichever tenant. */
  create(caller: Caller, wanted: NewTenantPerson, origin: Origin): Promise<PersonSeen>;
  list(scope: TenantScope, page: PageRequest): Promise<Page<PersonSeen>>;
  get(scope: TenantScope, id: string): Promise<PersonSeen>;
  /** A changed role counts at once, also for the sessions that are open; a changed password ends them. */
  change(caller: Caller, id: string, changes: PersonChange, origin: Origin): Promise<PersonSeen>;
  /** With all that it owns; its sessions and those of its devices end. */
  remove(caller: Caller, id: string, origin: Origin): Promise<void>;
}

export const createTenantPeople = ({
  database,
  store,
  lockOut,
  passwords,
  tokens,
  makePerson,
  deleteAccount,
  denials,
  trace,
  clock,
  defaultTenantId,
}: {
  database: Pick<Database, 'write' | 'transaction'>;
  store: PersonStore;
  lockOut: LockOut;
  passwords: Pick<Passwords, 'hash'>;
  tokens: Pick<MailTokens, 'revoke'>;
  makePerson: MakePerson;
  deleteAccount: DeleteAccount;
  denials: Pick<Denials, 'changeScopes'>;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  defaultTenantId: string;
}): TenantPeople => {
  const traced = (caller: Caller, id: string, { requestId }: Origin, acts: readonly Pick<TraceEntryIn, 'what' | 'detail'>[]) =>
    trace.entries(
      acts.map((act) => ({
        tenantId: caller.tenantId,
        subject: id,
        kind: 'person',
        requestId,
        at: clock.now(),
        who: caller.id,
        ...act,
      })),
    );

  const mustMayGive = (caller: Caller, role: Role) => {
    mustHoldAll(caller, roles[role]);
    if (role === 'operator' && caller.tenantId !== defaultTenantId)
      throw new Problem('not-allowed', 'Operators belong to the tenant `default`.');
  };

  const getRow = async (scope: TenantScope, id: string): Promise<PersonRow> => (await store.findPerson(scope, id)) ?? refuseUnknown(id);

  /** The person, held until the transaction ends; `role` is what it is to have then. */
  const hold = async (trx: Pick<Trx, 'query'>, caller: Caller, id: string, role: Role): Promise<PersonRow> => {
    const row = (await store.holdPerson(trx, caller, id, clock.now())) ?? refuseUnknown(id);
    mustHoldAll(caller, roles[row.role]);
    if (row.role !== 'operator' || role === 'operator') return row;
    if (await store.hasOtherOperator(trx, id)) return row;
    throw new Problem('conflict', 'This is the last operator; make another one first.');
  };

  return {
    async create(caller, wanted, origin) {
      mustMayGive(caller, wanted.role);
      const making = { what: 'created', who: caller.id, requestId: origin.requestId, detail: { role: wanted.role } } as const;
      const { person, writes } = await makePerson({ ...wanted, tenantId: caller.tenantId }, making);
      await orNameTaken(database.write(writes));
      return toSeen(person);
    },

    async list(scope, page) {
      const rows = await store.listPeople(scope, page);
      return toPage(rows, page.limit, (row) => [row.id], toSeen);
    },

    get: async (scope, id) => toSeen(await getRow(scope, id)),

    async change(caller, id, changes, origin) {
      const seen = await getRow(caller, id);
      mustHoldAll(caller, roles[seen.role]);
      if (changes.role !== undefined && changes.role !== seen.role) mustMayGive(caller, changes.role);
      await mustBeChange(changes);
      const passwordHash = changes.password === undefined ? undefined : await passwords.hash(changes.password);
      const { row, locked } = await database.transaction(async (trx) => {
        const before = await hold(trx, caller, id, changes.role ?? seen.role);
        const after = changed(before, changes, passwordHash);
        const results = await trx.run([
          ...(passwordHash === undefined ? [] : lockOut.writes(before)),
          // What was mailed to the address before proves nothing any more.
          ...(after.email === before.email ? [] : [tokens.revoke(id, 'reset'), tokens.revoke(id, 'confirm')]),
          store.updatePerson(after),
          ...traced(caller, id, origin, actsOf(before, after, changes)),
        ]);
        return { row: after, locked: passwordHash === undefined ? [] : results };
      });
      denials.changeScopes(id, new Set(roles[row.role]), row.updatedAt);
      lockOut.note(locked);
      return toSeen(row);
    },

    async remove(caller, id, origin) {
      await deleteAccount(await getRow(caller, id), caller.id, origin, (person) => mustHoldAll(caller, roles[person.role]));
    },
  };
};

const refuseUnknown = (id: string): never => {
  throw new Problem('not-found', `There is no ${id} among the people of your tenant.`);
};

const mustBeChange = async ({ email, displayName, password }: PersonChange): Promise<void> => {
  if (typeof email === 'string') mustBeEmail(email);
  if (typeof displayName === 'string') mustBeDisplayName(displayName);
  if (password !== undefined) await mustBePassword(password);
};

/** A member that is not given stays; null takes it away. */
const merged = (given: string | null | undefined, before: string | null): string | null => (given === undefined ? before : given);

const changed = (before: PersonRow, changes: PersonChange, passwordHash: string | undefined): PersonRow => ({
  ...before,
  passwordHash: passwordHash ?? before.passwordHash,
  email: merged(changes.email, before.email),
  // Who looks after the tenant vouches for the address that it gives; who sets a password locks out whoever may have named another one.
  pendingEmail: changes.email === undefined && passwordHash === undefined ? before.pendingEmail : null,
  state: typeof changes.email === 'string' ? 'active' : before.state,
  displayName: merged(changes.displayName, before.displayName),
  role: changes.role ?? before.role,
  rolesJson: changes.roles === undefined ? before.rolesJson : JSON.stringify(changes.roles ?? []),
});

/** What the trace tells of a change: names of fields, never what people are called or where their mail goes. */
const actsOf = (before: PersonRow, after: PersonRow, changes: PersonChange): Pick<TraceEntryIn, 'what' | 'detail'>[] => {
  const { password, role: _role, ...others } = changes;
  const fields = Object.keys(others);
  return [
    ...(before.role === after.role ? [] : [{ what: 'role-changed', detail: { from: before.role, to: after.role } } as const]),
    ...(password === undefined ? [] : [{ what: 'password-changed', detail: {} } as const]),
    ...(fields.length === 0 ? [] : [{ what: 'changed', detail: { fields } } as const]),
  ];
};

const toSeen = (row: PersonRow): PersonSeen => ({
  id: row.id,
  username: row.username,
  ...(row.email === null ? {} : { email: row.email }),
  ...(row.displayName === null ? {} : { displayName: row.displayName }),
  role: row.role,
  roles: JSON.parse(row.rolesJson),
  state: row.state,
  createdAt: toRfc3339(row.createdAt),
});
