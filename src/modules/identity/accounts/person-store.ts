import type { Database, Statement, Trx } from '../../../database/database.ts';
import type { ForeignPersonRow, PersonRow, SetUpTokenRow, TakenNameRow, TenantRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import type { TenantScope } from '../../../foundation/caller.ts';
import { decodeCursor, type PageRequest } from '../../../foundation/page.ts';
import { laterThanBefore } from '../change-store.ts';

/** Somebody whom an identity provider vouches for; `person` is undefined where it was removed here. */
export interface ForeignPersonFound {
  readonly person: Pick<PersonRow, 'id' | 'tenantId' | 'role'> | undefined;
  readonly tenantState: TenantRow['state'] | null;
}

/** A password's hash takes the place of the one that was looked at. */
export interface PasswordReplaced {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

type ProfileRow = Pick<PersonRow, 'id' | 'tenantId' | 'displayName' | 'email' | 'pendingEmail' | 'updatedAt'>;

export type PersonStore = ReturnType<typeof createPersonStore>;

export const createPersonStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertPerson = template<PersonRow>(
    build.insertInto('people').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      username: slot('username'),
      usernameKey: slot('usernameKey'),
      passwordHash: slot('passwordHash'),
      email: slot('email'),
      pendingEmail: slot('pendingEmail'),
      displayName: slot('displayName'),
      role: slot('role'),
      rolesJson: slot('rolesJson'),
      state: slot('state'),
      createdAt: slot('createdAt'),
      updatedAt: slot('updatedAt'),
    }),
  );
  const takeName = template<TakenNameRow>(build.insertInto('takenNames').values({ nameHash: slot('nameHash') }));
  const insertSetUpToken = template<SetUpTokenRow>(
    build.insertInto('setUpTokens').values({ tokenHash: slot('tokenHash'), createdAt: slot('createdAt'), usedAt: slot('usedAt') }),
  );
  const useSetUpToken = template<{ tokenHash: string; at: number }>(
    build
      .updateTable('setUpTokens')
      .set({ usedAt: slot('at') })
      .where('tokenHash', '=', slot<string>('tokenHash'))
      .where('usedAt', 'is', null),
  );
  const updatePerson = template<PersonRow>(
    build
      .updateTable('people')
      .set({
        passwordHash: slot('passwordHash'),
        email: slot('email'),
        pendingEmail: slot('pendingEmail'),
        displayName: slot('displayName'),
        role: slot('role'),
        rolesJson: slot('rolesJson'),
        state: slot('state'),
        updatedAt: slot('updatedAt'),
      })
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId')),
  );
  const removeUnusedSetUpTokens = template<object>(build.deleteFrom('setUpTokens').where('usedAt', 'is', null));
  const insertForeignPerson = template<ForeignPersonRow>(
    build
      .insertInto('foreignPeople')
      .values({ issuer: slot('issuer'), subjectHash: slot('subjectHash'), personId: slot('personId'), createdAt: slot('createdAt') }),
  );

  const keepName = template<TakenNameRow>(
    build
      .insertInto('takenNames')
      .values({ nameHash: slot('nameHash') })
      .onConflict((conflict) => conflict.doNothing()),
  );
  const replaceHash = template<PasswordReplaced>(
    build
      .updateTable('people')
      .set({ passwordHash: slot('to') })
      .where('id', '=', slot<string>('id'))
      .where('passwordHash', '=', slot<string>('from')),
  );
  const changePassword = template<PasswordReplaced & { at: number }>(
    build
      .updateTable('people')
      .set({ passwordHash: slot('to'), pendingEmail: null, updatedAt: laterThanBefore(slot('at')) })
      .where('id', '=', slot<string>('id'))
      .where('passwordHash', '=', slot<string>('from')),
  );
  const resetPassword = template<{ id: string; to: string; at: number }>(
    build
      .updateTable('people')
      .set({ passwordHash: slot('to'), pendingEmail: null, state: 'active', updatedAt: laterThanBefore(slot('at')) })
      .where('id', '=', slot<string>('id')),
  );
  const confirmEmail = template<{ id: string; at: number }>(
    build
      .updateTable('people')
      .set((eb) => ({
        state: 'active',
        email: eb.fn.coalesce('pendingEmail', 'email'),
        pendingEmail: null,
        updatedAt: laterThanBefore(slot('at')),
      }))
      .where('id', '=', slot<string>('id')),
  );
  const changeProfile = template<ProfileRow>(
    build
      .updateTable('people')
      .set({
        displayName: slot('displayName'),
        email: slot('email'),
        pendingEmail: slot('pendingEmail'),
        updatedAt: laterThanBefore(slot('updatedAt')),
      })
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId')),
  );
  const removePerson = template<{ tenantId: string; id: string; passwordHash: string }>(
    build
      .deleteFrom('people')
      .where('id', '=', slot<string>('id'))
      .where('tenantId', '=', slot<string>('tenantId'))
      .where('passwordHash', '=', slot<string>('passwordHash')),
  );
  const refused = (statement: Statement): Statement => ({ ...statement, mustChange: 1 });

  return {
    /** Rejects with `UniqueViolation` when the user name is taken. */
    insertPerson: insertPerson.row,
    /** Rejects with `UniqueViolation` when somebody has or had the name. */
    takeName: takeName.row,
    insertSetUpToken: insertSetUpToken.row,
    /** Refused by the database when the token was used already. */
    useSetUpToken: (row: { tokenHash: string; at: number }): Statement => ({ ...useSetUpToken.row(row), mustChange: 1 }),
    removeUnusedSetUpTokens: (): Statement => removeUnusedSetUpTokens.row({}),

    findPerson: (scope: TenantScope, id: string): Promise<PersonRow | undefined> =>
      read.selectFrom('people').selectAll().where('id', '=', id).where('tenantId', '=', scope.tenantId).executeTakeFirst(),

    /** Signing in knows no tenant yet: user names are unique in the instance. */
    findPersonByUsername: (usernameKey: string): Promise<PersonRow | undefined> =>
      read.selectFrom('people').selectAll().where('usernameKey', '=', usernameKey).executeTakeFirst(),

    /** Where the instance has one, it is set up. `query` is that of a transaction where the answer decides about a write. */
    async hasOperator({ query }: Pick<Trx, 'query'> = { query: read }): Promise<boolean> {
      return (await query.selectFrom('people').select('id').where('role', '=', 'operator').limit(1).executeTakeFirst()) !== undefined;
    },

    /** People of all tenants that were changed since `since`, with their roles; for tokens that are out. */
    listChangedPeople: (since: number): Promise<Pick<PersonRow, 'id' | 'role' | 'updatedAt'>[]> =>
      read.selectFrom('people').select(['id', 'role', 'updatedAt']).where('updatedAt', '>=', since).execute(),

    findUnusedSetUpToken: (): Promise<SetUpTokenRow | undefined> =>
      read.selectFrom('setUpTokens').selectAll().where('usedAt', 'is', null).orderBy('createdAt', 'desc').limit(1).executeTakeFirst(),

    async getTenantId(slug: string): Promise<string> {
      const tenant = await read.selectFrom('tenants').select('id').where('slug', '=', slug).executeTakeFirst();
      if (!tenant) throw new Error(`The tenant ${slug} is missing from the database.`);
      return tenant.id;
    },

    updatePerson: (row: PersonRow): Statement => ({ ...updatePerson.row(row), mustChange: 1 }),

    /** Newest first, one more than the limit. */
    async listPeople(scope: TenantScope, { limit, cursor }: PageRequest): Promise<PersonRow[]> {
      const query = read
        .selectFrom('people')
        .selectAll()
        .where('tenantId', '=', scope.tenantId)
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (cursor === undefined) return await query.execute();
      const [id] = decodeCursor(cursor, ['string'] as const);
      return await query.where('id', '<', id).execute();
    },

    /** The person with the time of this change. Holds its row: nobody else changes it until the transaction ends. */
    holdPerson: ({ query }: Pick<Trx, 'query'>, scope: TenantScope, id: string, now: number): Promise<PersonRow | undefined> =>
      query
        .updateTable('people')
        .set({ updatedAt: laterThanBefore(now) })
        .where('id', '=', id)
        .where('tenantId', '=', scope.tenantId)
        .returningAll()
        .executeTakeFirst(),

    /** Rejects with `UniqueViolation` when the issuer's subject has a person. */
    insertForeignPerson: insertForeignPerson.row,

    /** The issuer's word is the proof, so this read has no other scope. */
    async findForeignPerson(
      issuer: string,
      subjectHash: string,
      { query }: Pick<Trx, 'query'> = { query: read },
    ): Promise<ForeignPersonFound | undefined> {
      const row = await query
        .selectFrom('foreignPeople')
        .leftJoin('people', 'people.id', 'foreignPeople.personId')
        .leftJoin('tenants', 'tenants.id', 'people.tenantId')
        .select(['people.id', 'people.tenantId', 'people.role', 'tenants.state as tenantState'])
        .where('foreignPeople.issuer', '=', issuer)
        .where('foreignPeople.subjectHash', '=', subjectHash)
        .executeTakeFirst();
      if (!row) return undefined;
      const { id, tenantId, role, tenantState } = row;
      return { person: id === null || tenantId === null || role === null ? undefined : { id, tenantId, role }, tenantState };
    },

    /** Whether somebody has the user name, or had it once. */
    async isNameTaken(
      { usernameKey, nameHash }: { usernameKey: string; nameHash: string },
      { query }: Pick<Trx, 'query'>,
    ): Promise<boolean> {
      const held = await query.selectFrom('people').select('id').where('usernameKey', '=', usernameKey).executeTakeFirst();
      const given = await query.selectFrom('takenNames').select('nameHash').where('nameHash', '=', nameHash).executeTakeFirst();
      return held !== undefined || given !== undefined;
    },

    /** Takes a name that its person has already. */
    keepName: keepName.row,
    /**
     * These are refused by the database when the person is gone or its password was changed meanwhile. A changed password drops an address
     * that waits to be confirmed: it may be that of whom the change is to lock out.
     */
    replaceHash: (row: PasswordReplaced): Statement => refused(replaceHash.row(row)),
    changePassword: (row: PasswordReplaced & { at: number }): Statement => refused(changePassword.row(row)),
    removePerson: (row: { tenantId: string; id: string; passwordHash: string }): Statement => refused(removePerson.row(row)),
    /** These are refused by the database when the person is gone. The first ones prove that mails to the person arrive. */
    resetPassword: (row: { id: string; to: string; at: number }): Statement => refused(resetPassword.row(row)),
    confirmEmail: (row: { id: string; at: number }): Statement => refused(confirmEmail.row(row)),
    changeProfile: (row: ProfileRow): Statement => refused(changeProfile.row(row)),

    /** For a change that depends on what is there. */
    findPersonIn: ({ query }: Pick<Trx, 'query'>, scope: TenantScope, id: string): Promise<PersonRow | undefined> =>
      query.selectFrom('people').selectAll().where('id', '=', id).where('tenantId', '=', scope.tenantId).executeTakeFirst(),

    /** Holds the rows of all operators until the transaction ends, so that of two who go at once one sees that it is the last. */
    async hasOtherOperator({ query }: Pick<Trx, 'query'>, id: string): Promise<boolean> {
      const operators = await query
        .updateTable('people')
        .set((eb) => ({ role: eb.ref('role') }))
        .where('role', '=', 'operator')
        .returning('id')
        .execute();
      return operators.some((operator) => operator.id !== id);
    },
  };
};
