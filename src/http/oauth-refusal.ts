import { type OauthErrorCode, oauthErrors } from '../foundation/oauth-errors.ts';
import type { Problem, ProblemKind } from '../foundation/problem.ts';
import { Type } from '../foundation/schema.ts';

/** A refusal as RFC 6749 §5.2 writes it: what everything below `/oauth/` answers instead of a problem document. */
export interface OauthErrorDocument {
  readonly error: OauthErrorCode;
  readonly error_description: string;
}

/** Whether this address answers its refusals in the form of OAuth; so also where no route fits or the address is malformed. */
export const isOauthAddress = (url: string): boolean => url.startsWith('/oauth/');

const codesOfKinds: Partial<Record<ProblemKind, OauthErrorCode>> = {
  'bad-credentials': 'invalid_client',
  'not-signed-in': 'invalid_client',
  'bad-token': 'invalid_token',
  'not-allowed': 'insufficient_scope',
  unconfirmed: 'access_denied',
  'tenant-suspended': 'access_denied',
  'too-many': 'slow_down',
  internal: 'server_error',
  unavailable: 'temporarily_unavailable',
  stopping: 'temporarily_unavailable',
};

/** The code of a refusal that was not made for OAuth. Whatever the RFCs have no word for is a request that cannot be carried out. */
export const oauthCodeOf = (kind: ProblemKind): OauthErrorCode => codesOfKinds[kind] ?? 'invalid_request';

/** RFC 6749 §5.2: printable ASCII without quotation mark and backslash. */
const describable = (text: string): string => text.replaceAll('"', "'").replaceAll(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');

/** The document that a client gets. */
export const oauthErrorDocument = (problem: Problem): OauthErrorDocument => ({
  error: problem.extras.oauthError ?? oauthCodeOf(problem.kind),
  error_description: describable(problem.message),
});

/** The document that a client might get, for the API document. */
export const exampleOauthError = (code: OauthErrorCode): OauthErrorDocument => ({
  error: code,
  error_description: oauthErrors[code].help.replace(/ \(RFC .*?\)/, ''),
});

/** Names the codes that an entry of a route's `response` stands for; the OpenAPI document reads it. */
export const oauthCodesKeyword = 'x-oauth-errors';

const oauthErrorSchema = (codes: readonly OauthErrorCode[]) => Type.Unsafe<OauthErrorDocument>({ [oauthCodesKeyword]: codes });

/** What a route below `/oauth/` refuses, as part of its `response` schemas; those that the server itself gives need not be named. */
export const oauthRefusals = (...codes: readonly OauthErrorCode[]): Record<number, ReturnType<typeof oauthErrorSchema>> => {
  const statuses = [...new Set(codes.map((code) => oauthErrors[code].status))];
  return Object.fromEntries(
    statuses.map((status) => [status, oauthErrorSchema(codes.filter((code) => oauthErrors[code].status === status))]),
  );
};
