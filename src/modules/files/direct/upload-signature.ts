import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import { isSameText, type Seal } from '../../../foundation/secret.ts';
import { isSignedTime } from '../signed-time.ts';

/** What stands in the query of a signed address. */
export interface SignedQuery {
  readonly expires?: string;
  /** `yes` where the folder had been unlocked for the upload. */
  readonly unlocked?: string;
  readonly signature?: string;
}

/** Addresses to which whoever has them may send the bytes of one file, for an hour. They are kept nowhere: the server's key vouches for them. */
export interface UploadSignature {
  sign(fileId: string, how: { isUnlocked: boolean }): { query: string; expiresAt: number };
  /** Throws `bad-link` where anything was changed, `gone` where its time is over. */
  prove(fileId: string, query: SignedQuery): { isUnlocked: boolean };
}

const lifetimeMs = 60 * 60 * 1000;
const purpose = 'direct-upload';

export const createUploadSignature = ({ seal, clock }: { seal: Pick<Seal, 'mac'>; clock: Clock }): UploadSignature => {
  const macOf = (fileId: string, expires: number, isUnlocked: boolean): string =>
    seal.mac(JSON.stringify([fileId, expires, isUnlocked]), purpose);

  return {
    sign(fileId, { isUnlocked }) {
      const expires = Math.ceil((clock.now() + lifetimeMs) / 1000);
      const query = `expires=${expires}${isUnlocked ? '&unlocked=yes' : ''}&signature=${macOf(fileId, expires, isUnlocked)}`;
      return { query, expiresAt: expires * 1000 };
    },

    prove(fileId, { expires = '', unlocked, signature = '' }) {
      const isUnlocked = unlocked === 'yes';
      const isAsMade = isSignedTime(expires) && (unlocked === undefined || isUnlocked);
      const isRight = isAsMade && isSameText(signature, macOf(fileId, Number(expires), isUnlocked));
      if (!isRight) throw new Problem('bad-link', 'The address was changed, or was not made here.');
      if (Number(expires) * 1000 <= clock.now()) throw new Problem('gone', 'The time for the upload is over. Begin a new one.');
      return { isUnlocked };
    },
  };
};
