import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import type { ForeignPeople } from '../foreign-people.ts';
import type { Denials } from '../sessions/denials.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { AccessTokens } from './access-token.ts';
import type { Credential } from './credential.ts';
import { foreignTokens, type TrustedIssuer } from './foreign-token.ts';
import { ownTokens } from './own-token.ts';
import { userService } from './user-service.ts';

export interface CredentialNeeds {
  readonly accessTokens: AccessTokens;
  readonly denials: Denials;
  readonly foreignPeople: ForeignPeople;
  readonly tenants: TenantStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly trustedIssuers: readonly TrustedIssuer[];
  readonly userServiceUrl: string | undefined;
}

/** Every kind of bearer token: one file each, one line here. The first that knows a token as its own judges it, so the user service is last. */
export const openCredentials = (needs: CredentialNeeds): readonly Credential[] => {
  const { trustedIssuers, userServiceUrl, foreignPeople: people } = needs;
  return [
    ownTokens(needs),
    ...(trustedIssuers.length === 0 ? [] : [foreignTokens({ ...needs, issuers: trustedIssuers, people })]),
    ...(userServiceUrl === undefined ? [] : [userService({ ...needs, url: userServiceUrl })]),
  ];
};
