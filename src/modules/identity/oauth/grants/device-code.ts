import { oauthProblem } from '../../../../foundation/oauth-problem.ts';
import { notTradable } from '../device-authorizations.ts';
import { type GrantFile, neededParameter } from './grant.ts';

/**
 * A client trades the device code that a person approved for a session of that person (RFC 8628 §3.4), opened from where it polls. However
 * many polls come at once, a code gives one session.
 */
export const deviceCode: GrantFile = {
  grantType: 'urn:ietf:params:oauth:grant-type:device_code',
  open:
    ({ sessions, scopesNow, deviceAuthorizations }) =>
    async ({ client, parameters, origin }) => {
      const { who, limitedTo, use } = await deviceAuthorizations.poll(neededParameter(parameters, 'device_code'), client.id);
      const scopes = await scopesNow(who);
      if (!scopes) throw oauthProblem('access_denied', 'The person who approved is gone, or its tenant suspended.');
      const proven = {
        outcome: 'proven',
        who,
        scopes,
        clientId: client.id,
        ...(limitedTo === undefined ? {} : { limitedTo }),
        writes: [use],
      } as const;
      const session = await sessions.open(proven, origin, 'device_code');
      if (!session) throw notTradable();
      return session;
    },
};
