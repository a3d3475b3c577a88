import { Problem } from '../../../foundation/problem.ts';
import { isCommonPassword } from './common-passwords.ts';
import { passwordLength } from './passwords.ts';

export const emailLength = { max: 254 } as const;
export const displayNameLength = { max: 128 } as const;

/**
 * What may stand on either side of the one `@`: no spaces, no control or invisible characters, and nothing that has a meaning in the
 * headers of a mail. Whether the address exists only a mail can tell.
 */
const side = String.raw`[^\s@<>()[\]\\,;:"\p{C}\p{Z}]`;
const emailForm = new RegExp(`^(?!\\.)(?!.*\\.[.@])${side}{1,64}@(?![.-])${side}+(?<![.-])$`, 'u');

/** Throws `bad-body` for what is no e-mail address (RFC 5321 §4.5.3.1 for the lengths). */
export const mustBeEmail = (email: string, at = '/email'): void => {
  if (email.length <= emailLength.max && emailForm.test(email)) return;
  throw badField('The e-mail address', at, `must be an address such as ada@example.org, of at most ${emailLength.max} characters`);
};

/** Line breaks, control characters and marks that turn the direction of what follows: they make one name look like another. */
const forbiddenInNames = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** Throws `bad-body` for a name that could not be shown as it is. */
export const mustBeDisplayName = (name: string, at = '/displayName'): void => {
  if (name.trim() !== '' && [...name].length <= displayNameLength.max && !forbiddenInNames.test(name)) return;
  throw badField('The name', at, `must have 1 to ${displayNameLength.max} characters and no control characters`);
};

/** Throws `bad-body` for a password that nobody may have. There are no rules of composition (NIST SP 800-63B §3.1.1.2). */
export const mustBePassword = async (password: string, at = '/password'): Promise<void> => {
  const { min, max } = passwordLength;
  const length = [...password.normalize('NFC')].length;
  if (length < min || length > max) throw badField('The password', at, `must have ${min} to ${max} characters`);
  if (password.includes('\0') || !password.isWellFormed()) throw badField('The password', at, 'must not contain NUL or half characters');
  if (await isCommonPassword(password.normalize('NFC'))) throw badField('The password', at, 'must not be one that many people use');
};

export const badField = (what: string, at: string, why: string): Problem =>
  new Problem('bad-body', `${what} ${why}.`, { errors: [{ in: 'body', at, why }] });
