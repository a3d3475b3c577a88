import { Type } from 'typebox';
import { roles } from '../permissions.ts';
import { PresentedPasswordIn } from '../person-schemas.ts';
import { usernameKeyOf } from '../usernames.ts';
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

/** A person's user name and password. An unknown name costs the same work as a known one. */
export const passwordMethod: SignInMethodFile<typeof schema> = {
  method: 'password',
  schema,
  example: { method: 'password', username: 'ada', password: 'correct horse battery staple' },
  open: ({ people, passwords }) => ({
    nameOf: ({ username }) => usernameKeyOf(username),
    async prove({ username, password }) {
      const person = await people.findPersonByUsername(usernameKeyOf(username));
      const isRight = await passwords.matches(person?.passwordHash, password);
      if (!person) return { outcome: 'refused' };
      const who = { id: person.id, kind: 'person', tenantId: person.tenantId } as const;
      if (!isRight) return { outcome: 'refused', who };
      return { outcome: 'proven', who, scopes: new Set(roles[person.role]), writes: [] };
    },
  }),
};
