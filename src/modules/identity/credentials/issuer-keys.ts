import type { JWSHeaderParameters, JWTVerifyGetKey } from 'jose';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { Unavailable } from '../../../foundation/problem.ts';
import { getSmall } from './small-get.ts';

/** The published keys of one identity provider: fetched at first use, kept while it is away. */
export interface IssuerKeys {
  /** Rejects with `Unavailable` while no keys are known, and with jose's error where none of those known suits the token. */
  readonly find: JWTVerifyGetKey;
}

/** For discovery and keys each. */
const timeLimitMs = 3_000;
const maxBytes = 256 * 1024;
/** An unknown key id may be a new key, or made up: so often it is looked after. */
const refetchMs = 30_000;
/** While no keys are known. */
const retryMs = 1_000;
/** A key that the issuer took away counts no longer than this, as long as the issuer answers. */
const maxAgeMs = 600_000;

interface Known {
  readonly keyIds: ReadonlySet<string | undefined>;
  readonly find: JWTVerifyGetKey;
  readonly at: number;
}

/** With the first foreign token, not with the server. */
export const loadJose = () => import('jose');

export const createIssuerKeys = ({ issuer, clock, log }: { issuer: string; clock: Clock; log: Log }): IssuerKeys => {
  let known: Known | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let loading: Promise<void> | undefined;

  const fetchKeys = async (): Promise<Known> => {
    const { createLocalJWKSet } = await loadJose();
    const document = await getObject(await discover(issuer));
    const keys: unknown[] = Array.isArray(document.keys) ? document.keys : [];
    const usable = keys.filter((key) => typeof key === 'object' && key !== null);
    if (usable.length === 0) throw new Error('It publishes no keys.');
    const find = createLocalJWKSet({ keys: usable });
    const keyIds = new Set(usable.map((key) => ('kid' in key && typeof key.kid === 'string' ? key.kid : undefined)));
    return { keyIds, find, at: clock.now() };
  };

  /** Never rejects; who asks meanwhile waits for the same answer. */
  const load = (): Promise<void> => {
    triedAt = clock.now();
    loading ??= fetchKeys()
      .then(
        (fetched) => {
          known = fetched;
        },
        (error: unknown) => log.warn({ err: error, issuer }, 'issuer.keys-not-fetched'),
      )
      .finally(() => {
        loading = undefined;
      });
    return loading;
  };

  const isKnown = ({ kid }: JWSHeaderParameters): boolean => known !== undefined && (kid === undefined || known.keyIds.has(kid));

  return {
    async find(header, token) {
      const sinceTriedMs = clock.now() - triedAt;
      if (!isKnown(header) && (loading !== undefined || sinceTriedMs >= (known ? refetchMs : retryMs))) await load();
      else if (known && clock.now() - known.at >= maxAgeMs && sinceTriedMs >= refetchMs) void load();
      if (!known) throw new Unavailable(`The keys of ${issuer} cannot be had.`, { retryAfterMs: 5_000 });
      return await known.find(header, token);
    },
  };
};

/** Where the keys are: OpenID Connect Discovery 1.0 §4, else RFC 8414 §3. */
const discover = async (issuer: string): Promise<string> => {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/+$/, '');
  const metadata = await getObject(`${origin}${path}/.well-known/openid-configuration`).catch(
    async () => await getObject(`${origin}/.well-known/oauth-authorization-server${path}`),
  );
  // Both demand it: else one who serves under a path could speak for the issuer.
  if (metadata.issuer !== issuer) throw new Error(`The metadata are those of ${String(metadata.issuer)}.`);
  const keysUrl = typeof metadata.jwks_uri === 'string' ? URL.parse(metadata.jwks_uri) : null;
  const isSafe = keysUrl?.protocol === 'https:' || keysUrl?.origin === origin;
  if (keysUrl === null || !isSafe) throw new Error('The metadata name no https address of the keys.');
  return keysUrl.href;
};

const getObject = async (url: string): Promise<Readonly<Record<string, unknown>>> => {
  const { status, body } = await getSmall({ url, timeLimitMs, maxBytes });
  if (status !== 200) throw new Error(`${url} answers ${status}.`);
  const value: unknown = JSON.parse(body);
  if (typeof value !== 'object' || value === null) throw new Error(`${url} is no JSON object.`);
  return { ...value };
};
