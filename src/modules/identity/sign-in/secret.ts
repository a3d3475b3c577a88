import { Type } from '../../../foundation/schema.ts';
import { hashOf, isSameText } from '../../../foundation/secret.ts';
import { parseScopeList } from '../permissions.ts';
import type { SignInMethodFile } from './sign-in-method.ts';

const schema = Type.Object(
  {
    method: Type.Literal('secret'),
    authId: Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\u0000-\\u001f\\u007f]*$' }),
    secret: Type.String({ minLength: 1, maxLength: 256 }),
    cookie: Type.Optional(Type.Boolean({ description: 'The refresh token comes as a cookie instead of in the body.' })),
  },
  { additionalProperties: false, title: 'A service by its secret' },
);

/** Compared with where there is no secret, so that a missing one takes as long. Nothing hashes to it. */
const noHash = 'none';

/** A service trades its `authId` and one of its secrets. What is stored is the secret's hash, and a hash is never a secret. */
export const secretMethod: SignInMethodFile<typeof schema> = {
  method: 'secret',
  schema,
  example: { method: 'secret', authId: 'auth_01k8t3w0e5f6g7h8j9kamn0pqr', secret: 'nkPmPBDC0xfWKpFkjmuzJbbY3GdXYjr9hkyCVmZ7xQk' },
  open: ({ services, clock }) => ({
    nameOf: ({ authId }) => authId,
    async prove({ authId, secret }) {
      const service = await services.findServiceByAuthId(authId);
      const hashes = await services.listSecretHashes(service?.id ?? '');
      const presented = hashOf(secret);
      const [one, two] = hashes;
      const isOne = isSameText(presented, one?.secretHash ?? noHash);
      const isTwo = isSameText(presented, two?.secretHash ?? noHash);
      const used = isOne ? one : isTwo ? two : undefined;
      if (!service) return { outcome: 'refused' };
      const who = { id: service.id, kind: 'service', tenantId: service.tenantId } as const;
      if (!used) return { outcome: 'refused', who };
      return {
        outcome: 'proven',
        who,
        scopes: new Set(parseScopeList(service.scopesJson)),
        secretId: used.id,
        writes: [services.markSecretUsed({ id: used.id, at: clock.now() })],
      };
    },
  }),
};
