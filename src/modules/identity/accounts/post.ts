import type { Database, Write } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { Log } from '../../../foundation/log.ts';
import type { Seal } from '../../../foundation/secret.ts';
import { type Bell, createBell, startLoop, type Worker } from '../../../foundation/work.ts';
import { type Mail, type Mailer, MailRefused } from '../../../mail/mailer.ts';
import type { MailStore } from './mail-store.ts';

/** A mail to be sent: for whom it is, and from when on it would be of no use. */
export interface MailToSend extends Mail {
  readonly tenantId: string;
  readonly personId: string;
  readonly expiresAt: number;
}

/** Mails are written down in the transaction of the act that sends them and leave afterwards: none is lost, and none is waited for. */
export interface Post {
  /** The write that hands a mail over, for the transaction of the act; ring by `announce` afterwards. */
  writes(mail: MailToSend): Write[];
  announce(): void;
  startWorker(): Worker;
}

/** A mail server that is away is asked again after a second at first, then less and less often. */
const firstDelayMs = 1_000;
const maxDelayMs = 5 * 60_000;
/** While one process sends a mail no other tries it; longer than sending may take. */
const claimMs = 60_000;
/** A mail is put off by no more than this, with room for clocks of other machines. */
const farthestMs = maxDelayMs + claimMs;
const mailsInRound = 20;
const idleMs = 30_000;
const purpose = 'mail';

export const createPost = ({
  database,
  store,
  mailer,
  seal,
  clock,
  ids,
  log,
  bell = createBell(clock),
}: {
  database: Pick<Database, 'write'>;
  store: MailStore;
  mailer: Mailer;
  seal: Seal;
  clock: Clock;
  ids: Ids;
  log: Log;
  bell?: Bell;
}): Post => {
  const sendOne = async (row: Awaited<ReturnType<MailStore['listDueMails']>>[number], signal: AbortSignal): Promise<void> => {
    const now = clock.now();
    const what = { mail: row.id, attempt: row.attempts + 1 };
    if (row.expiresAt <= now) {
      await database.write([store.removeMail({ id: row.id })]);
      log.warn(what, 'mail.expired');
      return;
    }
    const [claimed] = await database.write([store.claimMail({ id: row.id, attempts: row.attempts, nextAt: now + claimMs })]);
    if (claimed?.changes !== 1) return; // another process has it
    try {
      const mail = JSON.parse(seal.open(row.sealedMail, purpose)) as Mail; // sealed by `writes`
      await mailer.send(mail, signal);
      await database.write([store.removeMail({ id: row.id })]);
      log.info({ ...what, ms: clock.now() - now }, 'mail.sent');
    } catch (error) {
      if (error instanceof MailRefused) {
        await database.write([store.removeMail({ id: row.id })]);
        log.warn({ ...what, err: error }, 'mail.refused');
        return;
      }
      const delayMs = Math.min(firstDelayMs * 2 ** row.attempts, maxDelayMs);
      await database.write([store.postponeMail({ id: row.id, nextAt: clock.now() + delayMs })]);
      log.warn({ ...what, err: error, nextInMs: delayMs }, 'mail.not-sent');
    }
  };

  return {
    writes({ tenantId, personId, expiresAt, to, subject, text }) {
      const now = clock.now();
      const sealedMail = seal.seal(JSON.stringify({ to, subject, text }), purpose);
      return [
        store.insertMail({ id: ids.next('mail'), tenantId, personId, sealedMail, attempts: 0, nextAt: now, createdAt: now, expiresAt }),
      ];
    },
    announce: () => bell.ring(),
    startWorker: () =>
      startLoop({
        name: 'identity.post',
        clock,
        log,
        round: async (signal) => {
          const now = clock.now();
          const due = await store.listDueMails({ now, farthest: now + farthestMs, limit: mailsInRound });
          for (const row of due) if (!signal.aborted) await sendOne(row, signal);
          if (due.length === mailsInRound) return;
          const next = await store.findNextDue();
          const waitMs = next === undefined ? idleMs : Math.min(Math.max(next - clock.now(), 0), idleMs);
          await bell.wait(waitMs, signal);
        },
      }),
  };
};
