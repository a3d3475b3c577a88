import { createPublicKey } from 'node:crypto';
import { createSigner, createVerifier } from 'fast-jwt';
import type { Caller, Scope } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { idPrefixes } from '../../../foundation/ids.ts';
import { Problem } from '../../../foundation/problem.ts';
import { newSecretText } from '../../../foundation/secret.ts';
import { parseScopes } from '../permissions.ts';
import type { SigningKey, SigningKeys } from '../sessions/signing-keys.ts';
import { unprovenClaims } from './jwt-text.ts';

/** What a token proves. Times are milliseconds. */
export interface AccessProof {
  readonly caller: Caller;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/** What one of our own tokens proves. */
export interface OwnProof extends AccessProof {
  /** As they stand in the token. */
  readonly claims: { readonly iss: string; readonly jti: string };
}

export interface AccessTokens {
  /**
   * A JWT (RFC 9068) for a session, signed with the current key; it expires at `notAfter` at the latest. `issuer` is how the client reached
   * us; it counts where the settings name no issuer. `clientId` names the OAuth client that opened the session.
   */
  issue(
    caller: Caller,
    options?: { readonly notAfter?: number; readonly issuer?: string | undefined; readonly clientId?: string | undefined },
  ): { token: string; expiresAt: number };
  /** Whether the token's header is letter for letter one that we sign now. Costs next to nothing. */
  namesOurKey(token: string): boolean;
  /** Whether the token says that we issued it, which anybody can write. */
  namesOurIssuer(token: string): boolean;
  /** Throws `bad-token` unless one of our keys signed it, for us, and it is valid now. Knows nothing of revocation. */
  verify(token: string): OwnProof;
}

interface PreparedKey {
  /** The first part of every token that this key signs. */
  readonly header: string;
  sign(claims: object): string;
  verify(token: string): unknown;
}

export const audience = 'entrepot';
/** The issuer where no public URL is set and the request does not tell how it reached us. */
export const issuerWithoutUrl = 'entrepot';

/** Clocks of several machines differ by a little. */
const clockToleranceMs = 5_000;

export const createAccessTokens = ({
  keys,
  clock,
  issuer,
  ttlMs,
}: {
  keys: Pick<SigningKeys, 'current' | 'all'>;
  clock: Clock;
  /**
   * The one issuer there is. Without it a token names the address that its session was opened at, so that `iss` is what the metadata says
   * there (RFC 8414 §3.3); here it is valid whichever name it is sent to, since nobody else has our keys.
   */
  issuer: string | undefined;
  ttlMs: number;
}): AccessTokens => {
  const prepared = new Map<string, PreparedKey>();
  const scopeSets = createScopeSets();

  const prepare = (key: SigningKey): PreparedKey => {
    const known = prepared.get(key.id);
    if (known) return known;
    const sign = createSigner({ algorithm: 'EdDSA', key: key.privateKeyPem, kid: key.id, header: { alg: 'EdDSA', typ: 'at+jwt' } });
    const publicKey = createPublicKey({ key: { ...key.publicJwk }, format: 'jwk' });
    const verify = createVerifier({
      algorithms: ['EdDSA'],
      key: publicKey.export({ type: 'spki', format: 'pem' }),
      ...(issuer === undefined ? {} : { allowedIss: issuer }),
      allowedAud: audience,
      requiredClaims: ['iss', 'aud', 'sub', 'kind', 'tid', 'scope', 'sid', 'jti', 'iat', 'exp'],
      // Times are compared below, by our own clock.
      ignoreExpiration: true,
      ignoreNotBefore: true,
    });
    const made = { header: headerOf(sign({})), sign, verify };
    prepared.set(key.id, made);
    return made;
  };

  /** A token is ours only when its header is letter for letter one that we sign, so no foreign algorithm or key is ever looked at. */
  const findKey = (token: string): PreparedKey | undefined => {
    for (const key of keys.all()) {
      const found = prepare(key);
      if (token.startsWith(found.header)) return found;
    }
    return undefined;
  };

  const toProof = (claims: Claims): OwnProof => {
    const now = clock.now();
    const issuedAt = claims.iat * 1000;
    // A shorter lifetime in the settings counts for tokens that are out, too.
    const expiresAt = Math.min(claims.exp * 1000, issuedAt + ttlMs);
    const validFrom = Math.max(issuedAt, (claims.nbf ?? 0) * 1000);
    // Written so that a time that is no number fits neither.
    if (!(now < expiresAt)) throw new Problem('bad-token', 'The access token has expired.');
    if (!(validFrom <= now + clockToleranceMs)) throw new Problem('bad-token', 'The access token is not valid yet.');
    const caller: Caller = {
      id: claims.sub,
      kind: claims.kind,
      tenantId: claims.tid,
      sessionId: claims.sid,
      scopes: scopeSets.of(claims.scope),
      ...(claims.pid === undefined ? {} : { personId: claims.pid }),
      ...(claims.lim === true ? { isLimited: true } : {}),
    };
    return { caller, issuedAt, expiresAt, claims: { iss: claims.iss, jti: claims.jti } };
  };

  return {
    namesOurKey: (token) => findKey(token) !== undefined,
    namesOurIssuer(token) {
      const { iss, aud, sid } = unprovenClaims(token) ?? {};
      // Without one issuer there is, a session of ours is what tells it.
      if (issuer !== undefined) return iss === issuer;
      return aud === audience && typeof sid === 'string' && sid.startsWith(`${idPrefixes.session}_`);
    },
    issue(caller, { notAfter = Number.POSITIVE_INFINITY, issuer: reachedAs, clientId } = {}) {
      const key = keys.current();
      const iat = Math.floor(clock.now() / 1000);
      const exp = Math.floor(Math.min(iat * 1000 + ttlMs, key.expiresAt, notAfter) / 1000);
      const claims = {
        iss: issuer ?? reachedAs ?? issuerWithoutUrl,
        aud: audience,
        sub: caller.id,
        kind: caller.kind,
        tid: caller.tenantId,
        scope: [...caller.scopes].join(' '),
        sid: caller.sessionId,
        ...(caller.personId === undefined ? {} : { pid: caller.personId }),
        ...(caller.isLimited === true ? { lim: true } : {}),
        ...(clientId === undefined ? {} : { client_id: clientId }),
        jti: newSecretText(),
        iat,
        exp,
      };
      return { token: prepare(key).sign(claims), expiresAt: exp * 1000 };
    },
    verify(token) {
      const key = findKey(token);
      if (!key) throw new Problem('bad-token', 'The access token is not one of ours.');
      return toProof(readClaims(key, token));
    },
  };
};

interface Claims {
  readonly iss: string;
  readonly jti: string;
  readonly sub: string;
  readonly kind: Caller['kind'];
  readonly tid: string;
  readonly scope: string;
  readonly sid: string;
  /** Of a device: the person whom it acts for. */
  readonly pid?: string;
  /** The session was given less than its caller may do. */
  readonly lim?: true;
  readonly iat: number;
  readonly exp: number;
  readonly nbf?: number;
}

const readClaims = (key: PreparedKey, token: string): Claims => {
  try {
    const claims = key.verify(token) as Claims; // our own signature stands under them: they are what `issue` wrote, in this version or another
    if (![claims.sub, claims.tid, claims.sid, claims.scope].every((text) => typeof text === 'string') || !kinds.has(claims.kind))
      throw new Error('Its claims have another form.');
    return claims;
  } catch (cause) {
    throw new Problem('bad-token', 'The access token is not valid.', { cause });
  }
};

const kinds: ReadonlySet<string> = new Set(['person', 'device', 'service'] satisfies Caller['kind'][]);

const headerOf = (token: string): string => token.slice(0, token.indexOf('.') + 1);

/** Callers with the same scopes share one set; there are few different ones. */
const createScopeSets = (maxSets = 1_000) => {
  const sets = new Map<string, ReadonlySet<Scope>>();
  return {
    of(text: string): ReadonlySet<Scope> {
      const known = sets.get(text);
      if (known) return known;
      if (sets.size >= maxSets) sets.clear();
      const made = parseScopes(text);
      sets.set(text, made);
      return made;
    },
  };
};
