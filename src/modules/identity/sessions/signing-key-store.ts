import type { Database, Trx } from '../../../database/database.ts';
import type { SigningKeyRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';

export type SigningKeyStore = ReturnType<typeof createSigningKeyStore>;

/** Keys belong to the instance, not to a tenant. */
export const createSigningKeyStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertKey = template<SigningKeyRow>(
    build.insertInto('signingKeys').values({
      id: slot('id'),
      publicJwkJson: slot('publicJwkJson'),
      sealedPrivateKey: slot('sealedPrivateKey'),
      createdAt: slot('createdAt'),
      retiresAt: slot('retiresAt'),
      expiresAt: slot('expiresAt'),
    }),
  );
  const removeExpiredKeys = template<{ before: number }>(build.deleteFrom('signingKeys').where('expiresAt', '<', slot<number>('before')));
  const retireKeys = template<{ at: number; expiresAt: number }>(
    build
      .updateTable('signingKeys')
      .set({ retiresAt: slot('at'), expiresAt: slot('expiresAt') })
      .where('retiresAt', '>', slot<number>('at')),
  );
  const removeAllKeys = template<object>(build.deleteFrom('signingKeys'));

  return {
    insertKey: insertKey.row,
    removeExpiredKeys: removeExpiredKeys.row,
    /** Of those that would sign longer than `at`. */
    retireKeys: retireKeys.row,
    removeAllKeys: () => removeAllKeys.row({}),

    /** Oldest first. */
    listKeys: (now: number, { query }: Pick<Trx, 'query'> = { query: read }): Promise<SigningKeyRow[]> =>
      query.selectFrom('signingKeys').selectAll().where('expiresAt', '>', now).orderBy('createdAt').orderBy('id').execute(),
  };
};
