import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Clock } from '../foundation/clock.ts';
import { markOwnChunks } from '../foundation/own-chunks.ts';
import { Problem } from '../foundation/problem.ts';
import { letBodyCome } from './expect-continue.ts';
import { tooSlow } from './json-body.ts';
import { checkMediaType, isBodyless } from './media-types.ts';

/** How long we wait for the bytes of a body. */
export interface BodyPatience {
  /** How long nothing may come. */
  readonly silenceMs: number;
  /**
   * So many bytes have to come in so much time, else a byte now and then would hold a connection, and a file that is being written, for ever.
   * Only time in which we wait for the client counts.
   */
  readonly slowest: { readonly bytes: number; readonly ms: number };
  readonly clock: Pick<Clock, 'now'>;
}

/** 218 bytes a second: less than any network that works. */
export const slowestBody: BodyPatience['slowest'] = { bytes: 64 * 1024, ms: 5 * 60_000 };

const tooFewBytes = ({ bytes, ms }: BodyPatience['slowest']): Problem =>
  new Problem('timeout', `The body came more slowly than ${bytes} bytes in ${ms / 1000} s.`);

/**
 * The body as it arrives. It fails with `Problem('timeout')` when the client sends nothing, or too little, while we wait for it; the time
 * in which we do not read does not count. Destroying it leaves the connection open, so that a refusal can still be sent.
 */
const guarded = (payload: IncomingMessage, { silenceMs, slowest, clock }: BodyPatience): Readable => {
  let timer: NodeJS.Timeout | undefined;
  let isAwaited = false;
  let awaitedSince = 0;
  /** Since so many bytes had come for the last time. */
  let waitedMs = 0;
  let came = 0;
  const rest = () => {
    if (timer !== undefined) waitedMs += clock.now() - awaitedSince;
    clearTimeout(timer);
    timer = undefined;
  };
  const isTooSlow = (bytes: number): boolean => {
    came += bytes;
    if (came < slowest.bytes) return waitedMs >= slowest.ms;
    came = 0;
    waitedMs = 0;
    return false;
  };
  const onData = (chunk: Buffer) => {
    rest();
    if (isTooSlow(chunk.length)) {
      body.destroy(tooFewBytes(slowest));
      return;
    }
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
      if (timer === undefined) {
        awaitedSince = clock.now();
        timer = setTimeout(() => body.destroy(tooSlow(silenceMs)), silenceMs);
      }
      payload.resume();
    },
    destroy(error, done) {
      rest();
      payload.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      payload.on('error', () => undefined); // an aborted upload has been told to the reader of `body`
      done(error);
    },
  });
  // A request that was refused is read by nobody, and a client may vanish before anybody reads: that must not end the process. Whoever
  // reads is told then.
  body.on('error', () => undefined);
  payload.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
  payload.pause();
  return markOwnChunks(body);
};

declare module 'fastify' {
  interface FastifyInstance {
    /** How long a body that is read as a whole may take to arrive. */
    readonly bodyTimeLimitMs: number;
    readonly bodyPatience: BodyPatience;
  }
}

/** Takes every other type that a route declares, as a stream; types that it does not declare are 415. */
export const addStreamBodies = (app: FastifyInstance, patience: BodyPatience): void => {
  app.decorate('bodyTimeLimitMs', patience.silenceMs).decorate('bodyPatience', patience);
  app.addContentTypeParser('*', (request, payload, done) => {
    if (isBodyless(request)) return done(null, undefined);
    checkMediaType(request, request.routeOptions.config);
    done(null, guarded(payload, patience));
  });
};

/** A body of so few bytes, by its own account, is collected before its route is asked: a stream would cost more than all else. */
const shortBytes = 64 * 1024;

/** All of a short body. It may take its time as a stream may: as it is short, so long at the most. */
const collect = (
  payload: IncomingMessage,
  { silenceMs, slowest }: BodyPatience,
  done: (error: Error | null, body?: Buffer) => void,
): void => {
  const chunks: Buffer[] = [];
  const end = (error: Problem | null) => {
    clearTimeout(timer);
    clearTimeout(longest);
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
  const timer = setTimeout(() => end(tooSlow(silenceMs)), silenceMs);
  const longest = setTimeout(() => end(tooFewBytes(slowest)), slowest.ms);
  letBodyCome(payload);
  payload.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
};

/** Within this plugin every body is a stream (a short one whole: `wholeBody`), JSON too: for routes whose bodies are files. */
export const takeBodiesAsStreams = (app: FastifyInstance): void => {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (request, payload, done) => {
    if (isBodyless(request)) return done(null, undefined);
    checkMediaType(request, request.routeOptions.config);
    if (Number(payload.headers['content-length']) <= shortBytes) return collect(payload, app.bodyPatience, done);
    done(null, guarded(payload, app.bodyPatience));
  });
};

/** The body where it came whole: a short one, of a route within `takeBodiesAsStreams`. */
export const wholeBody = ({ body }: FastifyRequest): Buffer | undefined => (Buffer.isBuffer(body) ? body : undefined);

/** The body of a route whose media type is not JSON, to be read once with `for await` or `pipeline`. Empty when none was sent. */
export const bodyStream = (request: FastifyRequest): Readable =>
  request.body instanceof Readable ? request.body : Readable.from(wholeBody(request) === undefined ? [] : [request.body]);
