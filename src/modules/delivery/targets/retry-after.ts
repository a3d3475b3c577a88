import type { IncomingHttpHeaders } from 'node:http';

/** However long a target asks us to wait, it is asked again after an hour. */
const longestWaitMs = 3_600_000;

const first = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value)?.trim();

/** Milliseconds until the time that a header names as an HTTP date; measured by the target's own clock where the answer has a `Date`. */
const untilDate = (text: string, headers: IncomingHttpHeaders, at: number): number | undefined => {
  const then = Date.parse(text);
  if (Number.isNaN(then)) return undefined;
  const theirs = Date.parse(headers.date ?? '');
  return then - (Number.isNaN(theirs) ? at : theirs);
};

/** Retry-After (RFC 9110 §10.2.3): seconds or an HTTP date. `at` is our time in milliseconds. */
const fromRetryAfter = (headers: IncomingHttpHeaders, at: number): number | undefined => {
  const text = first(headers['retry-after']);
  if (text === undefined) return undefined;
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : untilDate(text, headers, at);
};

/** `RateLimit: "name";r=0;t=30` and the draft before it, `limit=10, remaining=0, reset=30`: the longest wait of the exhausted policies. */
const fromRateLimit = (headers: IncomingHttpHeaders): number | undefined => {
  const text = first(headers.ratelimit);
  if (text === undefined) return undefined;
  const older = /(?:^|[,;\s])reset=(\d+)/.exec(text)?.[1];
  if (older !== undefined) return Number(older) * 1000;
  const waits = text.split(',').filter((policy) => /;\s*r=0(?:\D|$)/.test(policy));
  const seconds = waits.map((policy) => Number(/;\s*t=(\d+)/.exec(policy)?.[1] ?? 0));
  return seconds.length === 0 ? undefined : Math.max(...seconds) * 1000;
};

/** Names in use besides the drafts'. Some give seconds from now, some the second since 1970 at which the limit resets. */
const resetHeaders = ['ratelimit-reset', 'x-ratelimit-reset', 'x-rate-limit-reset', 'x-ratelimit-reset-after'];
const isSinceEpoch = (seconds: number) => seconds > 1_000_000_000;

const fromReset = (headers: IncomingHttpHeaders, at: number): number | undefined => {
  for (const name of resetHeaders) {
    const text = first(headers[name]);
    if (text === undefined || !/^\d+(\.\d+)?$/.test(text)) continue;
    const seconds = Number(text);
    if (isSinceEpoch(seconds / 1000)) return seconds - at; // milliseconds since 1970
    return isSinceEpoch(seconds) ? seconds * 1000 - at : seconds * 1000;
  }
  return undefined;
};

/** True when the answer says by `Retry-After` when to come back, in a form that can be read. */
export const hasRetryAfter = (headers: IncomingHttpHeaders, at: number): boolean => fromRetryAfter(headers, at) !== undefined;

/**
 * How long a throttling target wants us to wait, in whole milliseconds above 0 and at most 1 h; undefined when it does not say, or says
 * "not at all", which would have us ask again at once and for ever. `at` is our time in milliseconds since 1970.
 */
export const retryAfterMs = (headers: IncomingHttpHeaders, at: number): number | undefined => {
  const wait = fromRetryAfter(headers, at) ?? fromRateLimit(headers) ?? fromReset(headers, at);
  return wait === undefined || wait <= 0 ? undefined : Math.min(Math.ceil(wait), longestWaitMs);
};
