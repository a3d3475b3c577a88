import { type Mail, type Mailer, MailRefused } from './mailer.ts';

/** Prints whole mails, with whatever secrets they carry, for development: it is for a terminal, not for a log that is kept. */
export const createLogMailer = ({ from, print }: { from: string; print: (text: string) => void }): Mailer => ({
  async send(mail) {
    if (/[\p{Cc}\s]|^[^@]*$/u.test(mail.to)) throw new MailRefused('The recipient is no mail address.');
    print(asText(from, { ...mail, subject: mail.subject.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ') }));
  },
  check: async () => {},
  close: async () => {},
});

const asText = (from: string, { to, subject, text }: Mail): string => {
  const lines = [`From: ${from}`, `To: ${to}`, `Subject: ${subject}`, '', ...text.split('\n')];
  return ['', '┌─ mail', ...lines.map((line) => `│ ${line}`), '└─', ''].join('\n');
};
