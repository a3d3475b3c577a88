import type { Database, Statement, Trx } from '../../database/database.ts';
import type { ForeignPersonRow, PersonRow, SetUpTokenRow, TenantRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { TenantScope } from '../../foundation/caller.ts';
import { hashOf } from '../../foundation/secret.ts';

/** Somebody whom an identity provider vouches for; `person` is undefined where it was removed here. */
export interface ForeignPersonFound {
  readonly person: Pick<PersonRow, 'id' | 'tenantId' | 'role'> | undefined;
  readonly tenantState: TenantRow['state'] | null;
}

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
  const removeUnusedSetUpTokens = template<object>(build.deleteFrom('setUpTokens').where('usedAt', 'is', null));
  const insertForeignPerson = template<ForeignPersonRow>(
    build
      .insertInto('foreignPeople')
      .values({ issuer: slot('issuer'), subject: slot('subject'), personId: slot('personId'), createdAt: slot('createdAt') }),
  );

  return {
    /** Rejects with `UniqueViolation` when the user name is taken. */
    insertPerson: insertPerson.row,
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

    /** Rejects with `UniqueViolation` when the issuer's subject has a person. */
    insertForeignPerson: insertForeignPerson.row,

    /** The issuer's word is the proof, so this read has no other scope. */
    async findForeignPerson(
      issuer: string,
      subject: string,
      { query }: Pick<Trx, 'query'> = { query: read },
    ): Promise<ForeignPersonFound | undefined> {
      const row = await query
        .selectFrom('foreignPeople')
        .leftJoin('people', 'people.id', 'foreignPeople.personId')
        .leftJoin('tenants', 'tenants.id', 'people.tenantId')
        .select(['people.id', 'people.tenantId', 'people.role', 'tenants.state as tenantState'])
        .where('foreignPeople.issuer', '=', issuer)
        .where('foreignPeople.subject', '=', subject)
        .executeTakeFirst();
      if (!row) return undefined;
      const { id, tenantId, role, tenantState } = row;
      return { person: id === null || tenantId === null || role === null ? undefined : { id, tenantId, role }, tenantState };
    },

    /** Whether somebody has the user name, or had it once. */
    async isNameTaken(usernameKey: string, { query }: Pick<Trx, 'query'>): Promise<boolean> {
      const held = await query.selectFrom('people').select('id').where('usernameKey', '=', usernameKey).executeTakeFirst();
      const given = await query.selectFrom('takenNames').select('nameHash').where('nameHash', '=', hashOf(usernameKey)).executeTakeFirst();
      return held !== undefined || given !== undefined;
    },
  };
};
