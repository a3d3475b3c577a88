import { escapeHtml } from '../foundation/html-text.ts';

/** Escaped text in which what stood between backticks is code. */
export const withCode = (text: string): string => escapeHtml(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>');

const style =
  'body{font:1rem/1.6 system-ui,sans-serif;max-width:44rem;margin:4rem auto;padding:0 1.5rem;color:#1c2530;background:#fff}' +
  'h1{font-size:1.6rem;line-height:1.25}a{color:#0b57a4}code{background:#eef1f4;padding:.1em .35em;border-radius:.25em}' +
  'td{padding:.25rem 1rem .25rem 0;vertical-align:top}' +
  '@media(prefers-color-scheme:dark){body{color:#e4e9ee;background:#12181f}a{color:#7db7f2}code{background:#222b35}}';

/** A small page that needs nothing from anywhere. `body` is HTML. */
export const pageOfHtml = (title: string, body: string): string =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">` +
  `<title>${escapeHtml(title)}</title><style>${style}</style></head><body>${body}</body></html>`;
