import type { SessionRow } from '../../../database/tables.ts';
import type { Caller, Scope, TenantScope } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf } from '../../../foundation/secret.ts';
import type { PersonStore } from '../accounts/person-store.ts';
import { type AccessTokens, audience, issuerWithoutUrl, type OwnProof } from '../credentials/access-token.ts';
import { parseScopeList } from '../permissions.ts';
import type { ScopesNow } from '../sessions/scopes-now.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { Origin, Sessions } from '../sessions/sessions.ts';
import type { OauthClient } from './oauth-clients.ts';

/** What is said of a token (RFC 7662 §2.2). Of one that does not count nothing is said but that. */
export type Introspection = { readonly active: false } | ActiveToken;

interface ActiveToken {
  readonly active: true;
  readonly scope: string;
  readonly client_id?: string;
  readonly username?: string;
  /** A refresh token says so, that nobody takes it for an access token. */
  readonly token_type: 'Bearer' | 'refresh_token';
  readonly exp: number;
  readonly iat: number;
  readonly sub: string;
  readonly aud: string;
  readonly iss: string;
  readonly jti?: string;
  readonly kind: Caller['kind'];
  readonly tid: string;
}

export interface OauthTokens {
  /** What is true of the token now, asked of the database. Tokens of another tenant than the asker's are not active. */
  introspect(asker: TenantScope, token: string, origin: Origin): Promise<Introspection>;
  /** Ends the session of an access or refresh token of this client. Any other token changes nothing (RFC 7009 §2.2). */
  revoke(client: OauthClient, token: string, origin: Origin): Promise<void>;
}

/** A token with its session, however old it is. */
interface Found {
  readonly session: SessionRow;
  /** Of an access token, what it proves. */
  readonly proof?: OwnProof;
  /** Of a refresh token, until when it may be used. */
  readonly refreshExpiresAt?: number;
}

export const createOauthTokens = ({
  accessTokens,
  store,
  sessions,
  people,
  scopesNow,
  issuer,
  clock,
}: {
  accessTokens: Pick<AccessTokens, 'verify'>;
  store: Pick<SessionStore, 'findSessionOfToken' | 'findRefreshToken'>;
  sessions: Pick<Sessions, 'revoke'>;
  people: Pick<PersonStore, 'findPerson'>;
  scopesNow: ScopesNow;
  issuer: string | undefined;
  clock: Clock;
}): OauthTokens => {
  /** A hint of what it is would only spare a look (RFC 7662 §2.1), so none is needed: access tokens have dots, refresh tokens have none. */
  const find = async (token: string): Promise<Found | undefined> => {
    if (!token.includes('.')) {
      const found = await store.findRefreshToken(hashOf(token));
      return found && { session: found.session, refreshExpiresAt: found.usedAt === null ? found.expiresAt : 0 };
    }
    const proof = verified(token);
    const session = proof && (await store.findSessionOfToken(proof.caller.sessionId));
    return session && { session, proof };
  };

  const verified = (token: string): OwnProof | undefined => {
    try {
      return accessTokens.verify(token);
    } catch (error) {
      if (error instanceof Problem) return undefined;
      throw error;
    }
  };

  const usernameOf = async ({ callerKind, callerId, personId, tenantId }: SessionRow): Promise<string | undefined> => {
    const id = callerKind === 'person' ? callerId : personId;
    return id === null ? undefined : (await people.findPerson({ tenantId }, id))?.username;
  };

  return {
    async introspect({ tenantId }, token, origin) {
      const found = await find(token);
      if (!found || found.session.tenantId !== tenantId || found.session.revokedAt !== null) return inactive;
      const { session, proof, refreshExpiresAt = 0 } = found;
      const expiresAt = proof?.expiresAt ?? refreshExpiresAt;
      if (expiresAt <= clock.now()) return inactive;
      const held = await scopesNow({
        id: session.callerId,
        kind: session.callerKind,
        tenantId,
        ...(session.personId === null ? {} : { personId: session.personId }),
      });
      if (!held) return inactive;
      const username = await usernameOf(session);
      return {
        active: true,
        scope: [...scopesOf(found, held)].join(' '),
        ...(session.clientId === null ? {} : { client_id: session.clientId }),
        ...(username === undefined ? {} : { username }),
        token_type: proof ? 'Bearer' : 'refresh_token',
        exp: Math.floor(expiresAt / 1000),
        iat: Math.floor((proof?.issuedAt ?? session.lastUsedAt) / 1000),
        sub: session.callerId,
        aud: audience,
        iss: proof?.claims.iss ?? issuer ?? origin.baseUrl ?? issuerWithoutUrl,
        ...(proof ? { jti: proof.claims.jti } : {}),
        kind: session.callerKind,
        tid: tenantId,
      };
    },

    async revoke(client, token, origin) {
      const found = await find(token);
      if (!found) return;
      const { session } = found;
      // What a service opened by signing in without OAuth is its own as well.
      const isOwn = session.clientId === client.id || (client.service !== undefined && session.callerId === client.service.who.id);
      if (isOwn) await sessions.revoke(session, origin);
    },
  };
};

const inactive = { active: false } as const;

/** What the token may do now of all that its caller may: never more than it or its session was given. */
const scopesOf = ({ session, proof }: Found, held: ReadonlySet<Scope>): ReadonlySet<Scope> => {
  const given = session.scopesJson === null ? undefined : new Set(parseScopeList(session.scopesJson));
  const isNarrow = proof !== undefined && (proof.caller.isLimited === true || proof.caller.kind === 'device');
  return new Set([...held].filter((scope) => (given?.has(scope) ?? true) && (!isNarrow || proof.caller.scopes.has(scope))));
};
