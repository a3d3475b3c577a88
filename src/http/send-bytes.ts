import type { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Problem, Unavailable } from '../foundation/problem.ts';
import { Type } from '../foundation/schema.ts';
import { contentDisposition, type Disposition } from './content-disposition.ts';
import { httpDate } from './http-date.ts';
import { isRangeStillGood, judgePreconditions, type Validators } from './preconditions.ts';
import { refusals } from './problem-reply.ts';
import { multipartBody, openRange, type RangeSource } from './range-body.ts';
import { type ByteRange, bytesIn, contentRange, parseRange } from './ranges.ts';
import { isReprDigestWanted, reprDigest } from './repr-digest.ts';
import { policyOfShown, savedPolicy } from './shown-types.ts';

/** What an answer gives of the bytes, told before its headers leave. */
export interface AnswerStart {
  readonly status: 200 | 206;
  /** The number of the lowest byte in it; 0 for the whole. */
  readonly firstByte: number;
  /** How many of the bytes are in it. */
  readonly bytes: number;
}

/** Bytes that never change, and how they are to be served. */
export interface ByteSource extends RangeSource, Validators {
  readonly type: string;
  /** In hex. */
  readonly sha256: string;
  readonly name: string;
  /** `inline` counts only for types that are harmless when a browser shows them; all others are attachments. */
  readonly disposition: Disposition;
  /** The value of `Cache-Control`. */
  readonly cacheControl: string;
  /** Whether pages of other sites may show the bytes (as an image, a video, in a frame). Default false. */
  readonly isForEverySite?: boolean;
  /** A part of at most 64 KiB at once: small answers need no stream. */
  read(range: ByteRange): Promise<Buffer>;
  /**
   * Awaited when the bytes are at hand and before a header leaves, for each GET that is answered with bytes (not for HEAD, 304, 412, 416).
   * It may still refuse, by throwing a Problem.
   */
  onStart?(start: AnswerStart): void | Promise<void>;
  /**
   * Called once for each `onStart` that resolved, when its answer is over: how many of its bytes were handed to the network. Of an answer that
   * was cut off some of these may not have arrived.
   */
  onEnd?(sentBytes: number): void;
}

const largestAtOnceBytes = 64 * 1024;

/** Whatever waits has an end: else a silent store or a client that takes nothing would hold files open for ever. */
interface WaitingLimits {
  /** How long the first bytes may take; 503 then. */
  readonly openingMs?: number;
  /** How long nothing may move on the connection. A player that rests comes back with a `Range`. */
  readonly stallMs?: number;
}

const bytes = (description: string) => Type.Unsafe<unknown>({ description, contentEncoding: 'binary', examples: ['(the bytes)'] });

/** The answers of a route that sends bytes; `produces` names their types (see "How to write a route"). */
export const bytesAnswers = {
  200: bytes('All the bytes.'),
  206: bytes('The bytes of the ranges that were asked for; of several ranges as multipart/byteranges.'),
  304: Type.Null({ description: 'They are what `If-None-Match` or `If-Modified-Since` say that you have.' }),
  ...refusals('precondition-failed', 'bad-range'),
} as const;

/** The policy of bytes that are shown; undefined for those that are saved. */
const shownPolicyOf = ({ disposition, type }: ByteSource): string | undefined =>
  disposition === 'inline' ? policyOfShown(type) : undefined;

/** What a cache keeps beside the bytes: it belongs to 304 as well, which renews it (RFC 9110 §15.4.5). */
const setCacheHeaders = (reply: FastifyReply, source: ByteSource, shownPolicy: string | undefined): void => {
  const isForEverySite = source.isForEverySite === true;
  reply.header('etag', source.etag).header('cache-control', source.cacheControl);
  // The headers of every answer hold for our pages; these are somebody else's bytes.
  reply.header('content-security-policy', `${shownPolicy ?? savedPolicy}${isForEverySite ? '' : "; frame-ancestors 'self'"}`);
  if (!isForEverySite) return;
  reply.header('cross-origin-resource-policy', 'cross-origin').removeHeader('x-frame-options');
};

const setHeaders = (request: FastifyRequest, reply: FastifyReply, source: ByteSource): void => {
  const shownPolicy = shownPolicyOf(source);
  setCacheHeaders(reply, source, shownPolicy);
  reply.header('accept-ranges', 'bytes');
  reply.header('content-disposition', contentDisposition(shownPolicy === undefined ? 'attachment' : 'inline', source.name));
  if (source.lastModified !== undefined) reply.header('last-modified', httpDate(source.lastModified));
  if (isReprDigestWanted(request.headers)) reply.header('repr-digest', reprDigest(source.sha256));
};

interface Answer {
  readonly start: AnswerStart;
  readonly headers: Readonly<Record<string, string | number>>;
  /** Resolves when the first bytes are there. */
  body(signal: AbortSignal): Promise<Buffer | Readable>;
}

const wholeOf = (source: ByteSource): Answer => ({
  start: { status: 200, firstByte: 0, bytes: source.size },
  headers: { 'content-type': source.type, 'content-length': source.size },
  body: async (signal) => (source.size === 0 ? Buffer.alloc(0) : bodyOf(source, { first: 0, last: source.size - 1 }, signal)),
});

const partOf = (source: ByteSource, range: ByteRange): Answer => ({
  start: { status: 206, firstByte: range.first, bytes: bytesIn(range) },
  headers: {
    'content-type': source.type,
    'content-length': bytesIn(range),
    'content-range': contentRange(range, source.size),
  },
  body: (signal) => bodyOf(source, range, signal),
});

const partsOf = (source: ByteSource, ranges: readonly ByteRange[]): Answer => {
  const multipart = multipartBody(source, ranges);
  return {
    start: {
      status: 206,
      firstByte: Math.min(...ranges.map(({ first }) => first)),
      bytes: ranges.reduce((sum, range) => sum + bytesIn(range), 0),
    },
    headers: { 'content-type': multipart.contentType, 'content-length': multipart.length },
    body: (signal) => multipart.open(signal),
  };
};

const bodyOf = async (source: ByteSource, range: ByteRange, signal: AbortSignal): Promise<Buffer | Readable> => {
  const wanted = bytesIn(range);
  if (wanted > largestAtOnceBytes) return openRange(source, range, signal);
  const part = await source.read(range);
  if (part.length !== wanted) throw new Error(`There were ${part.length} bytes where ${wanted} have to be`);
  return part;
};

/** What the request gets: `Range` counts for GET alone (RFC 9110 §14.2), and only for the state that `If-Range` names. */
const answerTo = ({ method, headers }: FastifyRequest, source: ByteSource): Answer => {
  const { size } = source;
  if (method !== 'GET' || headers.range === undefined || !isRangeStillGood(headers, source)) return wholeOf(source);
  const wanted = parseRange(headers.range, size);
  switch (wanted.are) {
    case 'ignored':
      return wholeOf(source);
    case 'unsatisfiable':
      throw new Problem('bad-range', `There are ${size} bytes, and the range begins behind them.`, {
        members: { size },
        headers: { 'content-range': `bytes */${size}`, 'accept-ranges': 'bytes' },
      });
    case 'some': {
      const [range, ...more] = wanted.ranges;
      return range !== undefined && more.length === 0 ? partOf(source, range) : partsOf(source, wanted.ranges);
    }
    default:
      return wanted satisfies never;
  }
};

/** The first bytes of the answer; undefined when the client has left before they were there. Whatever comes too late is closed. */
const firstBytesOf = async (answer: Answer, { raw }: FastifyReply, openingMs: number): Promise<Buffer | Readable | undefined> => {
  const controller = new AbortController();
  const { signal } = controller;
  const aborted = new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const timer = setTimeout(() => controller.abort(new Unavailable(`The bytes did not come within ${openingMs} ms`)), openingMs);
  const onClose = () => controller.abort();
  if (raw.destroyed) onClose();
  else raw.once('close', onClose);
  try {
    const body = await Promise.race([answer.body(signal), aborted]);
    // Only a stream is still to be told that the client has left; and every connection closes once, also in good order.
    if (Buffer.isBuffer(body)) raw.off('close', onClose);
    return body;
  } catch (error) {
    if (raw.destroyed) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
  }
};

const close = (body: Buffer | Readable): void => {
  if (!Buffer.isBuffer(body)) body.destroy();
};

/** Ends an answer that does not move, and sees to it that one which was cut off is logged as well. */
const watch = (request: FastifyRequest, reply: FastifyReply, stallMs: number): void => {
  const { raw } = reply;
  raw.setTimeout(stallMs, () => raw.destroy());
  raw.once('close', () => {
    if (!raw.writableFinished) request.server.noteCutOff(request, reply);
  });
};

/** Tells the source how much of the answer went out. Of one that was cut off the headers are taken for bytes of the body: they are few. */
const tellEnd = (request: FastifyRequest, { raw }: FastifyReply, source: ByteSource, { bytes }: AnswerStart): void => {
  if (source.onEnd === undefined) return;
  const { socket } = request.raw;
  const writtenBefore = socket.bytesWritten;
  const tell = () => source.onEnd?.(raw.writableFinished ? bytes : Math.min(bytes, socket.bytesWritten - writtenBefore));
  if (raw.destroyed) tell();
  else raw.once('close', tell);
};

/**
 * Answers GET and HEAD with bytes: preconditions, ranges, digests and names as RFC 9110, 9530 and 6266 have them. The caller has decided
 * that the bytes may be had. HEAD opens nothing. Whatever fails before the first byte is thrown and becomes a refusal like any other;
 * what fails later cuts the connection, so that nobody takes a part for the whole. A client that leaves closes the source.
 */
export const sendBytes = async (
  request: FastifyRequest,
  reply: FastifyReply,
  source: ByteSource,
  { openingMs = 30_000, stallMs = 120_000 }: WaitingLimits = {},
): Promise<FastifyReply> => {
  const outcome = judgePreconditions(request, source);
  if (outcome === 'failed') {
    throw new Problem('precondition-failed', 'It is not in the state that the request asks for.', { headers: { etag: source.etag } });
  }
  if (outcome === 'not-modified') {
    setCacheHeaders(reply, source, shownPolicyOf(source));
    return reply.code(304).send();
  }

  const answer = answerTo(request, source);
  if (request.method === 'HEAD') {
    setHeaders(request, reply, source);
    return reply.code(200).headers(answer.headers).send();
  }

  const body = await firstBytesOf(answer, reply, openingMs);
  if (body === undefined) {
    request.server.noteCutOff(request, reply); // nothing was given, and nothing is counted
    return reply.hijack();
  }
  try {
    await source.onStart?.(answer.start);
  } catch (error) {
    close(body);
    throw error;
  }
  tellEnd(request, reply, source, answer.start);
  setHeaders(request, reply, source);
  if (!Buffer.isBuffer(body)) watch(request, reply, stallMs);
  return reply.code(answer.start.status).headers(answer.headers).send(body);
};
