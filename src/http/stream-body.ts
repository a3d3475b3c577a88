import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { markOwnChunks } from '../foundation/own-chunks.ts';
import { Problem } from '../foundation/problem.ts';
import { letBodyCome } from './expect-continue.ts';
import { tooSlow } from './json-body.ts';
import { checkMediaType, isBodyless } from './media-types.ts';

/**
 * The body as it arrives. It fails with `Problem('timeout')` when the client sends nothing for `limitMs` while we wait for it; the time
 * in which we do not read does not count. Destroying it leaves the connection open, so that a refusal can still be sent.
 */
const guarded = (payload: IncomingMessage, limitMs: number): Readable => {
  let timer: NodeJS.Timeout | undefined;
  let isAwaited = false;
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
      if (!isAwaited) letBodyCome(payload);
      isAwaited = true;
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
  body.on('error', () => undefined); // the client may vanish before anybody reads; whoever does is told then
  return markOwnChunks(body);
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

/** A body of so few bytes, by its own account, is collected before its route is asked: a stream would cost more than all else. */
const shortBytes = 64 * 1024;

/** All of a short body. It may take its time as a stream may. */
const collect = (payload: IncomingMessage, limitMs: number, done: (error: Error | null, body?: Buffer) => void): void => {
  const chunks: Buffer[] = [];
  const end = (error: Problem | null) => {
    clearTimeout(timer);
    payload.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
    if (error !== null) payload.on('error', () => undefined); // it has been told
    const [only] = chunks;
    done(error, chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
  };
  const onData = (chunk: Buffer) => {
    timer.refresh();
    chunks.push(chunk);
  };
  const onEnd = () => end(null);
  const onCut = () => end(new Problem('bad-request', 'The body was cut off.'));
  const timer = setTimeout(() => end(tooSlow(limitMs)), limitMs);
  letBodyCome(payload);
  payload.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
};

/** Within this plugin every body is a stream (a short one whole: `wholeBody`), JSON too: for routes whose bodies are files. */
export const takeBodiesAsStreams = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, payload, done) => {
    if (isBodyless(request)) return done(null, undefined);
    checkMediaType(request, request.routeOptions.config);
    if (Number(payload.headers['content-length']) <= shortBytes) return collect(payload, app.bodyTimeLimitMs, done);
    done(null, guarded(payload, app.bodyTimeLimitMs));
  });
};

/** The body where it came whole: a short one, of a route within `takeBodiesAsStreams`. */
export const wholeBody = ({ body }: FastifyRequest): Buffer | undefined => (Buffer.isBuffer(body) ? body : undefined);

/** The body of a route whose media type is not JSON, to be read once with `for await` or `pipeline`. Empty when none was sent. */
export const bodyStream = (request: FastifyRequest): Readable =>
  request.body instanceof Readable ? request.body : Readable.from(wholeBody(request) === undefined ? [] : [request.body]);
