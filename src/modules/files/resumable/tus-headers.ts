import type { StretchDigest } from '../../../blobs/blob-store.ts';
import { Problem } from '../../../foundation/problem.ts';

// The headers of tus 1.0.0, read from text. What is not as the protocol has it is `bad-request`, naming the header.

export const tusVersion = '1.0.0';
export const chunkType = 'application/offset+octet-stream';
export const tusExtensions = 'creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,concatenation';

/** The headers of a request, as Node gives them. */
export type GivenHeaders = Readonly<Record<string, string | string[] | undefined>>;

export const badHeader = (name: string, why: string): Problem =>
  new Problem('bad-request', `${name} ${why}.`, { errors: [{ in: 'header', at: `/${name.toLowerCase()}`, why }] });

const textOf = (headers: GivenHeaders, name: string): string | undefined => {
  const value = headers[name.toLowerCase()];
  return typeof value === 'string' ? value.trim() : value?.join(', ');
};

/** A number of bytes; undefined where the header is missing. */
export const bytesIn = (headers: GivenHeaders, name: string): number | undefined => {
  const text = textOf(headers, name);
  if (text === undefined) return undefined;
  const bytes = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(bytes)) throw badHeader(name, 'must be a number of bytes');
  return bytes;
};

/** `Upload-Length`; undefined where `Upload-Defer-Length: 1` stands for it. Exactly one of them must be there. */
export const announcedLength = (headers: GivenHeaders): number | undefined => {
  const length = bytesIn(headers, 'Upload-Length');
  const deferred = textOf(headers, 'Upload-Defer-Length');
  if (deferred !== undefined && deferred !== '1') throw badHeader('Upload-Defer-Length', 'must be 1');
  if (length !== undefined && deferred !== undefined) throw badHeader('Upload-Length', 'must not stand beside Upload-Defer-Length');
  if (length === undefined && deferred === undefined) throw badHeader('Upload-Length', 'is missing, and so is Upload-Defer-Length');
  return length;
};

const digestBytes = { sha1: 20, sha256: 32 } as const;
export const checksumAlgorithms = Object.keys(digestBytes).join(',');

const isKnown = (name: string): name is keyof typeof digestBytes => Object.hasOwn(digestBytes, name);

/** `Upload-Checksum`: what the body of this request must be. */
export const checksumIn = (headers: GivenHeaders): StretchDigest | undefined => {
  const text = textOf(headers, 'Upload-Checksum');
  if (text === undefined) return undefined;
  const [algorithm = '', value = '', ...more] = text.split(' ');
  if (!isKnown(algorithm)) throw badHeader('Upload-Checksum', `must be of one of the algorithms ${checksumAlgorithms}`);
  const digest = Buffer.from(value, 'base64');
  if (more.length > 0 || digest.length !== digestBytes[algorithm] || digest.toString('base64') !== value) {
    throw badHeader('Upload-Checksum', 'must be an algorithm, a space and a digest in Base64');
  }
  return { algorithm, digest };
};

/** `Upload-Concat`: a part of a file, or the file of these parts. */
export type Concat = { readonly kind: 'partial' } | { readonly kind: 'final'; readonly parts: readonly string[]; readonly text: string };

const addressPattern = /\/v1\/files\/resumable\/([a-z0-9_]{1,64})$/;

/** The id in the address of an upload, which may be a path or a whole URL, whatever stands before our own path. */
const idIn = (address: string): string => {
  const id = addressPattern.exec(address)?.[1];
  if (id === undefined) throw badHeader('Upload-Concat', 'must name addresses of partial uploads');
  return id;
};

export const concatIn = (headers: GivenHeaders): Concat | undefined => {
  const text = textOf(headers, 'Upload-Concat');
  if (text === undefined) return undefined;
  if (text === 'partial') return { kind: 'partial' };
  const [, list] = /^final;(.*)$/.exec(text) ?? [];
  const addresses = list?.split(' ').filter((address) => address !== '') ?? [];
  if (addresses.length === 0) throw badHeader('Upload-Concat', 'must be `partial`, or `final;` and the addresses of partial uploads');
  return { kind: 'final', parts: addresses.map(idIn), text };
};
