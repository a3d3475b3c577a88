import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  hkdfSync,
  randomBytes,
  randomFillSync,
  randomInt,
  timingSafeEqual,
} from 'node:crypto';
import { inspect } from 'node:util';

/** A text that must not be printed by accident: logs, JSON and templates show `[secret]`. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The only way to the text itself. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [inspect.custom](): string {
    return '[secret]';
  }
}

/** A new secret of 256 random bits, base64url, for machines; people's passwords are another matter (argon2). */
export const newSecretText = (): string => randomBytes(32).toString('base64url');

/** Random characters of an alphabet, each as likely as any other; for people who read them from one screen and type them into another. */
export const newCodeText = (alphabet: string, length: number): string =>
  Array.from({ length }, () => alphabet.charAt(randomInt(alphabet.length))).join('');

/** Four random digits, each of the ten thousand as likely as any other; for people, too. */
export const newPin = (): string => newCodeText('0123456789', 4);

/**
 * Makes texts of `bytes` random bytes in hexadecimal, for what has to be unique but not secret, such as trace ids. Random bytes are fetched
 * for many texts at once: fetching them costs the same for 32 bytes as for thousands.
 */
export const createRandomHex = (bytes: number): (() => string) => {
  const pool = Buffer.alloc(128 * bytes);
  let used = pool.length;
  return () => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    used += bytes;
    return pool.toString('hex', used - bytes, used);
  };
};

/** SHA-256, base64url: enough for secrets of 256 random bits, which cannot be guessed from their hash. */
export const hashOf = (text: string): string => hash('sha256', text, 'base64url');

/** Compares in a time that does not depend on where the two differ. */
export const isSameText = (one: string, other: string): boolean =>
  timingSafeEqual(hash('sha256', one, 'buffer'), hash('sha256', other, 'buffer'));

/** What was sealed is there, but the key is another one: a person has to bring the right one. */
export class WrongSecretKey extends Error {
  constructor(what: string, cause: unknown) {
    super(`The secret key is not the one that sealed ${what}: bring back the ENTREPOT_SECRET_KEY, or the secret.key, of then.`, { cause });
    this.name = 'WrongSecretKey';
  }
}

/** What goes to disk under the server's secret key: encrypted what must be readable again, keyed what must only be compared. */
export interface Seal {
  /** AES-256-GCM with a fresh nonce; `purpose` is bound in, so that a sealed text cannot be moved to another place. */
  seal(text: string, purpose: string): string;
  /** Throws when the text was changed, sealed for another purpose or with another key. */
  open(sealed: string, purpose: string): string;
  /** HMAC-SHA-256, base64url, for what is too short to be hashed: without the key nobody finds the text by trying all there are. */
  mac(text: string, purpose: string): string;
}

export const createSeal = (secretKey: Secret): Seal => {
  const key = Buffer.from(hkdfSync('sha256', secretKey.reveal(), 'entrepot', 'seal', 32));
  const macKey = Buffer.from(hkdfSync('sha256', secretKey.reveal(), 'entrepot', 'mac', 32));
  return {
    seal(text, purpose) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(purpose));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return `v1.${Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url')}`;
    },
    open(sealed, purpose) {
      const bytes = Buffer.from(sealed.slice(3), 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
      decipher.setAAD(Buffer.from(purpose)).setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
    },
    mac(text, purpose) {
      const keyOfPurpose = createHmac('sha256', macKey).update(purpose).digest();
      return createHmac('sha256', keyOfPurpose).update(text).digest('base64url');
    },
  };
};
