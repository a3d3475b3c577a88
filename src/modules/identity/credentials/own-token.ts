import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Denials } from '../sessions/denials.ts';
import type { AccessProof, AccessTokens } from './access-token.ts';
import type { Credential } from './credential.ts';
import { createRemembered } from './remembered.ts';

/**
 * The access tokens that we give. Checking a signature costs a hundred times what remembering it costs, so good tokens are remembered until
 * they expire: by their text, since hashing it would cost more than all else that is asked of a known one. Whether their key still counts
 * and the session was ended meanwhile is asked each time.
 */
export const ownTokens = ({
  accessTokens,
  denials,
  clock,
  maxRemembered = 20_000,
}: {
  accessTokens: Pick<AccessTokens, 'namesOurKey' | 'namesOurIssuer'> & { verify(token: string): AccessProof };
  denials: Pick<Denials, 'judge'>;
  clock: Clock;
  maxRemembered?: number;
}): Credential => {
  const remembered = createRemembered<AccessProof>(maxRemembered);

  const prove = (token: string): AccessProof => {
    // A key that was taken away, since it had leaked, takes along what was remembered of it.
    const known = accessTokens.namesOurKey(token) ? remembered.get(token) : undefined;
    if (known && known.expiresAt > clock.now()) return known;
    const proof = accessTokens.verify(token);
    remembered.set(token, proof);
    return proof;
  };

  return {
    // One that names us as its issuer is ours to refuse: it is handed to nobody else.
    isOwn: (token) => accessTokens.namesOurKey(token) || accessTokens.namesOurIssuer(token),
    callerOf(token) {
      const { caller, issuedAt } = prove(token);
      const judged = denials.judge(caller, issuedAt);
      if (!judged) throw new Problem('bad-token', 'The session of this access token has ended.');
      return judged;
    },
  };
};
