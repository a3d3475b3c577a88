import type { Database } from '../../database/database.ts';
import { slot, template } from '../../database/template.ts';
import type { Cleaning } from './cleaning.ts';

/** Removes what is of no use after its `expiresAt`. */
export const createExpiryStore = ({ build }: Pick<Database, 'build'>) => {
  const before = slot<number>('before');
  const limit = slot<number>('limit');
  const pairings = build
    .deleteFrom('pairings')
    .where('id', 'in', (eb) => eb.selectFrom('pairings').select('id').where('expiresAt', '<', before).limit(limit));
  const deviceAuthorizations = build
    .deleteFrom('deviceAuthorizations')
    .where('deviceCodeHash', 'in', (eb) =>
      eb.selectFrom('deviceAuthorizations').select('deviceCodeHash').where('expiresAt', '<', before).limit(limit),
    );
  const mailTokens = build
    .deleteFrom('mailTokens')
    .where('tokenHash', 'in', (eb) => eb.selectFrom('mailTokens').select('tokenHash').where('expiresAt', '<', before).limit(limit));
  const mails = build
    .deleteFrom('mails')
    .where('id', 'in', (eb) => eb.selectFrom('mails').select('id').where('expiresAt', '<', before).limit(limit));

  return {
    /** One for each table whose rows just expire. */
    removals: [pairings, deviceAuthorizations, mailTokens, mails].map(
      (removal): Cleaning => template<Parameters<Cleaning>[0]>(removal).row,
    ),
  };
};
