import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Caller } from '../../foundation/caller.ts';
import { callerOf } from '../../http/access.ts';
import { deviceRoutes } from './device-routes.ts';
import type { Me } from './me.ts';
import { serviceRoutes } from './service-routes.ts';
import { sessionRoutes } from './session-routes.ts';
import { setUpRoutes } from './set-up-routes.ts';
import type { SigningKeys } from './signing-keys.ts';
import { tenantPeopleRoutes } from './tenant-people-routes.ts';
import { tenantRoutes } from './tenant-routes.ts';

const MeOut = Type.Object(
  {
    id: Type.String(),
    kind: Type.String({ description: '`person`, `device` or `service`.' }),
    username: Type.Optional(Type.String()),
    email: Type.Optional(Type.String()),
    displayName: Type.Optional(Type.String({ description: 'Of a service or device its name.' })),
    tenantId: Type.String(),
    role: Type.Optional(Type.String({ description: 'What a person may do: `viewer`, `member`, `admin` or `operator`.' })),
    roles: Type.Optional(Type.Array(Type.String(), { description: 'The audiences that a person belongs to.' })),
    scopes: Type.Array(Type.String()),
  },
  {
    examples: [
      {
        id: 'per_01k8t3w0e5f6g7h8j9kamn0pqr',
        kind: 'person',
        username: 'ada',
        tenantId: 'ten_00000000000000000000000000',
        role: 'viewer',
        roles: [],
        scopes: ['files:read', 'events:read', 'records:read', 'trace:read'],
      },
    ],
  },
);

const KeysOut = Type.Object({
  keys: Type.Array(
    Type.Object({
      kty: Type.String(),
      crv: Type.String(),
      x: Type.String(),
      kid: Type.String(),
      use: Type.String(),
      alg: Type.String(),
    }),
  ),
});

/** Keys are published a day before they sign, so verifiers may keep them for a while. */
const keysMaxAgeSeconds = 300;

type Parts = Parameters<typeof sessionRoutes>[0] &
  Parameters<typeof serviceRoutes>[0] &
  Parameters<typeof tenantRoutes>[0] &
  Parameters<typeof tenantPeopleRoutes>[0] &
  Parameters<typeof deviceRoutes>[0] &
  Parameters<typeof setUpRoutes>[0] & {
    readonly keys: Pick<SigningKeys, 'all'>;
    readonly me: (caller: Caller) => Promise<Me>;
  };

/** All routes of identity, to be registered without a prefix. */
export const identityRoutes =
  (parts: Parts): FastifyPluginAsyncTypebox =>
  async (app) => {
    await app.register(sessionRoutes(parts), { prefix: '/v1/sessions' });
    await app.register(serviceRoutes(parts), { prefix: '/v1/services' });
    await app.register(tenantRoutes(parts), { prefix: '/v1/tenants' });
    await app.register(tenantPeopleRoutes(parts), { prefix: '/v1/tenant/people' });
    await app.register(deviceRoutes(parts), { prefix: '/v1/devices' });
    await app.register(setUpRoutes(parts));

    app.get(
      '/v1/me',
      {
        config: { access: 'signed-in' },
        schema: { summary: 'Who you are and what you may do', response: { 200: MeOut } },
      },
      async (request) => await parts.me(callerOf(request)),
    );

    app.get(
      '/.well-known/jwks.json',
      {
        config: { access: 'public' },
        schema: { summary: 'The keys that access tokens are verified with (RFC 7517)', tags: ['sessions'], response: { 200: KeysOut } },
      },
      async (_request, reply) => {
        reply.header('cache-control', `public, max-age=${keysMaxAgeSeconds}`);
        return { keys: parts.keys.all().map((key) => key.publicJwk) };
      },
    );
  };
