import type { Database, Write } from '../../../database/database.ts';
import type { RemovalRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import type { TenantScope } from '../../../foundation/caller.ts';

interface OfPerson {
  readonly tenantId: string;
  readonly personId: string;
}

export type RemovalStore = ReturnType<typeof createRemovalStore>;

/** Accounts that were deleted and whose belongings are being removed, and what of them identity itself keeps. */
export const createRemovalStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertRemoval = template<RemovalRow>(
    build
      .insertInto('removals')
      .values({ subject: slot('subject'), tenantId: slot('tenantId'), kind: slot('kind'), createdAt: slot('createdAt') }),
  );
  const endRemoval = template<{ subject: string }>(build.deleteFrom('removals').where('subject', '=', slot<string>('subject')));
  const tenantId = slot<string>('tenantId');
  const personId = slot<string>('personId');

  // The rows of sessions stay until no token of them is out, for other processes to see that they ended; they keep no address. One that
  // was opened while the account was being deleted ends here.
  const forgetSessions = template<OfPerson & { at: number }>(
    build
      .updateTable('sessions')
      .set((eb) => ({ address: '', refreshExpiresAt: slot('at'), revokedAt: eb.fn.coalesce('revokedAt', eb.val(slot<number>('at'))) }))
      .where('tenantId', '=', tenantId)
      .where('address', '<>', '')
      .where((eb) => eb.or([eb('callerId', '=', personId), eb('personId', '=', personId)])),
  );
  const removeRefreshTokens = template<OfPerson>(
    build.deleteFrom('refreshTokens').where('sessionId', 'in', (eb) =>
      eb
        .selectFrom('sessions')
        .select('id')
        .where('tenantId', '=', tenantId)
        .where((or) => or.or([or('callerId', '=', personId), or('personId', '=', personId)])),
    ),
  );
  const removeDevices = template<OfPerson>(build.deleteFrom('devices').where('personId', '=', personId));
  const removePairings = template<OfPerson>(build.deleteFrom('pairings').where('personId', '=', personId));
  const removeAuthorizations = template<OfPerson>(build.deleteFrom('deviceAuthorizations').where('personId', '=', personId));
  const removeMailTokens = template<OfPerson>(build.deleteFrom('mailTokens').where('personId', '=', personId));
  const removeMails = template<OfPerson>(build.deleteFrom('mails').where('personId', '=', personId));
  const removeKeptAnswers = template<OfPerson>(
    build.deleteFrom('idempotencyKeys').where((eb) => eb.or([eb('callerId', '=', personId), eb('personId', '=', personId)])),
  );

  return {
    insertRemoval: insertRemoval.row,
    endRemoval: endRemoval.row,

    /** No PIN of the person is traded from here on, and no code that it approved. */
    removeCodes: (row: OfPerson): Write[] => [removePairings.row(row), removeAuthorizations.row(row)],

    /** Everything that identity keeps of a person but its own row and its devices' ids in the trace. */
    removeBelongings: (row: OfPerson & { at: number }): Write[] => [
      removeRefreshTokens.row(row),
      forgetSessions.row(row),
      removeDevices.row(row),
      removePairings.row(row),
      removeAuthorizations.row(row),
      removeMailTokens.row(row),
      removeMails.row(row),
      removeKeptAnswers.row(row),
    ],

    /** Removals belong to the instance: whoever works on them works on those of all tenants. Oldest first. */
    listRemovals: (limit: number): Promise<RemovalRow[]> =>
      read.selectFrom('removals').selectAll().orderBy('createdAt').orderBy('subject').limit(limit).execute(),

    async listDeviceIds(scope: TenantScope, personId: string): Promise<string[]> {
      const rows = await read
        .selectFrom('devices')
        .select('id')
        .where('personId', '=', personId)
        .where('tenantId', '=', scope.tenantId)
        .execute();
      return rows.map(({ id }) => id);
    },
  };
};
