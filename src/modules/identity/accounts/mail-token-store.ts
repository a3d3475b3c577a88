import type { Database, Statement } from '../../../database/database.ts';
import type { MailTokenRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';

export type MailPurpose = MailTokenRow['purpose'];

export type MailTokenStore = ReturnType<typeof createMailTokenStore>;

/** Whoever holds a token needs no other proof, so these reads have no tenant. */
export const createMailTokenStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertToken = template<MailTokenRow>(
    build.insertInto('mailTokens').values({
      tokenHash: slot('tokenHash'),
      purpose: slot('purpose'),
      tenantId: slot('tenantId'),
      personId: slot('personId'),
      createdAt: slot('createdAt'),
      expiresAt: slot('expiresAt'),
    }),
  );
  const useToken = template<{ tokenHash: string }>(build.deleteFrom('mailTokens').where('tokenHash', '=', slot<string>('tokenHash')));
  const removeTokens = template<{ personId: string; purpose: MailPurpose }>(
    build.deleteFrom('mailTokens').where('personId', '=', slot<string>('personId')).where('purpose', '=', slot<MailPurpose>('purpose')),
  );
  const removeExpiredTokens = template<{ before: number; limit: number }>(
    build
      .deleteFrom('mailTokens')
      .where('tokenHash', 'in', (eb) =>
        eb.selectFrom('mailTokens').select('tokenHash').where('expiresAt', '<', slot<number>('before')).limit(slot<number>('limit')),
      ),
  );

  return {
    insertToken: insertToken.row,
    /** Refused by the database when it was used or replaced meanwhile. */
    useToken: (row: { tokenHash: string }): Statement => ({ ...useToken.row(row), mustChange: 1 }),
    removeTokens: removeTokens.row,
    removeExpiredTokens: removeExpiredTokens.row,

    findToken: (tokenHash: string, purpose: MailPurpose, now: number): Promise<MailTokenRow | undefined> =>
      read
        .selectFrom('mailTokens')
        .selectAll()
        .where('tokenHash', '=', tokenHash)
        .where('purpose', '=', purpose)
        .where('expiresAt', '>', now)
        .executeTakeFirst(),
  };
};
