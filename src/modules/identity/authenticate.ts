import type { Caller } from '../../foundation/caller.ts';
import { Problem } from '../../foundation/problem.ts';
import type { Credential } from './credentials/credential.ts';

/** Who sends this `Authorization`; undefined where it is no bearer token. Throws `bad-token` for one that is not valid. */
export type Authenticate = (authorization: string | undefined, address: string) => Promise<Caller | undefined>;

/** The first credential that knows a token as its own is the only one that judges it. */
export const createAuthenticate = ({ credentials }: { credentials: readonly Credential[] }): Authenticate => {
  const callerOf = (token: string, address: string) => {
    const credential = credentials.find((one) => one.isOwn(token));
    if (!credential) throw new Problem('bad-token', 'The access token is not one of ours.');
    return credential.callerOf(token, address);
  };
  // Every request goes through here, and most are known at once: one promise is enough for them.
  return (authorization, address) => {
    const token = bearerOf(authorization);
    if (token === undefined) return Promise.resolve(undefined);
    try {
      return Promise.resolve(callerOf(token, address));
    } catch (error) {
      return Promise.reject(error);
    }
  };
};

/** RFC 6750 §2.1; the scheme's name is case-insensitive (RFC 9110 §11.1). */
const bearerOf = (authorization: string | undefined): string | undefined =>
  authorization !== undefined && authorization.slice(0, 7).toLowerCase() === 'bearer ' ? authorization.slice(7).trim() : undefined;
