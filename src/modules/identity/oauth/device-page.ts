import { escapeHtml } from '../../../foundation/html-text.ts';
import { complaintHtml, formPage } from '../accounts/form-page.ts';

export type DevicePage =
  | { readonly state: 'form'; readonly userCode: string; readonly username: string; readonly complaint?: string }
  | { readonly state: 'approved' }
  | { readonly state: 'denied' };

/**
 * The page on which a person lets a device in (RFC 8628 §3.3). It shows the code also where the address brought it, to be compared with
 * what the device shows (§5.4), and asks for the password each time: so no other site can approve in somebody's name.
 */
export const devicePage = (page: DevicePage): string => formPage('Let a device in', content(page));

const content = (page: DevicePage): string => {
  switch (page.state) {
    case 'form':
      return `<h1>Let a device in</h1>
<p>A program or device shows you a code and wants to act for you. Go on only if you started it yourself and it shows just this code; whoever sends you one wants to get in as you.</p>
${complaintHtml(page.complaint)}
<form method="post" action="/device">
<label>Code<input name="user_code" value="${escapeHtml(page.userCode)}" required maxlength="16" placeholder="BCDF-GHJK" autocomplete="off" autocapitalize="characters" spellcheck="false"></label>
<label>User name<input name="username" value="${escapeHtml(page.username)}" required maxlength="64" autocomplete="username"></label>
<label>Password<input name="password" type="password" required maxlength="256" autocomplete="current-password"></label>
<button name="decision" value="approve">Let it in</button>
<button name="decision" value="deny">Say no</button>
</form>`;
    case 'approved':
      return `<h1>It is let in</h1>
<p>Go back to the device: it goes on within a few seconds. You can close this page.</p>`;
    case 'denied':
      return `<h1>It is kept out</h1>
<p>The code is void. You can close this page.</p>`;
    default:
      return page satisfies never;
  }
};
