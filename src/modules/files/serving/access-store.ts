import { sql } from 'kysely';
import type { Database, Write } from '../../../database/database.ts';
import { elementsOf } from '../../../database/dialect.ts';
import type { AccessRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import { idBorder } from '../../../foundation/ids.ts';
import { isHidden } from '../sight-store.ts';
import type { Viewer } from '../viewer.ts';

/** What a list of accesses is limited to. */
export interface AccessFilter {
  readonly file?: string;
  readonly person?: string;
  readonly provider?: string;
  readonly language?: string;
  /** One of the audiences that the file was meant for. */
  readonly role?: string;
  readonly from?: number;
  /** Before this time. */
  readonly to?: number;
}

const accessColumns = [
  'accesses.tenantId',
  'accesses.ownerId',
  'accesses.fileId',
  'accesses.folderId',
  'accesses.name',
  'accesses.personId',
  'accesses.how',
  'accesses.address',
  'accesses.userAgent',
  'accesses.bytes',
  'accesses.provider',
  'accesses.language',
  'accesses.rolesJson',
  'accesses.at',
] as const;

export type AccessStore = ReturnType<typeof createAccessStore>;

/** Who fetched what. */
export const createAccessStore = (database: Pick<Database, 'build' | 'read' | 'write'>) => {
  const { build, read } = database;
  const insertAccess = template<AccessRow>(
    build.insertInto('accesses').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      ownerId: slot('ownerId'),
      fileId: slot('fileId'),
      folderId: slot('folderId'),
      name: slot('name'),
      personId: slot('personId'),
      how: slot('how'),
      address: slot('address'),
      userAgent: slot('userAgent'),
      bytes: slot('bytes'),
      provider: slot('provider'),
      language: slot('language'),
      rolesJson: slot('rolesJson'),
      at: slot<number>('at'),
    }),
  );
  const insertRole = template<{ ownerId: string; role: string; accessId: string; tenantId: string }>(
    build
      .insertInto('accessRoles')
      .values({ ownerId: slot('ownerId'), role: slot('role'), accessId: slot('accessId'), tenantId: slot('tenantId') })
      .onConflict((conflict) => conflict.doNothing()),
  );

  type Scope = 'tenantId' | 'ownerId';
  /** An expression, so that not all the accesses of a tenant or an owner are gone through where a file or a person has few of them. */
  const aside = (scope: Scope) => sql<string>`${sql.ref(`accesses.${scope}`)} || ''`;

  const accessesOf = (scope: Scope, scopeId: string, { file, person }: AccessFilter) => {
    const query = read.selectFrom('accesses').select(accessColumns).select('accesses.id');
    const isFew = file !== undefined || person !== undefined;
    return (isFew ? query.where(aside(scope), '=', scopeId) : query.where(`accesses.${scope}`, '=', scopeId)).as('accesses');
  };

  /** With the id of the other table, which is the one that is gone through in order. */
  const accessesForRole = (scope: Scope, scopeId: string, role: string) =>
    read
      .selectFrom('accessRoles')
      .innerJoin('accesses', 'accesses.id', 'accessRoles.accessId')
      .select(accessColumns)
      .select('accessRoles.accessId as id')
      .where(`accessRoles.${scope}`, '=', scopeId)
      .where('accessRoles.role', '=', role)
      .as('accesses');

  /** Removes these accesses with what hangs on them. */
  const removeAccesses = (ids: readonly string[]): Write[] => {
    const these = sql<string>`(select "value" from ${elementsOf(JSON.stringify(ids))})`;
    return [
      build
        .deleteFrom('accessRoles')
        .where(
          sql<boolean>`("ownerId", "role", "accessId") in (select "accesses"."ownerId", "roles"."value", "accesses"."id"
            from "accesses", ${elementsOf(sql.ref('accesses.rolesJson'))} as "roles" where "accesses"."id" in ${these})`,
        )
        .compile(),
      build.deleteFrom('accesses').where('id', 'in', these).compile(),
    ];
  };

  const removeFound = async (found: readonly { id: string }[]): Promise<number> => {
    if (found.length > 0) await database.write(removeAccesses(found.map(({ id }) => id)));
    return found.length;
  };

  return {
    insertAccesses(rows: readonly AccessRow[]): Write[] {
      const roles = rows.flatMap(
        ({ id, tenantId, ownerId, rolesJson }) =>
          rolesJson === '[]' ? [] : (JSON.parse(rolesJson) as string[]).map((role) => ({ ownerId, role, accessId: id, tenantId })), // a list of audiences
      );
      return [insertAccess.rows(rows), ...(roles.length === 0 ? [] : [insertRole.rows(roles)])];
    },

    /**
     * Newest first, from behind `after`: those of the viewer's own files, for an admin of all its tenant. What was fetched from a folder that is
     * locked now is left out; a file that is gone counts as where it was when it was fetched.
     */
    listAccesses(
      viewer: Viewer,
      filter: AccessFilter,
      { limit, after }: { limit: number; after: string | undefined },
    ): Promise<AccessRow[]> {
      const [scope, scopeId] = viewer.isAdmin ? (['tenantId', viewer.tenantId] as const) : (['ownerId', viewer.ownerId] as const);
      let query = read
        .selectFrom(filter.role === undefined ? accessesOf(scope, scopeId, filter) : accessesForRole(scope, scopeId, filter.role))
        .leftJoin('files', 'files.id', 'accesses.fileId')
        .selectAll('accesses')
        .where(aside('tenantId'), '=', viewer.tenantId)
        .where(
          sql<boolean>`not (case when "files"."id" is null then ${isHidden('accesses.folderId', viewer)} else ${isHidden('files.folderId', viewer)} end)`,
        );
      if (filter.file !== undefined) query = query.where('accesses.fileId', '=', filter.file);
      if (filter.person !== undefined) query = query.where('accesses.personId', '=', filter.person);
      if (filter.provider !== undefined) query = query.where('accesses.provider', '=', filter.provider);
      if (filter.language !== undefined) query = query.where('accesses.language', '=', filter.language);
      if (filter.from !== undefined) query = query.where('accesses.id', '>=', idBorder('access', filter.from));
      if (filter.to !== undefined) query = query.where('accesses.id', '<', idBorder('access', filter.to));
      if (after !== undefined) query = query.where('accesses.id', '<', after);
      return query.orderBy('accesses.id', 'desc').limit(limit).execute();
    },

    /** Removes those of the owner's files, at most `limit`; resolves with how many there were. */
    removeOfOwner: async (ownerId: string, limit: number): Promise<number> =>
      await removeFound(await read.selectFrom('accesses').select('id').where('ownerId', '=', ownerId).limit(limit).execute()),

    /** Removes those before that time, at most `limit`; resolves with how many there were. */
    removeOld: async (before: number, limit: number): Promise<number> =>
      await removeFound(
        await read.selectFrom('accesses').select('id').where('id', '<', idBorder('access', before)).orderBy('id').limit(limit).execute(),
      ),

    /** What that one fetched and is still told with its address, at most `limit`. */
    findToScrub: (personId: string, limit: number): Promise<{ id: string; fileId: string }[]> =>
      read
        .selectFrom('accesses')
        .select(['id', 'fileId'])
        .where('personId', '=', personId)
        .where('address', 'is not', null)
        .orderBy('id')
        .limit(limit)
        .execute(),

    /** Leaves of who fetched only its id. */
    scrub: (ids: readonly string[]): Write =>
      build.updateTable('accesses').set({ address: null, userAgent: null }).where('id', 'in', ids).compile(),
  };
};
