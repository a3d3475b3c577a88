import type { Database } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Seal } from '../../../foundation/secret.ts';
import type { Limiter } from '../../../limits/limiter.ts';
import type { Trace } from '../../trace/trace.ts';
import type { PersonStore } from '../accounts/person-store.ts';
import type { AccessTokens } from '../credentials/access-token.ts';
import type { ScopesNow } from '../sessions/scopes-now.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { createDeviceAuthorizationStore } from './device-authorization-store.ts';
import { createDeviceAuthorizations, type DeviceAuthorizations } from './device-authorizations.ts';
import { type GiveGrant, openGrants } from './grants/all-grants.ts';
import { createOauthClients, type OauthClients } from './oauth-clients.ts';
import { createOauthTokens, type OauthTokens } from './oauth-tokens.ts';

export interface OauthNeeds {
  readonly database: Database;
  readonly trace: Trace;
  readonly limiter: Limiter;
  readonly seal: Seal;
  readonly clock: Clock;
  readonly accessTokens: AccessTokens;
  readonly sessions: Sessions;
  readonly sessionStore: SessionStore;
  readonly people: PersonStore;
  readonly scopesNow: ScopesNow;
  /** How the world reaches us: the issuer. Without it each client gets the address that it used. */
  readonly publicUrl: string | undefined;
}

/** What the OAuth endpoints need, beside what all of identity does. */
export interface Oauth {
  readonly clients: OauthClients;
  readonly giveGrant: GiveGrant;
  readonly tokens: OauthTokens;
  readonly deviceAuthorizations: DeviceAuthorizations;
  readonly publicUrl: string | undefined;
}

export const createOauth = (needs: OauthNeeds): Oauth => {
  const { database, sessions, sessionStore, scopesNow, publicUrl } = needs;
  const deviceAuthorizations = createDeviceAuthorizations({ ...needs, store: createDeviceAuthorizationStore(database) });
  return {
    clients: createOauthClients({ database, sessions, scopesNow }),
    giveGrant: openGrants({ sessions, scopesNow, deviceAuthorizations }),
    tokens: createOauthTokens({ ...needs, store: sessionStore, issuer: publicUrl }),
    deviceAuthorizations,
    publicUrl,
  };
};
