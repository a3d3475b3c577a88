import { hash } from 'node:crypto';
import { escapeHtml } from '../../../foundation/html-text.ts';
import type { ProblemKind } from '../../../foundation/problem.ts';
import type { OpenedShare, ShareItem } from './share-visits.ts';

export type SharePage =
  | { readonly state: 'closed'; readonly complaint?: string }
  | { readonly state: 'open'; readonly token: string; readonly share: OpenedShare }
  | { readonly state: 'refused'; readonly kind: ProblemKind };

const style = `
:root { color-scheme: light dark; font: 100%/1.5 system-ui, sans-serif; --line: #ccd3da; --ink: #1c2530; --soft: #5a6672; --act: #0b57a4; --on: #fff; }
@media (prefers-color-scheme: dark) { :root { --line: #36414d; --ink: #e4e9ee; --soft: #9aa7b4; --act: #7db7f2; --on: #10161d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 44rem; padding: 1.5rem 1rem 3rem; color: var(--ink); }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 1rem 0; overflow-wrap: anywhere; }
p, small { color: var(--soft); }
ul { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--line); }
li { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; padding: .75rem 0; border-bottom: 1px solid var(--line); }
li > div { flex: 1 1 14rem; min-width: 0; }
li b { display: block; font-weight: 600; overflow-wrap: anywhere; unicode-bidi: plaintext; }
label { display: block; margin: 1rem 0; }
input { display: block; width: 100%; max-width: 24rem; font: inherit; padding: .6rem .7rem; margin-top: .25rem; }
a.act, button { display: inline-block; font: inherit; min-height: 2.75rem; padding: .55rem 1.2rem; border: 0; border-radius: .4rem;
  background: var(--act); color: var(--on); text-decoration: none; cursor: pointer; }
a.act:focus-visible, button:focus-visible, input:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
.complaint { border-left: 4px solid #c33; padding-left: .75rem; color: inherit; }
`;

/** Nothing but its own style, known by its hash, and a form that goes to where it came from. */
export const sharePagePolicy = `default-src 'none';style-src 'sha256-${hash('sha256', style, 'base64')}';form-action 'self';base-uri 'none';frame-ancestors 'none'`;

/** The page of a share: needs no script, and tells nothing of what is shared before the password. */
export const sharePage = (page: SharePage): string => {
  const { title, content } = contentOf(page);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex, nofollow">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${content}
</main>
</body>
</html>
`;
};

const contentOf = (page: SharePage): { title: string; content: string } => {
  switch (page.state) {
    case 'closed':
      return { title: 'Something is shared with you', content: formHtml(page.complaint) };
    case 'open':
      return { title: titleOf(page.share.items), content: itemsHtml(page.token, page.share) };
    case 'refused':
      return inWords[page.kind] ?? { title: 'This does not work just now', content: '<p>Try again in a while.</p>' };
    default:
      return page satisfies never;
  }
};

const inWords: Partial<Record<ProblemKind, { title: string; content: string }>> = {
  'not-found': {
    title: 'There is nothing here',
    content: '<p>The address may be incomplete, or what was shared was taken away. Ask whoever sent it to you.</p>',
  },
  gone: {
    title: 'This share is over',
    content: '<p>It has ended, or was downloaded as often as it may be. Ask whoever sent it to you for another one.</p>',
  },
  locked: {
    title: 'This is locked',
    content: '<p>Its owner has locked the folder. Nothing in it can be had before it is unlocked.</p>',
  },
};

const formHtml = (complaint: string | undefined): string =>
  `${complaint === undefined ? '<p>It is protected by a password.</p>' : `<p class="complaint" role="alert">${escapeHtml(complaint)}</p>`}
<form method="post">
<label>Password<input name="password" type="password" required maxlength="256" autocomplete="off" autofocus></label>
<button>Open</button>
</form>`;

const titleOf = (items: readonly ShareItem[]): string => {
  const [only] = items;
  if (only === undefined) return 'An empty folder is shared with you';
  return items.length === 1 ? 'A file is shared with you' : `${items.length} files are shared with you`;
};

const itemsHtml = (token: string, { items, shareToken, hasMore }: OpenedShare): string => {
  const rows = items.map(
    ({ id, name, type, size }) => `<li><div><b>${escapeHtml(name)}</b><small>${escapeHtml(type)} · ${sizeText(size)}</small></div>
<a class="act" href="../v1/shares/${encodeURIComponent(token)}/files/${encodeURIComponent(id)}/content?shareToken=${encodeURIComponent(shareToken)}" aria-label="Download ${escapeHtml(name)}">Download</a></li>`,
  );
  const more = hasMore ? `<p>There are more files; only the first ${items.length} are listed.</p>` : '';
  return items.length === 0 ? '<p>There is nothing in it yet.</p>' : `<ul>\n${rows.join('\n')}\n</ul>${more}`;
};

const units = ['KB', 'MB', 'GB', 'TB', 'PB'];

/** As people read sizes: powers of a thousand, three digits. */
const sizeText = (bytes: number): string => {
  if (bytes < 1000) return bytes === 1 ? '1 byte' : `${bytes} bytes`;
  const power = Math.min(units.length, Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${units[power - 1]}`;
};
