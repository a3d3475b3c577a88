import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { Clock } from '../../../foundation/clock.ts';
import { newSecretText, type Seal, WrongSecretKey } from '../../../foundation/secret.ts';
import type { LinkKeyStore } from './link-key-store.ts';

/** Keys that sign links: a new one each period, made at its first use, and kept as long as a link that it signed may be good. */
export interface LinkKeys {
  /** Resolves when the key is durable, so that every replica knows it. */
  current(): Promise<LinkKey>;
  /** The key of that id; undefined where there is none (any more). */
  find(id: string): Promise<LinkKey | undefined>;
}

export interface LinkKey {
  readonly id: string;
  /** HMAC-SHA-256, base64url. */
  sign(text: string): string;
}

const dayMs = 24 * 60 * 60 * 1000;
const periodMs = 30 * dayMs;
/** No setting lets links live longer. */
export const longestLinkMs = 366 * dayMs;
const purpose = 'link-key';

export const createLinkKeys = ({ store, seal, clock }: { store: LinkKeyStore; seal: Seal; clock: Clock }): LinkKeys => {
  /** By period; never more than `longestLinkMs` of them are good, the others are dropped. */
  const known = new Map<number, LinkKey>();
  const newestPeriod = () => Math.floor(clock.now() / periodMs);
  const oldestPeriod = () => Math.floor((clock.now() - longestLinkMs) / periodMs);

  const open = (period: number, sealedKey: string): LinkKey => {
    // Prepared once: to make it out of bytes for each signature takes ten times as long as to sign.
    let secret: KeyObject;
    try {
      secret = createSecretKey(Buffer.from(seal.open(sealedKey, purpose), 'base64url'));
    } catch (cause) {
      throw new WrongSecretKey('the keys of links', cause);
    }
    const key: LinkKey = { id: String(period), sign: (text) => createHmac('sha256', secret).update(text).digest('base64url') };
    for (const one of known.keys()) if (one < oldestPeriod()) known.delete(one);
    known.set(period, key);
    return key;
  };

  const load = async (period: number): Promise<LinkKey | undefined> => {
    const row = await store.findKey(period);
    return row === undefined ? undefined : open(period, row.sealedKey);
  };

  return {
    async current() {
      const period = newestPeriod();
      const key = known.get(period) ?? (await load(period));
      if (key !== undefined) return key;
      const expiresAt = (period + 1) * periodMs + longestLinkMs;
      await store.offerKey({ period, sealedKey: seal.seal(newSecretText(), purpose), createdAt: clock.now(), expiresAt });
      // Of two processes that offer one at once the first has it, and the other takes that.
      const made = await load(period);
      if (made === undefined) throw new Error('There is no key that signs links.');
      return made;
    },

    async find(id) {
      const period = /^(?:0|[1-9][0-9]{0,5})$/.test(id) ? Number(id) : Number.NaN;
      // The clock of another replica may be a little ahead.
      if (!(period >= oldestPeriod() && period <= newestPeriod() + 1)) return undefined;
      return known.get(period) ?? (await load(period));
    },
  };
};
