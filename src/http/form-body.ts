import type { FastifyRequest } from 'fastify';
import { tooLarge } from './json-body.ts';
import { bodyStream } from './stream-body.ts';

/** What `consumes` of a route says that takes a form. */
export const formMediaType = 'application/x-www-form-urlencoded';

/** A form of short fields needs no more. */
const formLimitBytes = 16 * 1024;

/** The fields of a form, for a route that consumes `formMediaType`; none where no body was sent. Throws `too-large`. */
export const readForm = async (request: FastifyRequest): Promise<URLSearchParams> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyStream(request)) {
    size += chunk.length;
    if (size > formLimitBytes) throw tooLarge(formLimitBytes);
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
};
