import { oauthProblem } from '../../../../foundation/oauth-problem.ts';
import { type GrantFile, scopesAskedOf } from './grant.ts';

/** A service gets a session of its own (RFC 6749 §4.4): the same as by signing in with its secret. */
export const clientCredentials: GrantFile = {
  grantType: 'client_credentials',
  open:
    ({ sessions }) =>
    async ({ client, parameters, origin }) => {
      const { service } = client;
      // RFC 6749 §4.4: a grant for clients that prove themselves.
      if (!service) throw oauthProblem('unauthorized_client', 'This client has no secret, so this grant is not for it.');
      const limitedTo = scopesAskedOf(parameters, service.scopes);
      const proven = { ...service, clientId: client.id, ...(limitedTo === undefined ? {} : { limitedTo }) };
      const session = await sessions.open(proven, origin, 'client_credentials');
      if (!session) throw oauthProblem('invalid_client', 'The secret was removed a moment ago.');
      return session;
    },
};
