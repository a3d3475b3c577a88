import type { Mail, Mailer } from './mailer.ts';

/** Prints whole mails, with whatever secrets they carry, for development: it is for a terminal, not for a log that is kept. */
export const createLogMailer = ({ from, print }: { from: string; print: (text: string) => void }): Mailer => ({
  async send(mail) {
    print(asText(from, mail));
  },
  check: async () => {},
  close: async () => {},
});

const asText = (from: string, { to, subject, text }: Mail): string => {
  const lines = [`From: ${from}`, `To: ${to}`, `Subject: ${subject}`, '', ...text.split('\n')];
  return ['', '┌─ mail', ...lines.map((line) => `│ ${line}`), '└─', ''].join('\n');
};
