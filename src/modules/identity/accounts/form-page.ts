import { escapeHtml } from '../../../foundation/html-text.ts';

/** Only its own style, and a form that goes nowhere else. */
export const formPagePolicy = "default-src 'none';style-src 'unsafe-inline';form-action 'self';base-uri 'none';frame-ancestors 'none'";

/** A page with a form, that needs no script. What stands in `content` from outside has to go through `escapeHtml`. */
export const formPage = (title: string, content: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title>
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
${content}
</main>
</body>
</html>
`;

export const complaintHtml = (complaint: string | undefined): string =>
  complaint === undefined ? '' : `<p class="complaint" role="alert">${escapeHtml(complaint)}</p>`;
