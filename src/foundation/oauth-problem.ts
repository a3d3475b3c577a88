import type { OauthErrorCode } from './oauth-errors.ts';
import { Problem, type ProblemExtras } from './problem.ts';

/** How a client with a secret proves itself (RFC 6749 §2.3.1, RFC 7617). */
const basicChallenge = 'Basic realm="entrepot", charset="UTF-8"';

/** The codes that the grants and clients of OAuth refuse with; the others follow from the kind of a problem. */
type OwnCode = Exclude<OauthErrorCode, 'invalid_token' | 'insufficient_scope' | 'server_error' | 'temporarily_unavailable'>;

/** A refusal in the words of the RFCs. `invalid_client` is 401 with a challenge (RFC 6749 §5.2), everything else 400. */
export const oauthProblem = (code: OwnCode, detail: string, extras: ProblemExtras = {}): Problem =>
  code === 'invalid_client'
    ? new Problem('bad-credentials', detail, { headers: { 'www-authenticate': basicChallenge }, ...extras, oauthError: code })
    : new Problem('bad-request', detail, { ...extras, oauthError: code });
