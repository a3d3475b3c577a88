import { createRequire } from 'node:module';
import { Problem } from '../../../foundation/problem.ts';

/** People's passwords: argon2id in Node's thread pool, never on the event loop, and only a few at a time. */
export interface Passwords {
  /** An argon2id string with its parameters and salt. Rejects with `unavailable` when too many wait already. */
  hash(password: string): Promise<string>;
  /** Takes as long whether there is a hash to compare with or not (undefined, or empty where the person has no password here). Rejects with `unavailable` when too many wait already. */
  matches(passwordHash: string | undefined, password: string): Promise<boolean>;
  /** Whether it was made with less work than is asked for now. */
  isWeak(passwordHash: string): boolean;
}

export const passwordLength = { min: 10, max: 256 } as const;

// Native code that is loaded with the first password, not with the server: most instances meet passwords rarely.
const require = createRequire(import.meta.url);
const loadArgon2 = () => require('@node-rs/argon2') as typeof import('@node-rs/argon2');

/** OWASP's first choice of 2023 for argon2id: 19 MiB, two passes. */
const parameters = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** The hash of a password that nobody has, made with the parameters above: unknown names are compared with it. */
export const nobodysHash = '$argon2id$v=19$m=19456,t=2,p=1$d2/mrRZwJQtihsfGx3T4eQ$5SXuPex9wnA3wq5lFSWGaE7xsrSWdOFQXr6mjYygyUE';

export const createPasswords = ({ maxRunning, maxWaiting = 64 }: { maxRunning: number; maxWaiting?: number }): Passwords => {
  const inTurn = createTurns({ maxRunning, maxWaiting });
  return {
    hash: (password) => inTurn(() => loadArgon2().hash(password.normalize('NFC'), parameters)),
    matches: (passwordHash, password) =>
      inTurn(async () => {
        const isSame = await loadArgon2().verify(passwordHash || nobodysHash, password.normalize('NFC'));
        return isSame && passwordHash !== undefined && passwordHash !== '';
      }),
    isWeak(passwordHash) {
      const [, memoryCost, timeCost] = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=\d+\$/.exec(passwordHash) ?? [];
      return Number(memoryCost ?? 0) < parameters.memoryCost || Number(timeCost ?? 0) < parameters.timeCost;
    },
  };
};

/** Lets `maxRunning` acts run at a time and `maxWaiting` wait for their turn, first come first served. */
const createTurns = ({ maxRunning, maxWaiting }: { maxRunning: number; maxWaiting: number }) => {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async <T>(act: () => Promise<T>): Promise<T> => {
    if (running >= maxRunning) {
      if (waiting.length >= maxWaiting)
        throw new Problem('unavailable', 'Too many people sign in at this moment.', { retryAfterMs: 2_000 });
      await new Promise<void>((resolve) => waiting.push(resolve)); // whoever ends hands its turn over
    } else {
      running += 1;
    }
    try {
      return await act();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
};
