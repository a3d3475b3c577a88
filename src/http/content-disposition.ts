export type Disposition = 'inline' | 'attachment';

/** What `encodeURIComponent` leaves as it is although it is no `attr-char` (RFC 8187 §3.2.1). */
const encodedToo = /['()*]/g;

const percentEncoded = (text: string): string =>
  encodeURIComponent(text).replaceAll(encodedToo, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);

/** Printable ASCII; whatever else a name holds becomes `_`, so that no line can end and no header begin in it. */
const asciiOf = (name: string): string => name.replaceAll(/[^\x20-\x7e]/gu, '_');

/** Some clients decode this in the plain `filename` too (RFC 6266, appendix D). */
const looksEncoded = /%[0-9a-f]{2}/i;

/**
 * `Content-Disposition` for a name in any script (RFC 6266, RFC 8187): `filename` is for clients that know only ASCII, `filename*` holds
 * the name exactly and is there only where it says more. A half of a surrogate pair cannot be written in UTF-8 and becomes U+FFFD.
 */
export const contentDisposition = (disposition: Disposition, name: string): string => {
  const whole = name.toWellFormed();
  const ascii = asciiOf(whole);
  const plain = `${disposition}; filename="${ascii.replaceAll(/["\\]/g, '\\$&')}"`;
  return ascii === whole && !looksEncoded.test(whole) ? plain : `${plain}; filename*=UTF-8''${percentEncoded(whole)}`;
};
