import { oauthProblem } from '../../../../foundation/oauth-problem.ts';
import type { SessionGiven } from '../../sessions/sessions.ts';
import { clientCredentials } from './client-credentials.ts';
import { deviceCode } from './device-code.ts';
import { type GrantAsked, type GrantNeeds, neededParameter } from './grant.ts';
import { refreshToken } from './refresh-token.ts';

/** Every way to get tokens at the token endpoint: one file each, one line here. */
const files = [clientCredentials, refreshToken, deviceCode] as const;

/** As the metadata lists them. */
export const grantTypes: readonly string[] = files.map(({ grantType }) => grantType);

/** Gives what the grant that `grant_type` names gives. Throws `unsupported_grant_type` where there is no such grant. */
export type GiveGrant = (asked: GrantAsked) => Promise<SessionGiven>;

export const openGrants = (needs: GrantNeeds): GiveGrant => {
  const grants = new Map(files.map((file) => [file.grantType, file.open(needs)]));
  return async (asked) => {
    const grant = grants.get(neededParameter(asked.parameters, 'grant_type'));
    if (!grant) throw oauthProblem('unsupported_grant_type', `The grants there are: ${grantTypes.join(' ')}.`);
    return await grant(asked);
  };
};
