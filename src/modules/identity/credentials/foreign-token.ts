import type { JWTPayload } from 'jose';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { Problem, Unavailable } from '../../../foundation/problem.ts';
import { hashOf } from '../../../foundation/secret.ts';
import type { ForeignPeople } from '../foreign-people.ts';
import { roles } from '../permissions.ts';
import type { Credential } from './credential.ts';
import { createIssuerKeys, type IssuerKeys, loadJose } from './issuer-keys.ts';
import { unprovenClaims } from './jwt-text.ts';
import { createRemembered } from './remembered.ts';

/** An identity provider whose tokens are taken. */
export interface TrustedIssuer {
  /** Letter for letter what its tokens say in `iss`. */
  readonly issuer: string;
  readonly audience: string;
}

/** Signatures that need a private key. A shared secret could be anybody's, e.g. the text of a public key. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** A token for another purpose (logout, DPoP) is none to call with. */
const tokenTypes: ReadonlySet<string> = new Set(['jwt', 'at+jwt', 'application/at+jwt']);
const clockToleranceSeconds = 5;
const maxRemembered = 10_000;
const maxSubjectLength = 255;

interface Proven {
  readonly claims: JWTPayload & { readonly iss: string; readonly sub: string };
  readonly expiresAt: number;
}

/**
 * Tokens of the identity providers that the settings trust. What a signature proves is remembered until the token expires; what the person
 * may do is asked each time, so that a changed role, a removal or a suspension counts at once, on every replica.
 */
export const foreignTokens = ({
  issuers,
  people,
  clock,
  log,
}: {
  issuers: readonly TrustedIssuer[];
  people: ForeignPeople;
  clock: Clock;
  log: Log;
}): Credential => {
  const trusted = new Map<unknown, TrustedIssuer & { readonly keys: IssuerKeys }>(
    issuers.map((one) => [one.issuer, { ...one, keys: createIssuerKeys({ issuer: one.issuer, clock, log }) }]),
  );
  const remembered = createRemembered<Proven>(maxRemembered);
  const issuerOf = (token: string) => trusted.get(unprovenClaims(token)?.iss);

  const verify = async (token: string): Promise<Proven> => {
    const by = issuerOf(token);
    if (!by) throw new Problem('bad-token', 'The issuer of the access token is not trusted.');
    const { jwtVerify } = await loadJose();
    const now = clock.now();
    const { payload, protectedHeader } = await jwtVerify(token, by.keys.find, {
      issuer: by.issuer,
      audience: by.audience,
      algorithms,
      requiredClaims: ['exp'],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(now),
    });
    const { sub, iat = 0, exp = 0 } = payload;
    if (!tokenTypes.has((protectedHeader.typ ?? 'jwt').toLowerCase())) throw new Error('It is a token for another purpose.');
    if (typeof sub !== 'string' || sub === '' || sub.length > maxSubjectLength || /\p{Cc}|\p{Cs}/u.test(sub))
      throw new Error('It names nobody.');
    if (iat > now / 1000 + clockToleranceSeconds) throw new Error('It comes from the future.');
    return { claims: { ...payload, iss: by.issuer, sub }, expiresAt: exp * 1000 };
  };

  const prove = async (token: string): Promise<Proven> => {
    const key = hashOf(token);
    const known = remembered.get(key);
    if (known && known.expiresAt > clock.now()) return known;
    try {
      const proven = await verify(token);
      remembered.set(key, proven);
      return proven;
    } catch (error) {
      if (error instanceof Problem || error instanceof Unavailable) throw error;
      throw new Problem('bad-token', 'The access token of the identity provider is not valid.', { cause: error });
    }
  };

  return {
    isOwn: (token) => issuerOf(token) !== undefined,
    async callerOf(token, address) {
      const { claims } = await prove(token);
      const { id, tenantId, role } = await people.personOf(claims, address);
      // No session of ours: there is nothing to refresh or to end here.
      const sessionId = `foreign:${hashOf(`${claims.iss}\n${claims.sub}`).slice(0, 22)}`;
      return { id, kind: 'person', tenantId, sessionId, scopes: scopesOf[role] };
    },
  };
};

const scopesOf = {
  viewer: new Set(roles.viewer),
  member: new Set(roles.member),
  admin: new Set(roles.admin),
  operator: new Set(roles.operator),
};
