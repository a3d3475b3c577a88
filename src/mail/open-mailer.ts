import { createLogMailer } from './log-mailer.ts';
import type { Mailer } from './mailer.ts';
import { createSmtpMailer } from './smtp-mailer.ts';

/** The mailer that the URL's scheme names. `print` is where `log:` shows mails. Connects to nothing yet. */
export const openMailer = (url: string, { from, print }: { from: string; print: (text: string) => void }): Mailer => {
  const scheme = url.split(':')[0];
  switch (scheme) {
    case 'log':
      return createLogMailer({ from, print });
    case 'smtp':
    case 'smtps':
      return createSmtpMailer({ url, from });
    default:
      throw new Error('There is no mailer for this ENTREPOT_MAIL.');
  }
};
