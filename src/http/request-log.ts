import { Readable } from 'node:stream';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest, LogController as LogControllerType } from 'fastify';
import type { Log } from '../foundation/log.ts';
import type { Problem } from '../foundation/problem.ts';
import { addressOf } from './access.ts';

export interface RequestMetrics {
  /** Counts one answered request. `route` is the pattern (`/v1/events/:id`), `none` where no route fits. */
  observe(route: string, method: string, status: number, ms: number): void;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Asked all the time by machines (probes, metrics): logged at `debug` only, and answered while the server is stopping. */
    isProbe?: boolean;
  }
  interface FastifyInstance {
    /** Logs and counts an answer whose connection ended before it: the framework tells only of those that came to their end. */
    noteCutOff(request: FastifyRequest, reply: FastifyReply): void;
  }
  interface FastifyRequest {
    /** The kind of the problem that it was answered with. */
    refusedAs: string | undefined;
  }
}

/** The rest of a body may go on arriving for a while after the answer. Cut at once, many clients would see a reset and not the answer. */
const linger = (request: FastifyRequest, lingerMs: number): void => {
  const { raw } = request;
  if (request.body instanceof Readable) request.body.destroy();
  raw.resume();
  const timer = setTimeout(() => raw.destroy(), lingerMs).unref();
  raw.once('close', () => clearTimeout(timer));
};

const lengthOf = (value: unknown): number | undefined => (value === undefined ? undefined : Number(value));

/** Logs and counts every answer once: one wide line, without query, body or token. The rest of its body is waited for up to `lingerMs`. */
export const addRequestLog = (
  app: FastifyInstance,
  { log, metrics, lingerMs }: { log: Log; metrics: RequestMetrics; lingerMs: number },
): void => {
  app.decorateRequest('refusedAs', undefined);
  const note = (request: FastifyRequest, reply: FastifyReply, isCutOff: boolean): void => {
    const { config } = request.routeOptions;
    const route = config.url ?? 'none';
    const { elapsedTime, statusCode } = reply;
    metrics.observe(route, request.method, statusCode, elapsedTime);
    log[config.isProbe === true ? 'debug' : 'info'](
      {
        requestId: request.id,
        method: request.method,
        route,
        status: statusCode,
        ms: Math.round(elapsedTime * 100) / 100,
        caller: request.caller?.id,
        tenant: request.caller?.tenantId,
        address: addressOf(request),
        bytesIn: lengthOf(request.headers['content-length']),
        bytesOut: lengthOf(reply.getHeader('content-length')),
        problem: request.refusedAs,
        ...(isCutOff ? { isCutOff } : {}),
      },
      'request.handled',
    );
  };
  app.decorate('noteCutOff', (request: FastifyRequest, reply: FastifyReply) => note(request, reply, true));
  app.addHook('onResponse', (request, reply, done) => {
    if (!request.raw.complete) linger(request, lingerMs);
    note(request, reply, false);
    done();
  });
};

/** The line of a request that was refused before it had a route: no hook runs for it. */
export const logUnrouted = (request: FastifyRequest, problem: Problem, { log, metrics }: { log: Log; metrics: RequestMetrics }): void => {
  const { status, kind } = problem;
  metrics.observe('none', request.method, status, 0);
  const fields = {
    requestId: request.id,
    method: request.method,
    route: 'none',
    status,
    ms: 0,
    address: addressOf(request),
    problem: kind,
  };
  log.info(fields, 'request.handled');
};

/** What Fastify has to say itself goes to our log; its line for each request is left out, we have our own. */
export const frameworkLog = (Base: typeof LogControllerType, log: Log): LogControllerType => {
  const fields = (request: FastifyRequest) => ({ requestId: request.id, route: request.routeOptions.config.url ?? 'none' });
  return new (class extends Base {
    override streamError(error: Error, request: FastifyRequest, _reply: FastifyReply): void {
      const isClientGone = 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE'; // players and browsers leave all the time
      log[isClientGone ? 'debug' : 'warn']({ err: error, ...fields(request) }, 'answer.cut-off');
    }
    override writeHeadError(error: Error, request: FastifyRequest, _reply: FastifyReply): void {
      log.error({ err: error, ...fields(request) }, 'answer.bad-header');
    }
    override serviceUnavailable(_logger: FastifyBaseLogger): void {}
  })({ disableRequestLogging: true });
};
