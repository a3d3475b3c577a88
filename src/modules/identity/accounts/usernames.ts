import { Problem } from '../../../foundation/problem.ts';

export const usernameLength = { min: 3, max: 64 } as const;

/** Letters, digits and `. _ @ + -`, starting with a letter or digit, after NFKC and in lower case. */
const alphabet = /^[a-z0-9][a-z0-9._@+-]*$/;

/** A user name as compared: names that look alike to a compatibility mapping or differ in case are the same. */
export const usernameKeyOf = (username: string): string => username.normalize('NFKC').toLowerCase();

/** Whether anybody may have this name. */
export const isUsername = (username: string): boolean => {
  const key = usernameKeyOf(username);
  return alphabet.test(key) && key.length >= usernameLength.min && key.length <= usernameLength.max;
};

/** Throws `bad-body` for a name that nobody may have; `at` is where it stands in the body. */
export const mustBeUsername = (username: string, at = '/username'): void => {
  if (isUsername(username)) return;
  const why = `must have ${usernameLength.min} to ${usernameLength.max} of the letters a-z, digits and . _ @ + -, starting with a letter or digit`;
  throw new Problem('bad-body', `The user name ${why}.`, { errors: [{ in: 'body', at, why }] });
};
