import { judgeStatus, throttled, tidyReason, withBody } from './judge.ts';
import type { Reply } from './outbound-http.ts';
import type { Judged, Outcome } from './target.ts';

/** What a GraphQL answer says, as far as it matters here. */
interface GraphqlAnswer {
  readonly hasData: boolean;
  readonly errors: readonly GraphqlError[];
}

interface GraphqlError {
  readonly message: string;
  /** `extensions.code` in capitals with underscores; empty when there is none. */
  readonly code: string;
}

const throttlingCode = /THROTTL|RATE_?LIMIT|TOO_MANY_REQUESTS|^429$/;

/** The codes with which servers say that the document or its variables are wrong: trying again cannot help. */
const validationCodes: ReadonlySet<string> = new Set([
  'GRAPHQL_VALIDATION_FAILED',
  'GRAPHQL_PARSE_FAILED',
  'BAD_USER_INPUT',
  'OPERATION_RESOLUTION_FAILURE',
  'VALIDATION_FAILED',
  'VALIDATION_ERROR',
  'VALIDATION',
  'ARGUMENT_VALIDATION_ERROR',
  'INVALID_INPUT',
  'INVALID_ARGUMENT',
  'UNPROCESSABLE_ENTITY',
  'UNPROCESSABLE_CONTENT',
]);

/** How graphql-js begins what it says of a wrong document or variable; many servers hand that on without a code. */
const validationMessage =
  /^(Syntax Error|Cannot query field |Unknown (argument|type|fragment|directive) |Variable "\$|Field "[^"]*" (argument|must|of required type) )/;

const isValidationError = ({ code, message }: GraphqlError): boolean =>
  code === '' ? validationMessage.test(message) : validationCodes.has(code);

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const readError = (error: unknown): GraphqlError => {
  if (!isRecord(error)) return { message: typeof error === 'string' ? error : 'an error without a message', code: '' };
  const code = isRecord(error.extensions) ? error.extensions.code : undefined;
  const isCode = typeof code === 'string' || typeof code === 'number';
  return {
    message: typeof error.message === 'string' && error.message !== '' ? error.message : 'an error without a message',
    code: isCode
      ? String(code)
          .toUpperCase()
          .replaceAll(/[\s.-]+/g, '_')
      : '',
  };
};

/** Undefined when the body is not a GraphQL answer: no JSON object with `data` or `errors`. */
const readAnswer = (body: Buffer): GraphqlAnswer | undefined => {
  const answer = parseJson(body);
  if (!isRecord(answer)) return undefined;
  const { data, errors } = answer;
  const hasData = isRecord(data);
  if (errors === undefined || errors === null) return hasData ? { hasData, errors: [] } : undefined;
  return { hasData, errors: Array.isArray(errors) ? errors.map(readError) : [readError(errors)] };
};

const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString());
  } catch {
    return undefined;
  }
};

type Answered = Extract<Reply, { status: number }>;

/** A 2xx is delivered only with `data` and without `errors`. */
const judgeSuccess = (answer: GraphqlAnswer | undefined, { status, brokenOff }: Answered): Outcome => {
  if (brokenOff !== undefined) return { outcome: 'failed', status, reason: tidyReason(`The answer broke off: ${brokenOff}`) };
  if (answer === undefined) return { outcome: 'failed', status, reason: `The target answered ${status}, but not with GraphQL.` };
  const invalid = answer.errors.find(isValidationError);
  if (invalid !== undefined) return { outcome: 'refused', status, reason: tidyReason(invalid.message) };
  const [error] = answer.errors;
  if (error !== undefined) return { outcome: 'failed', status, reason: tidyReason(error.message) };
  return answer.hasData
    ? { outcome: 'delivered', status }
    : { outcome: 'failed', status, reason: 'The answer has neither data nor errors.' };
};

/** Judges an answer to a GraphQL mutation. `at` is the time of the try in milliseconds since 1970. */
export const judgeGraphql = (reply: Reply, at: number): Judged => {
  if (reply.status === undefined) return { outcome: 'failed', reason: tidyReason(reply.reason) };
  const { status, body } = reply; // the headers are read only where they count
  const answer = readAnswer(body);
  // Servers throttle with all kinds of statuses: the code counts, also on a 400 that would otherwise be the item's fault.
  const throttling = answer?.errors.find(({ code }) => throttlingCode.test(code));
  if (throttling !== undefined) return withBody(throttled(status, reply.headers, at, tidyReason(throttling.message)), body);
  return withBody(status < 300 ? judgeSuccess(answer, reply) : judgeStatus(status, reply.headers, at, answer?.errors[0]?.message), body);
};
