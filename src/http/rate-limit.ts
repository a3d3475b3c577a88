import type { FastifyReply } from 'fastify';
import { Problem } from '../foundation/problem.ts';
import { retryAfterSeconds } from './problem-reply.ts';

/** What a limiter decided; the shape that the limits room gives. */
export interface LimitShown {
  readonly isAllowed: boolean;
  readonly policyName: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly remaining: number;
  readonly resetMs: number;
}

/** The name as a quoted string of structured fields (RFC 9651 §3.3.3), with what may not stand in it left out. */
const quoted = (name: string): string => `"${name.replaceAll(/[^\x20-\x7e]|["\\]/g, '')}"`;

const seconds = (ms: number): number => Math.max(0, Math.ceil(ms / 1000));

/**
 * Tells the client its limit by `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), also when it was kept to.
 * Throws `Problem('too-many')` with `Retry-After` when it was not.
 */
export const limitReply = (reply: FastifyReply, decision: LimitShown): void => {
  const { isAllowed, policyName, limit, windowMs, remaining, resetMs } = decision;
  const name = quoted(policyName);
  reply.header('ratelimit-policy', `${name};q=${limit};w=${Math.max(1, seconds(windowMs))}`);
  reply.header('ratelimit', `${name};r=${Math.max(0, Math.floor(remaining))};t=${seconds(resetMs)}`);
  if (isAllowed) return;
  throw new Problem('too-many', `At most ${limit} in ${windowMs / 1000} s. Try again in ${retryAfterSeconds(resetMs)} s.`, {
    retryAfterMs: resetMs,
  });
};
