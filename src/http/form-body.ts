import type { FastifyRequest } from 'fastify';
import { tooLarge, tooSlow } from './json-body.ts';
import { bodyStream } from './stream-body.ts';

/** What `consumes` of a route says that takes a form. */
export const formMediaType = 'application/x-www-form-urlencoded';

/** A form of short fields needs no more. */
const formLimitBytes = 16 * 1024;

/**
 * The fields of a form, for a route that consumes `formMediaType`; none where no body was sent. Throws `too-large`, and
 * `timeout` as for a JSON body.
 */
export const readForm = async (request: FastifyRequest): Promise<URLSearchParams> => {
  const body = bodyStream(request);
  const limitMs = request.server.bodyTimeLimitMs;
  // For the whole of it: who sends it byte by byte would never be cut off as one that stalls.
  const timer = setTimeout(() => body.destroy(tooSlow(limitMs)), limitMs);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > formLimitBytes) throw tooLarge(formLimitBytes);
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
};
