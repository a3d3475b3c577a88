import type { Database } from '../../../database/database.ts';
import type { LinkKeyRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';

export type LinkKeyStore = ReturnType<typeof createLinkKeyStore>;

/** Keys belong to the instance, not to a tenant. */
export const createLinkKeyStore = (database: Pick<Database, 'build' | 'read' | 'write'>) => {
  const { build, read } = database;
  const insertKey = template<LinkKeyRow>(
    build
      .insertInto('linkKeys')
      .values({ period: slot('period'), sealedKey: slot('sealedKey'), createdAt: slot('createdAt'), expiresAt: slot('expiresAt') })
      .onConflict((conflict) => conflict.doNothing()),
  );
  return {
    findKey: (period: number): Promise<LinkKeyRow | undefined> =>
      read.selectFrom('linkKeys').selectAll().where('period', '=', period).executeTakeFirst(),

    /** Writes the key of a period unless another process was faster. */
    async offerKey(row: LinkKeyRow): Promise<void> {
      await database.write([insertKey.row(row)]);
    },

    async removeExpired(now: number): Promise<void> {
      await database.write([build.deleteFrom('linkKeys').where('expiresAt', '<', now).compile()]);
    },
  };
};
