import type { IncomingHttpHeaders } from 'node:http';
import { Problem } from '../foundation/problem.ts';
import { parseDictionary } from './structured-dictionary.ts';

// Digests of bodies (RFC 9530). Only SHA-256: it is what is stored of every file.

const algorithm = 'sha-256';

/** The text of `Repr-Digest` from a digest in hex. */
export const reprDigest = (sha256: string): string => `${algorithm}=:${Buffer.from(sha256, 'hex').toString('base64')}:`;

/** Whether the request asks for the digest by `Want-Repr-Digest` (§4); 0 means that it is not wanted. Nonsense asks for nothing. */
export const isReprDigestWanted = ({ 'want-repr-digest': wanted }: IncomingHttpHeaders): boolean => {
  const preference = typeof wanted === 'string' ? parseDictionary(wanted)?.get(algorithm) : undefined;
  return preference !== undefined && /^(?:[1-9]|10)$/.test(preference);
};

const digestHeaders = { 'repr-digest': 'Repr-Digest', 'content-digest': 'Content-Digest' } as const;

const malformed = (header: keyof typeof digestHeaders): Problem =>
  new Problem('bad-request', `\`${digestHeaders[header]}\` has to be like \`sha-256=:base64 of 32 bytes:\`.`, {
    errors: [{ in: 'header', at: `/${header}`, why: 'is no dictionary of digests (RFC 9530)' }],
  });

/**
 * The SHA-256 in hex that a request says its body has; undefined where it says none, or only by algorithms that are not known here.
 * `repr-digest` is of the whole, `content-digest` of what this one message carries; for a body that comes in one message they are the same.
 */
export const digestOf = (headers: IncomingHttpHeaders, header: keyof typeof digestHeaders): string | undefined => {
  const text = headers[header];
  if (text === undefined) return undefined;
  const digests = typeof text === 'string' ? parseDictionary(text) : undefined;
  // Each value has to be bytes (§2, §3): a digest in hex would pass for the name of an algorithm, and go unchecked.
  if (digests === undefined || [...digests.values()].some((value) => !value.startsWith(':'))) throw malformed(header);
  const value = digests.get(algorithm);
  if (value === undefined) return undefined;
  const [, base64 = ''] = /^:([A-Za-z0-9+/]{43}=?):$/.exec(value) ?? [];
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length !== 32) throw malformed(header);
  return bytes.toString('hex');
};
