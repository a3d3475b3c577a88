import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem } from '../foundation/problem.ts';
import type { RouteTable } from './route-table.ts';
import { securityHeaders } from './security-headers.ts';

const maxUrlLength = 8 * 1024;

/** What every request is checked for before anything else is done for it. */
export const admission = (isStopping: () => boolean) => (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
  reply.headers(securityHeaders).header('x-request-id', request.id);
  const { raw } = request;
  if (isStopping() && request.routeOptions.config.isProbe !== true) return done(new Problem('stopping', 'The server is stopping.'));
  if ((raw.url?.length ?? 0) > maxUrlLength) return done(new Problem('uri-too-long', 'The address is too long.'));
  if (raw.headers.host === undefined && raw.httpVersionMinor > 0) return done(new Problem('bad-request', 'The Host header is missing.')); // RFC 9112 §3.2
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
