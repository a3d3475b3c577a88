import { escapeHtml } from '../../../foundation/html-text.ts';
import { complaintHtml, formPage } from './form-page.ts';

/** The pages that links in mails lead to. Opening one does nothing yet: mail scanners follow every link. */
export type MailPage =
  | { readonly page: 'confirm' | 'reset'; readonly state: 'form'; readonly token: string; readonly complaint?: string }
  | { readonly page: 'confirm' | 'reset'; readonly state: 'done' };

const titles = { confirm: 'Confirm your e-mail address', reset: 'Choose a new password' } as const;

export const mailPage = (page: MailPage): string => formPage(titles[page.page], `<h1>${titles[page.page]}</h1>\n${content(page)}`);

const content = (page: MailPage): string => {
  if (page.state === 'done') {
    const done = page.page === 'confirm' ? 'Your e-mail address is confirmed.' : 'Your password is changed, and all sessions have ended.';
    return `<p>${done} You can sign in now.</p>`;
  }
  const token = `<input type="hidden" name="token" value="${escapeHtml(page.token)}">`;
  const complaint = complaintHtml(page.complaint);
  if (page.page === 'confirm') return `${complaint}\n<form method="post" action="/confirm">\n${token}\n<button>Confirm</button>\n</form>`;
  return `${complaint}
<form method="post" action="/reset">
${token}
<label>New password (10 characters or more)<input name="password" type="password" required minlength="10" maxlength="256" autocomplete="new-password" autofocus></label>
<button>Change the password</button>
</form>`;
};
