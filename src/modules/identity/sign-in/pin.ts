import { Type } from '../../../foundation/schema.ts';
import { deviceScopesOf } from '../permissions.ts';
import type { SignInMethodFile } from './sign-in-method.ts';

const schema = Type.Object(
  {
    method: Type.Literal('pin'),
    deviceId: Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }),
    pin: Type.String({ minLength: 1, maxLength: 64, description: 'Four digits; good once.' }),
    cookie: Type.Optional(Type.Boolean({ description: 'The refresh token comes as a cookie instead of in the body.' })),
  },
  { additionalProperties: false, title: 'A device by the PIN that pairs it' },
);

/** A device trades a PIN that a person made for it, and acts for that person from then on. An unknown device id costs the same work. */
export const pinMethod: SignInMethodFile<typeof schema> = {
  method: 'pin',
  schema,
  example: { method: 'pin', deviceId: 'phone-of-ada', pin: '0042' },
  open: ({ pairings, adoptDevice, people, tenants }) => ({
    nameOf: ({ deviceId }) => `device ${deviceId}`,
    limitOf: ({ deviceId }) => pairings.limitOf(deviceId),
    async prove({ deviceId, pin }) {
      const { isRight, pairing } = await pairings.guess(deviceId, pin);
      if (!pairing) return { outcome: 'refused' };
      const { tenantId, personId } = pairing;
      const refused = { outcome: 'refused', who: { id: personId, kind: 'person', tenantId } } as const;
      if (!isRight) return refused;
      const person = await people.findPerson(pairing, personId);
      const tenant = await tenants.findTenant(tenantId);
      if (person?.state !== 'active' || tenant?.state !== 'active') return refused;
      const { id, writes, ends, traced } = await adoptDevice(pairing);
      return {
        outcome: 'proven',
        who: { id, kind: 'device', tenantId, personId },
        scopes: deviceScopesOf(person.role),
        writes: [pairings.use(pairing), ...writes],
        ends,
        traced,
      };
    },
  }),
};
