import { isScope, type Scope } from '../../../../foundation/caller.ts';
import { oauthProblem } from '../../../../foundation/oauth-problem.ts';
import type { ScopesNow } from '../../sessions/scopes-now.ts';
import type { Origin, SessionGiven, Sessions } from '../../sessions/sessions.ts';
import type { DeviceAuthorizations } from '../device-authorizations.ts';
import type { OauthClient } from '../oauth-clients.ts';

/** The parameters of a request to one of the OAuth endpoints; those without a value count as left out (RFC 6749 §3.2). */
export type OauthParameters = ReadonlyMap<string, string>;

/** What the token endpoint is asked for, by a client that it knows. */
export interface GrantAsked {
  readonly client: OauthClient;
  readonly parameters: OauthParameters;
  readonly origin: Origin;
}

export interface GrantNeeds {
  readonly sessions: Sessions;
  readonly scopesNow: ScopesNow;
  readonly deviceAuthorizations: DeviceAuthorizations;
}

/** One way to get tokens at the token endpoint; what a file of this folder exports. */
export interface GrantFile {
  /** As `grant_type` names it. */
  readonly grantType: string;
  /** Rejects with an `oauthProblem`; nothing is given then. */
  open(needs: GrantNeeds): (asked: GrantAsked) => Promise<SessionGiven>;
}

/** A parameter that the grant cannot do without. */
export const neededParameter = (parameters: OauthParameters, name: string): string => {
  const value = parameters.get(name);
  if (value === undefined) throw oauthProblem('invalid_request', `The parameter ${name} is missing.`);
  return value;
};

/** The scopes that are asked for, each once; undefined where none are named, which means all that there are. */
export const scopesAsked = (parameters: OauthParameters): readonly Scope[] | undefined => {
  const text = parameters.get('scope');
  if (text === undefined) return undefined;
  return [...new Set(text.split(' '))].map((scope) => {
    if (!isScope(scope)) throw oauthProblem('invalid_scope', `There is no scope '${scope.slice(0, 64)}'.`);
    return scope;
  });
};

/** The same, where it is known what may be had. */
export const scopesAskedOf = (parameters: OauthParameters, held: ReadonlySet<Scope>): readonly Scope[] | undefined => {
  const asked = scopesAsked(parameters);
  const missing = asked?.filter((scope) => !held.has(scope)) ?? [];
  if (missing.length > 0) throw oauthProblem('invalid_scope', `This cannot be had: ${missing.join(' ')}.`);
  return asked;
};
