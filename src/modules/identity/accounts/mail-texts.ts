import type { Mail } from '../../../mail/mailer.ts';
import type { MailPurpose } from './mail-token-store.ts';

interface Filling {
  /** Of the alphabet of user names, so it can carry no text of its own. */
  readonly username: string;
  readonly token: string;
  /**
   * Where the pages are. Without it the mail has no link: the address of the request that asked for the mail is not used, since whoever
   * sends that request could have the token delivered to a host of its own.
   */
  readonly publicUrl: string | undefined;
}

interface Wording {
  readonly subject: string;
  readonly what: string;
  readonly page: string;
  readonly request: (token: string) => string;
  readonly otherwise: string;
}

const wordings: Readonly<Record<MailPurpose, Wording>> = {
  confirm: {
    subject: 'Confirm your e-mail address',
    what: 'please confirm that this is your e-mail address. You have 24 hours.',
    page: '/confirm',
    request: (token) => `POST /v1/people/confirm\n  {"token":"${token}"}`,
    otherwise: 'If you know nothing of this, ignore this mail.',
  },
  reset: {
    subject: 'Reset your password',
    what: 'somebody asked for a new password for your account. You have an hour to choose one.',
    page: '/reset',
    request: (token) => `POST /v1/password-resets/complete\n  {"token":"${token}","password":"…"}`,
    otherwise: 'If it was not you, ignore this mail: your password stays as it is.',
  },
};

/** The mail that carries a token. */
export const mailText = (purpose: MailPurpose, { username, token, publicUrl }: Filling): Omit<Mail, 'to'> => {
  const { subject, what, page, request, otherwise } = wordings[purpose];
  const link = publicUrl === undefined ? '' : `Open this page:\n\n  ${publicUrl}${page}?token=${token}\n\nOr `;
  const text = `Hello ${username},\n\n${what}\n\n${link}${link === '' ? 'Send' : 'send'} this request:\n\n  ${request(token)}\n\n${otherwise}\n`;
  return { subject, text };
};
