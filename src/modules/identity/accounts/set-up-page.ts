import { escapeHtml } from '../../../foundation/html-text.ts';
import { complaintHtml, formPage } from './form-page.ts';

export type SetUpPage =
  | { readonly state: 'form'; readonly token: string; readonly username: string; readonly complaint?: string }
  | { readonly state: 'done'; readonly username: string }
  | { readonly state: 'already-set-up' };

/** The page on which the first operator is made. */
export const setUpPage = (page: SetUpPage): string => formPage('Set up Entrepot', content(page));

const content = (page: SetUpPage): string => {
  switch (page.state) {
    case 'form':
      return `<h1>Set up Entrepot</h1>
<p>Make the first operator, who looks after this server.</p>
${complaintHtml(page.complaint)}
<form method="post" action="/setup">
<input type="hidden" name="token" value="${escapeHtml(page.token)}">
<label>User name<input name="username" value="${escapeHtml(page.username)}" required minlength="3" maxlength="64" autocomplete="username" autofocus></label>
<label>Password (10 characters or more)<input name="password" type="password" required minlength="10" maxlength="256" autocomplete="new-password"></label>
<button>Make the operator</button>
</form>`;
    case 'done':
      return `<h1>Entrepot is set up</h1>
<p><strong>${escapeHtml(page.username)}</strong> is its operator. Sign in by <code>POST /v1/sessions</code>; everything else stands in the <a href="/docs">API documentation</a>.</p>`;
    case 'already-set-up':
      return `<h1>Entrepot is set up already</h1>
<p>There is an operator. See the <a href="/docs">API documentation</a>.</p>`;
    default:
      return page satisfies never;
  }
};
