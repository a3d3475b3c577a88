import type { IncomingHttpHeaders } from 'node:http';
import { parseHttpDate } from './http-date.ts';

/** What tells one state of a resource from another (RFC 9110 §8.8). */
export interface Validators {
  /** Strong and quoted: `"…"`. */
  readonly etag: string;
  /**
   * In milliseconds. Leave it out where two states may follow each other within one second: a date cannot tell them apart, and a client
   * that goes on by `If-Range` would put the halves of two states together.
   */
  readonly lastModified?: number | undefined;
}

const tagList = /^[ \t,]*(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*(?:,[ \t]*(?:(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*)?)*$/;
const oneTag = /(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g;

/** The entity tags of a list; none where it is malformed, so that it matches nothing. */
const tagsIn = (list: string): readonly string[] => (tagList.test(list) ? (list.match(oneTag) ?? []) : []);

const isAny = (list: string): boolean => list.trim() === '*';

/** §8.8.3.2: for the strong comparison a weak tag equals nothing, not even itself. */
const hasStrongly = (list: string, etag: string): boolean => isAny(list) || tagsIn(list).includes(etag);

const hasWeakly = (list: string, etag: string): boolean => isAny(list) || tagsIn(list).some((tag) => tag.replace(/^W\//, '') === etag);

const secondsOf = (ms: number): number => Math.floor(ms / 1000);

/** Whether it has changed after the date; undefined where that cannot be said, and the condition is ignored (§13.1.3, §13.1.4). */
const isChangedSince = (date: string, lastModified: number | undefined): boolean | undefined => {
  const since = parseHttpDate(date);
  return since === undefined || lastModified === undefined ? undefined : secondsOf(lastModified) > secondsOf(since);
};

/** `failed` is 412, `not-modified` 304. */
export type PreconditionOutcome = 'go-on' | 'not-modified' | 'failed';

/**
 * Judges the preconditions of a request whose resource is there, in the order of RFC 9110 §13.2.2. To be asked only where the answer would
 * otherwise be 2xx: a condition must not tell more of a resource than the resource itself (§13.2.1).
 */
export const judgePreconditions = (
  { method, headers }: { readonly method: string; readonly headers: IncomingHttpHeaders },
  { etag, lastModified }: Validators,
): PreconditionOutcome => {
  const isReading = method === 'GET' || method === 'HEAD';
  const ifMatch = headers['if-match'];
  const ifUnmodifiedSince = headers['if-unmodified-since'];
  const ifNoneMatch = headers['if-none-match'];
  const ifModifiedSince = headers['if-modified-since'];

  if (ifMatch !== undefined) {
    if (!hasStrongly(ifMatch, etag)) return 'failed';
  } else if (ifUnmodifiedSince !== undefined && isChangedSince(ifUnmodifiedSince, lastModified) === true) return 'failed';

  if (ifNoneMatch !== undefined) {
    if (!hasWeakly(ifNoneMatch, etag)) return 'go-on';
    return isReading ? 'not-modified' : 'failed';
  }
  if (isReading && ifModifiedSince !== undefined && isChangedSince(ifModifiedSince, lastModified) === false) return 'not-modified';
  return 'go-on';
};

/** Whether `If-Range` lets the `Range` beside it count (§13.1.5): only for exactly the state that the client has a part of. */
export const isRangeStillGood = ({ 'if-range': ifRange }: IncomingHttpHeaders, { etag, lastModified }: Validators): boolean => {
  if (typeof ifRange !== 'string') return true;
  if (ifRange.includes('"')) return ifRange === etag;
  const date = parseHttpDate(ifRange);
  return date !== undefined && lastModified !== undefined && secondsOf(date) === secondsOf(lastModified);
};
