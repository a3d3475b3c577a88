import { randomFillSync } from 'node:crypto';

/** What an id names. The prefix stands in front of every id of that kind. */
export const idPrefixes = {
  tenant: 'ten',
  person: 'per',
  service: 'svc',
  auth: 'auth',
  secret: 'sec',
  device: 'dev',
  pairing: 'pair',
  mail: 'mail',
  session: 'ses',
  key: 'key',
  fact: 'fact',
  target: 'tgt',
  delivery: 'dlv',
  file: 'file',
  upload: 'upl',
  folder: 'fold',
  share: 'shr',
  access: 'acc',
  request: 'req',
} as const;

export type IdKind = keyof typeof idPrefixes;

export interface Ids {
  /** A TypeID (prefix and UUIDv7, RFC 9562 §5.7): ids of one process sort in the order in which they were made. */
  next(kind: IdKind): string;
}

// TypeID writes the 128 bits of a UUID as 26 characters of Crockford's base 32, with two zero bits in front. So the characters fall
// together with the parts of a UUIDv7: ten are the time (48 bits), four are version, counter, variant and two bits of chance, twelve are chance.
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
const timeCharacters = 10;
const chanceCharacters = 12;
const randomBytesInId = 1 + chanceCharacters;
const maxCounter = 0xfff;

const characterOf = (value: number): string => alphabet.charAt(value & 31);

const timeText = (ms: number): string => {
  let text = '';
  for (let rest = ms, index = 0; index < timeCharacters; index += 1) {
    text = characterOf(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
};

export const createIds = (now: () => number): Ids => {
  const randomPool = Buffer.alloc(256 * randomBytesInId);
  let used = randomPool.length;
  let lastMs = 0;
  let lastTimeText = timeText(0);
  let counter = 0;

  /** Within a millisecond the counter grows; a full one borrows the next millisecond. */
  const tick = () => {
    const ms = now();
    if (ms <= lastMs && counter < maxCounter) {
      counter += 1;
      return;
    }
    lastMs = Math.max(ms, lastMs + 1);
    lastTimeText = timeText(lastMs);
    counter = 0;
  };

  return {
    next(kind) {
      tick();
      if (used === randomPool.length) {
        randomFillSync(randomPool);
        used = 0;
      }
      const middle = (7 << 16) | (counter << 4) | (2 << 2) | ((randomPool[used] ?? 0) & 3);
      let text = characterOf(middle >> 15) + characterOf(middle >> 10) + characterOf(middle >> 5) + characterOf(middle);
      for (let index = 1; index < randomBytesInId; index += 1) text += characterOf(randomPool[used + index] ?? 0);
      used += randomBytesInId;
      return `${idPrefixes[kind]}_${lastTimeText}${text}`;
    },
  };
};

/** All ids of a kind that were made before `ms` sort before this one, all later ones behind it. */
export const idBorder = (kind: IdKind, ms: number): string =>
  `${idPrefixes[kind]}_${timeText(Math.max(0, ms))}${'0'.repeat(4 + chanceCharacters)}`;
