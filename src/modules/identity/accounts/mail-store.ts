import type { Database } from '../../../database/database.ts';
import type { MailRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';

export type MailStore = ReturnType<typeof createMailStore>;

/** Mails that wait to be sent. They belong to the instance: whoever sends them sends those of all tenants. */
export const createMailStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertMail = template<MailRow>(
    build.insertInto('mails').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      personId: slot('personId'),
      sealedMail: slot('sealedMail'),
      attempts: slot('attempts'),
      nextAt: slot('nextAt'),
      createdAt: slot('createdAt'),
      expiresAt: slot('expiresAt'),
    }),
  );
  const claimMail = template<{ id: string; attempts: number; nextAt: number }>(
    build
      .updateTable('mails')
      .set((eb) => ({ attempts: eb('attempts', '+', 1), nextAt: slot('nextAt') }))
      .where('id', '=', slot<string>('id'))
      .where('attempts', '=', slot<number>('attempts')),
  );
  const postponeMail = template<{ id: string; nextAt: number }>(
    build
      .updateTable('mails')
      .set({ nextAt: slot('nextAt') })
      .where('id', '=', slot<string>('id')),
  );
  const removeMail = template<{ id: string }>(build.deleteFrom('mails').where('id', '=', slot<string>('id')));

  return {
    insertMail: insertMail.row,
    /** Changes nothing where another process claimed it meanwhile; it is tried again at `nextAt` unless it is removed before. */
    claimMail: claimMail.row,
    /** For whoever claimed it. */
    postponeMail: postponeMail.row,
    removeMail: removeMail.row,

    /** Also those behind `farthest`: nobody puts a mail off so long, so the clock was set back. */
    listDueMails: ({ now, farthest, limit }: { now: number; farthest: number; limit: number }): Promise<MailRow[]> =>
      read
        .selectFrom('mails')
        .selectAll()
        .where((eb) => eb.or([eb('nextAt', '<=', now), eb('nextAt', '>', farthest)]))
        .orderBy('nextAt')
        .limit(limit)
        .execute(),

    async findNextDue(): Promise<number | undefined> {
      const first = await read.selectFrom('mails').select('nextAt').orderBy('nextAt').limit(1).executeTakeFirst();
      return first?.nextAt;
    },
  };
};
