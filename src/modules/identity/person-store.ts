import type { Database, Statement, Trx } from '../../database/database.ts';
import type { PersonRow, SetUpTokenRow, TakenNameRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { TenantScope } from '../../foundation/caller.ts';

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
  const removeUnusedSetUpTokens = template<object>(build.deleteFrom('setUpTokens').where('usedAt', 'is', null));

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
  };
};
