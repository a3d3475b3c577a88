import { oauthProblem } from '../../../../foundation/oauth-problem.ts';
import { Problem } from '../../../../foundation/problem.ts';
import { type GrantFile, neededParameter, scopesAskedOf } from './grant.ts';

/**
 * A client refreshes a session that it opened (RFC 6749 §6). The refresh token is rotated and its second use ends the session, as everywhere
 * (RFC 9700 §4.14.2). `scope` narrows the access token alone: the next refresh may have all of the session again.
 */
export const refreshToken: GrantFile = {
  grantType: 'refresh_token',
  open:
    ({ sessions }) =>
    async ({ client, parameters, origin }) => {
      const token = neededParameter(parameters, 'refresh_token');
      try {
        return await sessions.refresh(token, origin, { clientId: client.id, narrow: (held) => scopesAskedOf(parameters, held) });
      } catch (error) {
        if (!(error instanceof Problem) || error.kind !== 'bad-refresh-token') throw error;
        throw oauthProblem('invalid_grant', 'The refresh token is not valid; sign in again.', { cause: error });
      }
    },
};
