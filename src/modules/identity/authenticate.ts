import type { Caller } from '../../foundation/caller.ts';
import type { Clock } from '../../foundation/clock.ts';
import { Problem } from '../../foundation/problem.ts';
import { hashOf } from '../../foundation/secret.ts';
import type { AccessProof, AccessTokens } from './credentials/access-token.ts';
import type { Denials } from './denials.ts';

/** Who sends this `Authorization`; undefined where it is no bearer token. Throws `bad-token` for one that is not valid. */
export type Authenticate = (authorization: string | undefined, address: string) => Promise<Caller | undefined>;

/**
 * Checking a signature costs a hundred times what remembering it costs, so good tokens are remembered, by their hash, until they
 * expire. Whether the session was ended meanwhile is asked each time.
 */
export const createAuthenticate = ({
  accessTokens,
  denials,
  clock,
  maxRemembered = 20_000,
}: {
  accessTokens: Pick<AccessTokens, 'verify'>;
  denials: Pick<Denials, 'judge'>;
  clock: Clock;
  maxRemembered?: number;
}): Authenticate => {
  const remembered = createMemory<AccessProof>(maxRemembered);

  const prove = (token: string): AccessProof => {
    const key = hashOf(token);
    const known = remembered.get(key);
    if (known && known.expiresAt > clock.now()) return known;
    const proof = accessTokens.verify(token);
    remembered.set(key, proof);
    return proof;
  };

  return async (authorization) => {
    const token = bearerOf(authorization);
    if (token === undefined) return undefined;
    const { caller, issuedAt } = prove(token);
    const judged = denials.judge(caller, issuedAt);
    if (!judged) throw new Problem('bad-token', 'The session of this access token has ended.');
    return judged;
  };
};

/** RFC 6750 §2.1; the scheme's name is case-insensitive (RFC 9110 §11.1). */
const bearerOf = (authorization: string | undefined): string | undefined =>
  authorization !== undefined && authorization.slice(0, 7).toLowerCase() === 'bearer ' ? authorization.slice(7).trim() : undefined;

/** Remembers at most `max` things: a young and an old half; what is asked for moves to the young one, a full young one becomes the old. */
const createMemory = <Value>(max: number) => {
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  const set = (key: string, value: Value) => {
    young.set(key, value);
    if (young.size < max / 2) return;
    old = young;
    young = new Map();
  };
  return {
    set,
    get(key: string): Value | undefined {
      const value = young.get(key);
      if (value !== undefined) return value;
      const aged = old.get(key);
      if (aged !== undefined) set(key, aged);
      return aged;
    },
  };
};
