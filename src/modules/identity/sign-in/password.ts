import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { PresentedPasswordIn } from '../accounts/person-schemas.ts';
import { usernameKeyOf } from '../accounts/usernames.ts';
import { roles } from '../permissions.ts';
import type { SignInMethodFile } from './sign-in-method.ts';

const schema = Type.Object(
  {
    method: Type.Literal('password'),
    username: Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }),
    password: PresentedPasswordIn,
    cookie: Type.Optional(Type.Boolean({ description: 'The refresh token comes as a cookie instead of in the body.' })),
  },
  { additionalProperties: false, title: 'A person by its password' },
);

/**
 * A person's user name and password. An unknown name costs the same work as a known one; whether the person is let in at all is told
 * only to whoever knows the password. A hash that was made with less work than is asked for now is replaced.
 */
export const passwordMethod: SignInMethodFile<typeof schema> = {
  method: 'password',
  schema,
  example: { method: 'password', username: 'ada', password: 'correct horse battery staple' },
  open: ({ people, passwords }) => ({
    nameOf: ({ username }) => usernameKeyOf(username),
    async prove({ username, password }) {
      const person = await people.findPersonByUsername(usernameKeyOf(username));
      const from = person?.passwordHash || undefined; // empty where the person has no password
      const isRight = await passwords.matches(from, password);
      if (!person) return { outcome: 'refused' };
      const who = { id: person.id, kind: 'person', tenantId: person.tenantId } as const;
      if (!isRight || from === undefined) return { outcome: 'refused', who };
      if (person.state === 'unconfirmed') return { outcome: 'barred', who, refusal: unconfirmed() };

      const to = passwords.isWeak(from) ? await passwords.hash(password) : from;
      // Replaced also by itself: refused when the person was deleted or its password changed while this one was compared.
      return { outcome: 'proven', who, scopes: new Set(roles[person.role]), writes: [people.replaceHash({ id: person.id, from, to })] };
    },
  }),
};

const unconfirmed = () =>
  new Problem(
    'unconfirmed',
    'Your e-mail address is not confirmed yet. Follow the link of the mail, or reset the password to get another.',
  );
