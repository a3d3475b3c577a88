import type { IncomingMessage, Server as NodeServer, ServerResponse } from 'node:http';
import cors from '@fastify/cors';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyHttpOptions,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Clock } from '../foundation/clock.ts';
import type { Ids } from '../foundation/ids.ts';
import type { Log } from '../foundation/log.ts';
import { Problem, type ProblemKind } from '../foundation/problem.ts';
import type { Secret } from '../foundation/secret.ts';
import type { Authenticate } from './access.ts';
import { type AdmissionNeeds, admission, edgeProblem, noRoute } from './admission.ts';
import { clientErrorHandler, expectationHandler } from './client-errors.ts';
import { docsRoutes } from './docs-routes.ts';
import { problemOf } from './error-to-problem.ts';
import { continueHandler } from './expect-continue.ts';
import { type Checks, healthRoutes } from './health.ts';
import type { IdempotencyStore } from './idempotency.ts';
import { addJsonBodies } from './json-body.ts';
import { metricsRoutes } from './metrics-routes.ts';
import { createApiDocument } from './openapi.ts';
import { addPathPrefix } from './path-prefix.ts';
import { sendProblem } from './problem-reply.ts';
import { problemRoutes } from './problem-routes.ts';
import { addTraceContext, requestIdFrom } from './request-context.ts';
import { addRequestLog, frameworkLog, logUnrouted, type RequestMetrics } from './request-log.ts';
import { watchRoutes } from './route-table.ts';
import { securityHeaders } from './security-headers.ts';
import { addStreamBodies, type BodyPatience, slowestBody } from './stream-body.ts';
import { createValidation, warmUpOnListen } from './validation.ts';
import { welcomeRoutes } from './welcome-page.ts';

export interface ServerNeeds {
  readonly log: Log;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly authenticate: Authenticate;
  readonly idempotency: IdempotencyStore;
  /** Opens `/metrics` beside the operator's session. */
  readonly metricsToken?: Secret | undefined;
  /** Whether this server answers `/metrics`; false where they are off or have a port of their own. Default true. */
  readonly servesMetrics?: boolean | undefined;
  readonly corsOrigins: readonly string[];
  /** Addresses and CIDRs whose `X-Forwarded-…` headers are believed. */
  readonly trustedProxies: readonly string[];
  /** How the world reaches us; stands in the API document. */
  readonly publicUrl?: string | undefined;
  readonly version: string;
  /** What `/readyz` asks: each resolves when its dependency works. */
  readonly checks: Checks;
  /** From here on new requests are refused with 503, so that another start or machine takes them. */
  readonly isStopping: () => boolean;
  /** Where there is an edge: whether a request came through it, by its `X-Edge-Key`. All others are refused. */
  readonly isThroughEdge?: AdmissionNeeds['isThroughEdge'];
  readonly metrics: RequestMetrics & { text(): Promise<string>; contentType: string };
  /** How long the headers of a request, and a whole JSON body, may take to arrive, and a streamed body may stall. Default 60 s. */
  readonly requestTimeLimitMs?: number | undefined;
  /** How slowly a streamed body may come in. Default 64 KiB in 5 minutes. */
  readonly slowestBody?: BodyPatience['slowest'] | undefined;
  /** Default 10 MiB. A route may set its own (`bodyLimit`). */
  readonly bodyLimitBytes?: number | undefined;
}

export type App = FastifyInstance<NodeServer, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>;

const maxHeaderBytes = 16 * 1024;
/** An id of 255 characters, each up to 12 characters as percent-encoded UTF-8, with room to spare. */
const maxPathPartLength = 4096;
const maxHeaderTimeMs = 20_000;
const maxLingerMs = 5000;

/** Between requests a connection may rest longer than load balancers let it (60 s), so that it is they who hang up. */
const keepAliveMs = 72_000;

/** In the place of Fastify's own compilers, which it would load at the start; both are set below. */
const neverUsed = (): never => {
  throw new Error('The compilers of schemas are set after the server is made');
};

/** Their statuses are those of servers, but nothing is wrong here: it stops, or the client wants more than there is. */
const ordinary: ReadonlySet<ProblemKind> = new Set(['not-implemented', 'stopping', 'quota-exceeded']);

/** Answers an error. Refusals of the server's own making are logged with their cause: the client is told nothing of it. */
const errorHandler =
  ({ log }: ServerNeeds) =>
  (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const problem = problemOf(error, request.routeOptions.bodyLimit);
    request.refusedAs = problem.kind;
    if (problem.status >= 500 && !ordinary.has(problem.kind)) {
      const what = { err: problem.extras.cause ?? error, requestId: request.id, route: request.routeOptions.config.url };
      if (problem.kind === 'internal') log.error(what, 'request.failed');
      else log.warn(what, 'request.unavailable');
    }
    // Fastify would hang up after each refused body. A body that came in whole leaves the connection usable; of one that is still on its
    // way the rest is read and dropped for a while, since a reset could overtake the answer.
    if (problem.kind === 'timeout') reply.header('connection', 'close');
    else if (reply.hasHeader('connection')) reply.header('connection', reply.raw.shouldKeepAlive ? 'keep-alive' : 'close');
    sendProblem(reply, problem);
  };

/** The server with everything that holds for all routes, and its own few; it does not listen yet. Other routes are registered afterwards. */
export const createServer = (needs: ServerNeeds): App => {
  const { log, ids, requestTimeLimitMs = 60_000 } = needs;
  const validation = createValidation();
  const headersTimeoutMs = Math.min(Math.ceil(requestTimeLimitMs), maxHeaderTimeMs);

  const options: FastifyHttpOptions<NodeServer> = {
    logger: false,
    logController: frameworkLog(LogController, log),
    genReqId: requestIdFrom(ids),
    trustProxy: needs.trustedProxies.length > 0 ? [...needs.trustedProxies] : false,
    bodyLimit: needs.bodyLimitBytes ?? 10 * 1024 * 1024,
    keepAliveTimeout: keepAliveMs,
    requestTimeout: 0, // bodies have limits of their own: a stream may take as long as it flows
    http: {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: 0,
      connectionsCheckingInterval: Math.max(50, Math.min(5000, Math.ceil(headersTimeoutMs / 4))),
      requireHostHeader: false, // checked by `admission`, which can say so
    },
    routerOptions: { maxParamLength: maxPathPartLength },
    exposeHeadRoutes: false,
    return503OnClosing: false, // `admission` says so itself
    forceCloseConnections: 'idle',
    clientErrorHandler: clientErrorHandler({ ids, log }),
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      const problem = edgeProblem(request.raw, needs.isThroughEdge) ?? problemOf(error, 0);
      reply.headers(securityHeaders).header('x-request-id', request.id);
      sendProblem(reply, problem);
      logUnrouted(request, problem, { log, metrics: needs.metrics });
    },
    schemaController: { compilersFactory: { buildValidator: neverUsed, buildSerializer: neverUsed } },
  };
  const app: App = fastify(options).withTypeProvider<TypeBoxTypeProvider>();

  app.setValidatorCompiler(validation.compile);
  // Answers are printed by JSON.stringify: unlike a printer made from the schema it drops no member, and costs nothing at the start.
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest('caller', undefined);
  app.decorateRequest('idempotencyClaim', undefined);
  app.decorateRequest('streamKey', undefined);
  addTraceContext(app);
  addJsonBodies(app, requestTimeLimitMs);
  addStreamBodies(app, { silenceMs: requestTimeLimitMs, slowest: needs.slowestBody ?? slowestBody, clock: needs.clock });
  warmUpOnListen(app, validation, log);
  addRequestLog(app, { log, metrics: needs.metrics, lingerMs: Math.min(requestTimeLimitMs, maxLingerMs) });

  const table = watchRoutes(app, needs);
  app.addHook('onRequest', admission(needs));
  if (needs.corsOrigins.length > 0) app.register(cors, corsOptions(needs.corsOrigins));
  app.addHook('onRequest', noRoute(table));
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (needs.isStopping()) reply.header('connection', 'close');
    done(null, payload);
  });
  addPathPrefix(app, needs.publicUrl);
  app.setErrorHandler(errorHandler(needs));
  app.setNotFoundHandler(() => {
    throw new Problem('not-found', 'There is nothing at this address.');
  });
  app.server.on('checkContinue', continueHandler(app.server));
  app.server.on('checkExpectation', expectationHandler({ ids, log, isThroughEdge: needs.isThroughEdge }));

  const document = createApiDocument({ table, version: needs.version, publicUrl: needs.publicUrl });
  app.register(healthRoutes(needs));
  app.register(problemRoutes);
  app.register(docsRoutes(document));
  app.register(welcomeRoutes);
  if (needs.servesMetrics !== false) app.register(metricsRoutes(needs));
  return app;
};

/** What clients of resumable uploads read (tus 1.0.0). */
const tusHeaders = [
  'Tus-Checksum-Algorithm',
  'Tus-Extension',
  'Tus-Max-Size',
  'Tus-Resumable',
  'Tus-Version',
  'Upload-Concat',
  'Upload-Defer-Length',
  'Upload-Expires',
  'Upload-Length',
  'Upload-Metadata',
  'Upload-Offset',
];

const corsOptions = (origins: readonly string[]) => ({
  origin: [...origins],
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  exposedHeaders: [
    ...['Content-Location', 'Link', 'Location', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'X-Request-Id'],
    ...['Accept-Ranges', 'Content-Disposition', 'Content-Range', 'ETag', 'Repr-Digest'],
    ...tusHeaders,
  ],
  maxAge: 600,
  strictPreflight: false, // else an OPTIONS that is no preflight would be refused in plain text
});
