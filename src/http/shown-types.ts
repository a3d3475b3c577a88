// How bytes that somebody else wrote may appear in a browser. They are never part of our pages: whatever could run in our origin is not
// shown but saved, and what is shown may do nothing but be shown.

const nothing = "default-src 'none'";

/**
 * The page that a browser builds around an image or a text needs its own styles, and the sandbox takes its origin away. No script runs
 * even where somebody finds a type that a browser takes for a page.
 */
const stillPolicy = `${nothing}; style-src 'unsafe-inline'; img-src 'self'; sandbox`;

/**
 * A player asks for the same address again, in ranges. Without its origin that request would be a stranger's, which
 * `Cross-Origin-Resource-Policy` refuses: so it keeps it, and still runs no script.
 */
const playedPolicy = `${nothing}; style-src 'unsafe-inline'; img-src 'self'; media-src 'self'; sandbox allow-same-origin`;

/**
 * Without a sandbox, in which many releases of Chromium show no PDF at all (156 does). Its viewer runs in a process and an origin of its
 * own, and so does Firefox's: scripts in a PDF do not reach ours. `nosniff` sees to it that only a viewer gets the bytes.
 */
const pdfPolicy = `${nothing}; style-src 'unsafe-inline'; img-src 'self'; object-src 'self'; frame-src 'self'`;

/** For all that is saved and not shown. */
export const savedPolicy = `${nothing}; sandbox`;

const still = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp', 'text/plain'];
const played = [
  ...['audio/mpeg', 'audio/mp4', 'audio/x-m4a', 'audio/aac', 'audio/ogg', 'audio/opus', 'audio/wav', 'audio/vnd.wave', 'audio/flac'],
  ...['audio/x-flac', 'audio/webm', 'video/mp4', 'video/webm', 'video/ogg', 'video/quicktime'],
];

const policies: ReadonlyMap<string, string> = new Map([
  ...still.map((type): [string, string] => [type, stillPolicy]),
  ...played.map((type): [string, string] => [type, playedPolicy]),
  ['application/pdf', pdfPolicy],
]);

/** The policy under which a browser may show the type; undefined for every type that is only to be saved (html, svg, xml, …). */
export const policyOfShown = (type: string): string | undefined => policies.get(type.split(';', 1)[0]?.trim().toLowerCase() ?? '');
