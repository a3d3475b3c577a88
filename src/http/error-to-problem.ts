import { Problem, type ProblemKind, Unavailable } from '../foundation/problem.ts';
import { tooLarge } from './json-body.ts';
import type { SchemaObjection } from './schema-faults.ts';
import { validationProblem } from './validation.ts';

/** What Fastify adds to its errors, as far as it is read here. */
interface FrameworkError extends Error {
  readonly code: string;
  readonly validation?: readonly SchemaObjection[];
  readonly validationContext?: string;
}

const isFrameworkError = (error: unknown): error is FrameworkError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('FST_');

/** Fastify's own refusals. Only these codes may become a client's 4xx: errors of other libraries carry a `statusCode` too. */
const frameworkRefusals: Readonly<Record<string, { kind: ProblemKind; detail: string }>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { kind: 'unsupported-type', detail: 'The Content-Type is malformed or not taken here.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { kind: 'bad-request', detail: 'The body does not have the length that Content-Length says.' },
  FST_ERR_BAD_URL: { kind: 'bad-request', detail: 'The address holds a malformed percent-encoding.' },
  FST_ERR_MAX_PARAM_LENGTH: { kind: 'uri-too-long', detail: 'A part of the address is too long.' },
};

/** What a client is told of an error. Whatever is not meant for it becomes `internal`, and shows nothing. */
export const problemOf = (error: unknown, bodyLimitBytes: number): Problem => {
  if (error instanceof Problem) return error;
  if (error instanceof Unavailable) {
    return new Problem('unavailable', 'Something that this needs is away or overloaded.', {
      retryAfterMs: error.retryAfterMs,
      cause: error,
    });
  }
  if (isFrameworkError(error)) {
    if (error.validation !== undefined) return validationProblem(error.validation, error.validationContext ?? 'body');
    if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge(bodyLimitBytes);
    const refusal = frameworkRefusals[error.code];
    if (refusal !== undefined) return new Problem(refusal.kind, refusal.detail);
  }
  return new Problem('internal', 'The fault is ours, and is logged.', { cause: error });
};
