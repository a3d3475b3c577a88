import { Type } from '../../../foundation/schema.ts';
import { type Role, roles } from '../permissions.ts';
import { passwordLength } from './passwords.ts';
import { displayNameLength, emailLength } from './person-fields.ts';
import { usernameLength } from './usernames.ts';

/** Signs that Unicode composes count once (NFC), so a text may be longer as it is sent than as it counts. */
const longestAsSent = 4;

export const UsernameIn = Type.String({
  minLength: usernameLength.min,
  maxLength: usernameLength.max,
  description: 'Letters a-z, digits and `. _ @ + -`, starting with a letter or digit; compared in lower case, after NFKC.',
});

export const PasswordIn = Type.String({
  minLength: passwordLength.min,
  maxLength: passwordLength.max * longestAsSent,
  description: `${passwordLength.min} to ${passwordLength.max} characters after NFC, not one that many people use. There are no other rules.`,
});

/** A password to be compared: whatever somebody may have. */
export const PresentedPasswordIn = Type.String({ minLength: 1, maxLength: passwordLength.max * longestAsSent });

export const EmailIn = Type.String({ minLength: 3, maxLength: emailLength.max, description: 'Kept as it is given.' });

export const DisplayNameIn = Type.String({ minLength: 1, maxLength: displayNameLength.max });

export const RoleIn = Type.Unsafe<Role>({
  type: 'string',
  enum: Object.keys(roles),
  description: 'What it may do; never more than you may yourself. Operators belong to the tenant `default`.',
});

/** No control characters, line breaks or marks that turn the direction of what follows: it is shown to others. */
export const printable = '^[^\\p{Cc}\\p{Cs}\\p{Zl}\\p{Zp}\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]*$';

export const AudiencesIn = Type.Array(Type.String({ minLength: 1, maxLength: 128, pattern: printable }), {
  uniqueItems: true,
  maxItems: 64,
  description: 'The audiences that it belongs to.',
});

/** A token of a mail. */
export const MailTokenIn = Type.String({ minLength: 1, maxLength: 256 });

export const exampleOfPerson = {
  id: 'per_01k8t3w0e5f6g7h8j9kamn0pqr',
  username: 'ada',
  password: 'correct horse battery staple',
  email: 'ada@example.org',
  mailToken: 'nkPmPBDC0xfWKpFkjmuzJbbY3GdXYjr9hkyCVmZ7xQk',
} as const;
