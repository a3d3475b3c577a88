import type { Database, Statement, Trx } from '../../database/database.ts';
import type { ForeignPersonRow, PersonRow, RemovalRow, SetUpTokenRow, TakenNameRow, TenantRow } from '../../database/tables.ts';
import { slot, template } from '../../database/template.ts';
import type { TenantScope } from '../../foundation/caller.ts';
import { decodeCursor, type PageRequest } from '../../foundation/page.ts';
import { laterThanBefore } from './change-store.ts';

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
  const removePerson = template<{ tenantId: string; id: string }>(
    build.deleteFrom('people').where('id', '=', slot<string>('id')).where('tenantId', '=', slot<string>('tenantId')),
  );
  const removeMailTokens = template<{ personId: string }>(build.deleteFrom('mailTokens').where('personId', '=', slot<string>('personId')));
  const removeMails = template<{ personId: string }>(build.deleteFrom('mails').where('personId', '=', slot<string>('personId')));
  const insertRemoval = template<RemovalRow>(
    build.insertInto('removals').values({
      subject: slot('subject'),
      tenantId: slot('tenantId'),
      kind: slot('kind'),
      createdAt: slot('createdAt'),
    }),
  );
  const removeUnusedSetUpTokens = template<object>(build.deleteFrom('setUpTokens').where('usedAt', 'is', null));
  const insertForeignPerson = template<ForeignPersonRow>(
    build
      .insertInto('foreignPeople')
      .values({ issuer: slot('issuer'), subjectHash: slot('subjectHash'), personId: slot('personId'), createdAt: slot('createdAt') }),
  );

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
    removePerson: (row: { tenantId: string; id: string }): Statement => ({ ...removePerson.row(row), mustChange: 1 }),
    /** What hangs on a person: its mails and what they carry. */
    removeBelongings: (row: { personId: string }): Statement[] => [removeMailTokens.row(row), removeMails.row(row)],
    removeMailTokens: removeMailTokens.row,
    insertRemoval: insertRemoval.row,

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

    /** All operators of the instance. Holds their rows, so that of two who go at once one sees that it is the last. */
    async holdOperators({ query }: Pick<Trx, 'query'>): Promise<string[]> {
      const rows = await query
        .updateTable('people')
        .set((eb) => ({ role: eb.ref('role') }))
        .where('role', '=', 'operator')
        .returning('id')
        .execute();
      return rows.map(({ id }) => id);
    },

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
  };
};
