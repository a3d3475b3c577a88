/** Only its own style, and a form that goes nowhere else. */
export const setUpPagePolicy = "default-src 'none';style-src 'unsafe-inline';form-action 'self';base-uri 'none';frame-ancestors 'none'";

export type SetUpPage =
  | { readonly state: 'form'; readonly token: string; readonly username: string; readonly complaint?: string }
  | { readonly state: 'done'; readonly username: string }
  | { readonly state: 'already-set-up' };

/** The page on which the first operator is made; it needs no script. */
export const setUpPage = (page: SetUpPage): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Set up Entrepot</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 26rem; margin: 12vh auto; padding: 0 1.5rem; }
label { display: block; margin: 1rem 0; }
input { display: block; box-sizing: border-box; width: 100%; font: inherit; padding: .5rem .6rem; margin-top: .25rem; }
button { font: inherit; padding: .5rem 1.2rem; cursor: pointer; }
.complaint { border-left: 4px solid #c33; padding-left: .75rem; }
</style>
</head>
<body>
<main>
${content(page)}
</main>
</body>
</html>
`;

const content = (page: SetUpPage): string => {
  switch (page.state) {
    case 'form':
      return `<h1>Set up Entrepot</h1>
<p>Make the first operator, who looks after this server.</p>
${page.complaint === undefined ? '' : `<p class="complaint" role="alert">${escapeHtml(page.complaint)}</p>`}
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

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escapeHtml = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => escapes[character] ?? character);
