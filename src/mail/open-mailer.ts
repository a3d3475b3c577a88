import { createLogMailer } from './log-mailer.ts';
import type { Mailer } from './mailer.ts';

/** The mailer that the setting names. `print` is where `log:` shows mails. */
export const openMailer = (url: string, { from, print }: { from: string; print: (text: string) => void }): Mailer => {
  if (url === 'log:') return createLogMailer({ from, print });
  throw new Error('There is no mailer for this ENTREPOT_MAIL.');
};
