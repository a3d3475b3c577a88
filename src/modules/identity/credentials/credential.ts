import type { Caller } from '../../../foundation/caller.ts';

/** One kind of bearer token. */
export interface Credential {
  /** Whether a token is of this kind, whatever it is worth: told from its text, with nothing dear done and nobody asked. */
  isOwn(token: string): boolean;
  /**
   * Who sends the token, as it counts at this moment. Throws `bad-token` for one that is not valid, 403 for one whose person is not let
   * in, and `Unavailable` where it cannot be told now.
   */
  callerOf(token: string, address: string): Caller | Promise<Caller>;
}
