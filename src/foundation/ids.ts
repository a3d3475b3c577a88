import { randomFillSync } from 'node:crypto';

/** What an id names. The prefix stands in front of every id of that kind. */
export const idPrefixes = {
  tenant: 'ten',
  person: 'per',
  service: 'svc',
  auth: 'auth',
  secret: 'sec',
  session: 'ses',
  key: 'key',
  fact: 'fact',
  target: 'tgt',
  delivery: 'dlv',
  request: 'req',
} as const;

export type IdKind = keyof typeof idPrefixes;

export interface Ids {
  /** A TypeID (prefix and UUIDv7, RFC 9562 §5.7): ids of one process sort in the order in which they were made. */
  next(kind: IdKind): string;
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const randomPoolBytes = 4096;

export const createIds = (now: () => number): Ids => {
  const pool = Buffer.alloc(randomPoolBytes);
  let used = randomPoolBytes;
  let lastMs = 0;
  let counter = 0;

  /** A fresh millisecond starts its 12-bit counter low enough to leave room; a full one borrows the next millisecond. */
  const tick = () => {
    const ms = now();
    if (ms > lastMs) {
      lastMs = ms;
      counter = 0;
    } else if (counter < 0xfff) {
      counter += 1;
    } else {
      lastMs += 1;
      counter = 0;
    }
  };

  return {
    next(kind) {
      tick();
      if (used + 8 > randomPoolBytes) {
        randomFillSync(pool);
        used = 0;
      }
      const bytes = pool.subarray(used, used + 8);
      used += 8;
      // 128 bits as UUIDv7: 48 of time, 4 of version, 12 of counter, 2 of variant, 62 of chance.
      const high = BigInt(lastMs);
      const value = (high << 80n) | (7n << 76n) | (BigInt(counter) << 64n) | (2n << 62n) | (bytes.readBigUInt64BE() >> 2n);
      return `${idPrefixes[kind]}_${toBase32(value)}`;
    },
  };
};

/** 26 characters of Crockford's base 32, the way TypeID writes a UUID. */
const toBase32 = (value: bigint): string => {
  let text = '';
  // Two halves keep the arithmetic in plain numbers: 13 characters are 65 bits, and 5 bits at a time never cross a word here.
  for (let shift = 125n; shift >= 0n; shift -= 25n) {
    const width = shift === 125n ? 1 : 5;
    const chunk = Number((value >> shift) & (width === 1 ? 0x1fn : 0x1ffffffn));
    for (let index = width - 1; index >= 0; index -= 1) text += alphabet.charAt((chunk >>> (5 * index)) & 31);
  }
  return text;
};
