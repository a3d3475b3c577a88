import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Ids } from '../foundation/ids.ts';
import { createRandomHex } from '../foundation/secret.ts';

/** Where a request stands in a distributed trace, as we hand it on: the caller's trace id (or a new one) and a span id of our own. */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Made at first use: most requests hand nothing on. */
    readonly traceContext: TraceContext;
    madeTraceContext: TraceContext | undefined;
  }
}

const safeId = /^[A-Za-z0-9._~:/+=@-]{1,128}$/;

/** The request's id: the client's `X-Request-Id` where that is safe to log and to echo, else a new one. */
export const requestIdFrom =
  (ids: Ids) =>
  (raw: Pick<IncomingMessage, 'headers'>): string => {
    const sent = raw.headers['x-request-id'];
    return typeof sent === 'string' && safeId.test(sent) ? sent : ids.next('request');
  };

const parentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** W3C Trace Context §3.2.2: version ff is forbidden, version 00 has four parts, ids of zeros only are invalid, later versions may have more parts. */
const parseParent = (header: string): { traceId: string; flags: string } | undefined => {
  const [, version, traceId, spanId, flags, rest] = parentPattern.exec(header) ?? [];
  if (traceId === undefined || flags === undefined || spanId === undefined) return undefined;
  if (version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, flags: Number.parseInt(flags, 16) & 1 ? '01' : '00' };
};

const stateMember = /^[a-z0-9][a-z0-9_\-*/@]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** §3.3.1: at most 32 members, none twice; anything else is dropped as a whole. Empty members are allowed and left out. */
const parseState = (header: string): string | undefined => {
  const members = header
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  const keys = new Set(members.map((member) => member.slice(0, member.indexOf('='))));
  const isValid =
    members.length > 0 && members.length <= 32 && keys.size === members.length && members.every((member) => stateMember.test(member));
  return isValid ? members.join(',') : undefined;
};

/** A trace id has 16 bytes, a span id 8. */
const chanceBytes = 24;

/**
 * Continues the trace that the headers name; starts one, recorded (flag 01), where they name none or a malformed one. `chance`: 48 random
 * hexadecimal digits.
 */
export const traceContextFrom = (headers: IncomingMessage['headers'], chance: string): TraceContext => {
  const { traceparent, tracestate } = headers;
  const parent = typeof traceparent === 'string' ? parseParent(traceparent) : undefined;
  const spanId = chance.slice(32);
  if (parent === undefined) return { traceparent: `00-${chance.slice(0, 32)}-${spanId}-01` };
  const state = parseState(Array.isArray(tracestate) ? tracestate.join(',') : (tracestate ?? ''));
  return { traceparent: `00-${parent.traceId}-${spanId}-${parent.flags}`, ...(state === undefined ? {} : { tracestate: state }) };
};

/** Gives every request its `traceContext`. */
export const addTraceContext = (app: FastifyInstance): void => {
  const nextChance = createRandomHex(chanceBytes);
  app.decorateRequest('madeTraceContext', undefined);
  app.decorateRequest('traceContext', {
    getter() {
      this.madeTraceContext ??= traceContextFrom(this.headers, nextChance());
      return this.madeTraceContext;
    },
  });
};
