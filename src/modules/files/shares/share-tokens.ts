import type { ShareRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { isSameText, newSecretText, type Seal } from '../../../foundation/secret.ts';

/** One opening of a share, as its token tells it. */
export interface Opening {
  /** Differs from one opening to the next. */
  readonly opening: string;
  readonly expiresAt: number;
}

/**
 * Texts that say that a share was opened, with its password where it has one. They are kept nowhere: the server's key vouches for share,
 * password, opening and end together, so that a token of another share, or a later time, makes nothing of them.
 */
export interface ShareTokens {
  /** Good for an hour, and never longer than the share. */
  give(share: ShareRow): Opening & { readonly shareToken: string };
  /** Undefined where it is no token of this share, or over. */
  read(share: ShareRow, shareToken: string): Opening | undefined;
}

const lifetimeMs = 60 * 60 * 1000;
const purpose = 'share-token';
const shape = /^([\w-]{22})\.([0-9a-z]{1,10})\.([\w-]{43})$/;
const openingCharacters = 22; // 132 random bits

export const createShareTokens = ({ seal, clock }: { seal: Pick<Seal, 'mac'>; clock: Clock }): ShareTokens => {
  const prove = ({ id, passwordHash }: ShareRow, { opening, expiresAt }: Opening): string =>
    seal.mac(JSON.stringify([id, passwordHash, opening, expiresAt]), purpose);

  return {
    give(share) {
      const expiresAt = Math.min(clock.now() + lifetimeMs, share.expiresAt ?? Number.POSITIVE_INFINITY);
      const opened = { opening: newSecretText().slice(0, openingCharacters), expiresAt };
      return { ...opened, shareToken: `${opened.opening}.${expiresAt.toString(36)}.${prove(share, opened)}` };
    },

    read(share, shareToken) {
      const [, opening, expires, proof] = shape.exec(shareToken) ?? [];
      if (opening === undefined || expires === undefined || proof === undefined) return undefined;
      const opened = { opening, expiresAt: Number.parseInt(expires, 36) };
      return opened.expiresAt > clock.now() && isSameText(prove(share, opened), proof) ? opened : undefined;
    },
  };
};
