import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '../../foundation/schema.ts';
import { mailPageRoutes } from './accounts/mail-page-routes.ts';
import { meRoutes } from './accounts/me-routes.ts';
import { peopleRoutes } from './accounts/people-routes.ts';
import { setUpRoutes } from './accounts/set-up-routes.ts';
import { deviceRoutes } from './devices/device-routes.ts';
import { deviceApprovalRoutes } from './oauth/device-approval-routes.ts';
import { oauthRoutes } from './oauth/oauth-routes.ts';
import { serviceRoutes } from './service-routes.ts';
import { sessionRoutes } from './sessions/session-routes.ts';
import type { SigningKeys } from './sessions/signing-keys.ts';
import { tenantPeopleRoutes } from './tenants/tenant-people-routes.ts';
import { tenantRoutes } from './tenants/tenant-routes.ts';

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
  Parameters<typeof setUpRoutes>[0] &
  Parameters<typeof oauthRoutes>[0] &
  Parameters<typeof deviceApprovalRoutes>[0] &
  Parameters<typeof peopleRoutes>[0] &
  Parameters<typeof meRoutes>[0] & {
    readonly keys: Pick<SigningKeys, 'all'>;
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
    await app.register(peopleRoutes(parts), { prefix: '/v1' });
    await app.register(meRoutes(parts), { prefix: '/v1/me' });
    await app.register(mailPageRoutes(parts));
    await app.register(oauthRoutes(parts));
    await app.register(deviceApprovalRoutes(parts));

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
