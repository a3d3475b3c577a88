import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Whether a password is among the fifty thousand that people commonly use, whatever the case of its letters. The list is read each time
 * and not kept: passwords are set rarely, and reading it costs far less than hashing does.
 */
export const isCommonPassword = async (password: string): Promise<boolean> => {
  const list = await readFile(require.resolve('@zxcvbn-ts/language-common/src/passwords.json'));
  // A JSON array of strings in lower case; no quote can stand unescaped inside of one.
  return list.includes(JSON.stringify(password.toLowerCase()));
};
