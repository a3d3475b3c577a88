import type { FastifyRequest } from 'fastify';
import { Problem } from '../foundation/problem.ts';
import { bodyStream } from './stream-body.ts';

/** A form with a few short fields needs no more. */
const formLimitBytes = 16 * 1024;

/** The fields of a form that was sent as `application/x-www-form-urlencoded`. Throws `too-large`. */
export const readForm = async (request: FastifyRequest): Promise<URLSearchParams> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyStream(request)) {
    size += chunk.length;
    if (size > formLimitBytes) throw new Problem('too-large', 'The form is too large.');
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
};
