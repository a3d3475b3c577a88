import { Secret } from '../foundation/secret.ts';

/** Reads the text of one setting. */
export interface Parser<Value> {
  /** What it takes, worded to follow "must be". */
  readonly takes: string;
  /** The value, or `undefined` when the text is not what it takes. */
  read(text: string): Value | undefined;
}

/** So many requests in any window of `intervalMs`. */
export interface Rate {
  readonly requests: number;
  readonly intervalMs: number;
}

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const isUnit = (text: string): text is keyof typeof unitMs => Object.hasOwn(unitMs, text);

/** Milliseconds of `500ms 1s 15m 1h 30d`. */
const readDuration = (text: string): number | undefined => {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text) ?? [];
  return count === undefined || unit === undefined || !isUnit(unit) ? undefined : Number(count) * unitMs[unit];
};

/** Milliseconds; `shortest` and `longest` are durations too, and allowed. */
export const duration = (shortest: string, longest: string): Parser<number> => {
  const [least = 0, most = 0] = [readDuration(shortest), readDuration(longest)];
  return {
    takes: `a duration from ${shortest} to ${longest}, such as 500ms, 1s, 15m, 1h or 30d`,
    read(text) {
      const ms = readDuration(text);
      return ms === undefined || ms < least || ms > most ? undefined : ms;
    },
  };
};

const unitBytes = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** Bytes of `64KiB 1MiB 4GiB`, or of a bare number; at least one, at most 8 PiB. */
export const size: Parser<number> = {
  takes: 'a size such as 64KiB, 1MiB, 4GiB or plain bytes',
  read(text) {
    const [, count = '', unit = 'B'] = /^(\d{1,15})(KiB|MiB|GiB|TiB)?$/.exec(text) ?? [];
    const bytes = Number(count) * unitBytes[unit as keyof typeof unitBytes]; // one of those in the pattern
    return bytes > 0 && bytes <= 2 ** 53 ? bytes : undefined;
  },
};

/** Media types, separated by commas; a star at the end stands for anything: `image/*`. */
export const mediaTypeList: Parser<readonly string[]> = {
  takes: 'media types separated by commas, such as image/*,application/pdf',
  read(text) {
    const types = text.split(',').map((type) => type.trim().toLowerCase());
    return types.every((type) => /^(\*\/\*|[a-z]+\/([a-z0-9][a-z0-9.+_-]*\*?|\*))$/.test(type)) ? types : undefined;
  },
};

export const wholeNumber = (least: number, most: number): Parser<number> => ({
  takes: `a whole number from ${least} to ${most}`,
  read(text) {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    return number >= least && number <= most ? number : undefined;
  },
});

/** `1/2s`, `100/1m`; a bare unit counts once: `5/s`. */
export const rate: Parser<Rate> = {
  takes: 'requests per interval of at most 1d, such as 1/2s, 100/1m or 5/s',
  read(text) {
    const [, requestsText = '', intervalText = ''] = /^(\d{1,7})\/(\d*[a-z]+)$/.exec(text) ?? [];
    const requests = Number(requestsText);
    const intervalMs = readDuration(/^\d/.test(intervalText) ? intervalText : `1${intervalText}`);
    const isRate = requests > 0 && intervalMs !== undefined && intervalMs > 0 && intervalMs <= unitMs.d;
    return isRate ? { requests, intervalMs } : undefined;
  },
};

export const oneOf = <const Word extends string>(...words: readonly Word[]): Parser<Word> => ({
  takes: words.length === 1 ? `${words[0]}` : `one of ${words.join(', ')}`,
  read: (text) => words.find((word) => word === text),
});

export const folderPath: Parser<string> = {
  takes: 'the path of a folder',
  read: (text) => (text.includes('\0') ? undefined : text.replace(/(?<=.)\/+$/, '')),
};

/** Kept as it is written; `database/open-database.ts` opens it. */
export const sqliteUrl: Parser<string> = {
  takes: 'sqlite: followed by the path of a file',
  read: (text) => (/^sqlite:(?!:memory:$)[^\0]+$/.test(text) ? text : undefined),
};

/** Kept as it is written; `blobs/open-blob-store.ts` opens it. */
export const blobsUrl: Parser<string> = {
  takes: 'folder: followed by the path of a folder',
  read: (text) => (/^folder:[^\0]+$/.test(text) ? text.replace(/(?<=folder:.+)\/+$/, '') : undefined),
};

export const jsonObject: Parser<Readonly<Record<string, unknown>>> = {
  takes: 'a JSON object, such as {"brand":"testBrand"}',
  read(text) {
    const value = parseJson(text);
    return isRecord(value) ? value : undefined;
  },
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The bounds are those of every account: names of 3 to 64 characters, passwords of 10 to 256. The password may hold colons. */
export const nameAndPassword: Parser<{ readonly name: string; readonly password: Secret }> = {
  takes: 'name:password, the name of 3 to 64 characters, the password of 10 to 256',
  read(text) {
    const [, name, password] = /^([^:]{3,64}):(.{10,256})$/su.exec(text) ?? [];
    return name === undefined || password === undefined ? undefined : { name, password: new Secret(password) };
  },
};

/** A text that machines keep for each other: long enough not to be guessed. */
export const secretText = (leastCharacters: number): Parser<Secret> => ({
  takes: `a secret of at least ${leastCharacters} characters`,
  read: (text) => (text.length >= leastCharacters ? new Secret(text) : undefined),
});

/** RFC 6750 §2.1: what can stand in `Authorization: Bearer …`. */
export const bearerToken: Parser<Secret> = {
  takes: 'a bearer token: letters, digits and -._~+/ without spaces',
  read: (text) => (/^[A-Za-z0-9\-._~+/]+=*$/.test(text) ? new Secret(text) : undefined),
};

/** A name that is printed in logs and traces. */
export const plainName: Parser<string> = {
  takes: 'a name of 1 to 128 visible ASCII characters',
  read: (text) => (/^[!-~]{1,128}$/.test(text) ? text : undefined),
};

/** One line with an address: `Name <local@domain>` or `local@domain`. */
export const mailFrom: Parser<string> = {
  takes: 'a sender such as Entrepot <no-reply@example.org>',
  read: (text) => (/^(?:[^<>@\p{Cc}]* <[^<>\s@\p{Cc}]+@[^<>\s@\p{Cc}]+>|[^<>\s@\p{Cc}]+@[^<>\s@\p{Cc}]+)$/u.test(text) ? text : undefined),
};
