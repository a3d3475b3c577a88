import type { IncomingHttpHeaders } from 'node:http';
import type { Reply } from './outbound-http.ts';
import { hasRetryAfter, retryAfterMs } from './retry-after.ts';
import type { Judged, Outcome } from './target.ts';

const maxReasonLength = 300;
const maxShownBytes = 1024;

/** What a target says about itself, fit for a log, a list and a terminal: one line of at most 300 characters. */
export const tidyReason = (text: string): string => {
  const line = text
    .slice(0, 10 * maxReasonLength)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  if (line.length <= maxReasonLength) return line;
  // A pair of surrogates that the cut would part goes as a whole.
  return `${line.slice(0, maxReasonLength - 1).replace(/[\ud800-\udbff]$/, '')}…`;
};

/** The lane's outcome for a target that wants it slower. */
export const throttled = (status: number, headers: IncomingHttpHeaders, at: number, reason: string): Outcome => {
  const wait = retryAfterMs(headers, at);
  return { outcome: 'throttled', status, reason, ...(wait === undefined ? {} : { retryAfterMs: wait }) };
};

/** These say that the item is wrong, not the moment. */
const isAboutTheItem = (status: number) => status === 400 || status === 413 || status === 415 || status === 422;

/** What a status that is no 2xx means by itself. `why` is what the target's body adds to it. */
export const judgeStatus = (status: number, headers: IncomingHttpHeaders, at: number, why?: string): Outcome => {
  const reason = tidyReason(why === undefined ? `The target answered ${status}.` : `The target answered ${status}: ${why}`);
  if (status === 429 || (status === 503 && hasRetryAfter(headers, at))) return throttled(status, headers, at, reason);
  if (isAboutTheItem(status)) return { outcome: 'refused', status, reason };
  if (status >= 300 && status < 400)
    return { outcome: 'failed', status, reason: `The target answered ${status}; redirects are not followed.` };
  return { outcome: 'failed', status, reason };
};

/** Adds the first 1 KiB of the answer's text. */
export const withBody = (outcome: Outcome, body: Buffer): Judged => {
  if (body.length === 0) return outcome;
  if (body.length <= maxShownBytes) return { ...outcome, responseBody: body.toString() };
  // A character that the cut parted is left out: a streaming decoder keeps it back.
  return { ...outcome, responseBody: new TextDecoder().decode(body.subarray(0, maxShownBytes), { stream: true }) };
};

/**
 * Judges an answer to a webhook: its status says it all. A status that arrived counts, even where the body behind it broke off.
 * `at` is the time of the try in milliseconds since 1970.
 */
export const judgeWebhook = (reply: Reply, at: number): Judged => {
  if (reply.status === undefined) return { outcome: 'failed', reason: tidyReason(reply.reason) };
  const { status, headers, body } = reply;
  if (status < 300) return withBody({ outcome: 'delivered', status }, body);
  if (status === 410) return withBody({ outcome: 'gone', status, reason: 'The target answered 410: it wants no more.' }, body);
  return withBody(judgeStatus(status, headers, at), body);
};
