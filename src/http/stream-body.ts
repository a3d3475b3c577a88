import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../foundation/problem.ts';
import { tooSlow } from './json-body.ts';
import { checkMediaType, isBodyless } from './media-types.ts';

/**
 * The body as it arrives. It fails with `Problem('timeout')` when the client sends nothing for `limitMs` while we wait for it; the time
 * in which we do not read does not count. Destroying it leaves the connection open, so that a refusal can still be sent.
 */
const guarded = (payload: IncomingMessage, limitMs: number): Readable => {
  let timer: NodeJS.Timeout | undefined;
  const rest = () => {
    clearTimeout(timer);
    timer = undefined;
  };
  const onData = (chunk: Buffer) => {
    rest();
    if (body.push(chunk)) return;
    payload.pause();
  };
  const onEnd = () => body.push(null);
  const onCut = () => {
    if (!payload.readableEnded) body.destroy(new Problem('bad-request', 'The body was cut off.'));
  };
  const body = new Readable({
    read() {
      timer ??= setTimeout(() => body.destroy(tooSlow(limitMs)), limitMs);
      payload.resume();
    },
    destroy(error, done) {
      rest();
      payload.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      payload.on('error', () => undefined); // an aborted upload has been told to the reader of `body`
      done(error);
    },
  });
  body.on('error', () => undefined); // a request that was refused is read by nobody: its being cut off must not end the process
  payload.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
  payload.pause();
  return body;
};

declare module 'fastify' {
  interface FastifyInstance {
    /** How long a body that is read as a whole may take to arrive. */
    readonly bodyTimeLimitMs: number;
  }
}

/** Takes every other type that a route declares, as a stream; types that it does not declare are 415. */
export const addStreamBodies = (app: FastifyInstance, limitMs: number): void => {
  app.decorate('bodyTimeLimitMs', limitMs);
  app.addContentTypeParser('*', (request, payload, done) => {
    if (isBodyless(request)) return done(null, undefined);
    checkMediaType(request, request.routeOptions.config);
    done(null, guarded(payload, limitMs));
  });
};

/** Within this plugin every body is a stream, JSON too: for routes whose bodies are files. */
export const takeBodiesAsStreams = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, payload, done) => {
    if (isBodyless(request)) return done(null, undefined);
    checkMediaType(request, request.routeOptions.config);
    done(null, guarded(payload, app.bodyTimeLimitMs));
  });
};

/** The body of a route whose media type is not JSON, to be read once with `for await` or `pipeline`. Empty when none was sent. */
export const bodyStream = (request: FastifyRequest): Readable => (request.body instanceof Readable ? request.body : Readable.from([]));
