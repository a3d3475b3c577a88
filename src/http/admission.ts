import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../foundation/problem.ts';
import type { RouteTable } from './route-table.ts';
import { securityHeaders } from './security-headers.ts';

const maxUrlLength = 8 * 1024;

export interface AdmissionNeeds {
  readonly isStopping: () => boolean;
  /** Where there is an edge (CDN, gateway): whether a request came through it, by its `X-Edge-Key`. */
  readonly isThroughEdge?: ((sent: string | undefined) => boolean) | undefined;
}

/** Asked by who stands beside the edge, not before it: supervisors and load balancers. */
export const isBesideEdge = (url: string | undefined): boolean => url === '/healthz' || url === '/readyz';

/** The refusal of a request that did not come through the edge. The key is taken out: nothing behind here sees it. */
export const edgeProblem = (raw: IncomingMessage, isThroughEdge: AdmissionNeeds['isThroughEdge']): Problem | undefined => {
  if (isThroughEdge === undefined) return undefined;
  const { 'x-edge-key': sent } = raw.headers;
  delete raw.headers['x-edge-key'];
  if (isThroughEdge(typeof sent === 'string' ? sent : undefined)) return undefined;
  return new Problem('not-through-edge', 'Use the public address of this server.');
};

/** Whether the body would have to be decoded before it is what was sent (RFC 9112 §6.1): nobody here does. */
const isCodedOtherwise = ({ headers }: IncomingMessage): boolean => {
  const { 'transfer-encoding': coding } = headers;
  return coding !== undefined && coding.trim().toLowerCase() !== 'chunked';
};

/**
 * What every request is checked for before anything else is done for it. The edge comes first, also before preflights (which the edge
 * passes on like all the rest) and for addresses that do not exist: who goes around it learns nothing.
 */
export const admission = (needs: AdmissionNeeds) => (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
  const { isStopping, isThroughEdge } = needs;
  reply.headers(securityHeaders).header('x-request-id', request.id);
  const { raw } = request;
  const goneAround = isBesideEdge(request.routeOptions.url) ? undefined : edgeProblem(raw, isThroughEdge);
  if (goneAround) return done(goneAround);
  if (isStopping() && request.routeOptions.config.isProbe !== true) return done(new Problem('stopping', 'The server is stopping.'));
  if ((raw.url?.length ?? 0) > maxUrlLength) return done(new Problem('uri-too-long', 'The address is too long.'));
  if (raw.headers.host === undefined && raw.httpVersionMinor > 0) return done(new Problem('bad-request', 'The Host header is missing.')); // RFC 9112 §3.2
  if (isCodedOtherwise(raw)) return done(new Problem('not-implemented', 'The only Transfer-Encoding is chunked.'));
  done();
};

/** No route fits: 405 when the address has others, else 404. Decided before the body is read. */
export const noRoute = (table: RouteTable) => (request: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
  if (!request.is404) return done();
  const methods = table.methodsAt(request.url.split('?', 1)[0] ?? '');
  if (methods.length === 0) return done(new Problem('not-found', 'There is nothing at this address.'));
  const allow = methods.join(', ');
  done(new Problem('method-not-allowed', `This address takes ${allow}.`, { headers: { allow } }));
};
