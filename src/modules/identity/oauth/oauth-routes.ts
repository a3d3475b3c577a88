import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import type { Scope, TenantScope } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { oauthProblem } from '../../../foundation/oauth-problem.ts';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { formMediaType, readForm } from '../../../http/form-body.ts';
import { oauthRefusals } from '../../../http/oauth-refusal.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import type { Authenticate } from '../authenticate.ts';
import { allScopes } from '../permissions.ts';
import { originOf } from '../sessions/session-routes.ts';
import type { SessionGiven } from '../sessions/sessions.ts';
import { grantTypes } from './grants/all-grants.ts';
import { neededParameter, type OauthParameters, scopesAsked } from './grants/grant.ts';
import type { Oauth } from './oauth.ts';
import type { OauthClient } from './oauth-clients.ts';
import {
  DeviceAuthorizationIn,
  DeviceAuthorizationOut,
  IntrospectionOut,
  MetadataOut,
  TokenAskedIn,
  TokenIn,
  TokenOut,
} from './oauth-schemas.ts';

/** Who may look into the tokens of its tenant with a bearer of its own. */
const introspectScope: Scope = 'people:manage';

const secretMethods = ['client_secret_basic', 'client_secret_post'];

/** A form whose schema is documentation, and whose refusals are those of OAuth. */
const formConfig = { access: 'public', checksBodyItself: true } as const;

export interface OauthParts extends Oauth {
  readonly authenticate: Authenticate;
  readonly clock: Clock;
}

/** What existing OAuth 2.0 clients speak (RFC 6749, 7009, 7662, 8414, 8628), to be registered without a prefix. */
export const oauthRoutes =
  ({ clients, giveGrant, tokens, deviceAuthorizations, authenticate, clock, publicUrl }: OauthParts): FastifyPluginAsyncTypebox =>
  async (app) => {
    const clientOf = (request: FastifyRequest, reply: FastifyReply, parameters: OauthParameters): Promise<OauthClient> =>
      clients.authenticate(request.headers.authorization, parameters, originOf(request), (decision) => limitReply(reply, decision));

    const baseUrl = (request: FastifyRequest): string => {
      const url = publicUrl ?? originOf(request).baseUrl;
      if (url === undefined) throw new Problem('bad-request', 'The Host header is missing or malformed.');
      return url;
    };

    /** RFC 7662 §2.1: a client that has proven itself, or whoever may see the callers of its tenant. */
    const askerOf = async (request: FastifyRequest, reply: FastifyReply, parameters: OauthParameters): Promise<TenantScope> => {
      const { authorization } = request.headers;
      if (/^bearer /i.test(authorization ?? '')) {
        const caller = await authenticate(authorization, originOf(request).address);
        if (caller?.scopes.has(introspectScope)) return caller;
        const headers = { 'www-authenticate': `Bearer error="insufficient_scope", scope="${introspectScope}"` }; // RFC 6750 §3.1
        throw new Problem('not-allowed', `This needs the scope ${introspectScope}.`, { headers });
      }
      const { service } = await clientOf(request, reply, parameters);
      if (!service) throw oauthProblem('invalid_client', 'A client without a secret may not look into tokens.');
      return service.who;
    };

    app.post(
      '/oauth/token',
      {
        config: formConfig,
        schema: {
          summary: 'Get tokens (RFC 6749)',
          description:
            'Opens a session for a service or for a person who approved a device, or refreshes one. Clients prove themselves by HTTP Basic or in the body. Wrong secrets count as failures of signing in.',
          consumes: [formMediaType],
          body: TokenIn,
          response: {
            200: TokenOut,
            ...refusals('too-many'),
            ...oauthRefusals(
              'invalid_request',
              'invalid_client',
              'invalid_grant',
              'unauthorized_client',
              'unsupported_grant_type',
              'invalid_scope',
              'authorization_pending',
              'slow_down',
              'access_denied',
              'expired_token',
            ),
          },
        },
      },
      async (request, reply) => {
        const parameters = await readParameters(request);
        const client = await clientOf(request, reply, parameters);
        const session = await giveGrant({ client, parameters, origin: originOf(request) });
        reply.header('pragma', 'no-cache'); // RFC 6749 §5.1; Cache-Control: no-store stands in every answer
        return reply.code(200).send(toTokens(session, clock.now()));
      },
    );

    app.post(
      '/oauth/device_authorization',
      {
        config: formConfig,
        schema: {
          summary: 'Get codes for a device that cannot take a password (RFC 8628)',
          description: 'The person approves on the page `/device` or by `POST /v1/devices/authorizations`; meanwhile the device polls.',
          consumes: [formMediaType],
          body: DeviceAuthorizationIn,
          response: {
            200: DeviceAuthorizationOut,
            ...refusals('too-many'),
            ...oauthRefusals('invalid_request', 'invalid_client', 'invalid_scope'),
          },
        },
      },
      async (request, reply) => {
        const parameters = await readParameters(request);
        const client = await clientOf(request, reply, parameters);
        const page = `${baseUrl(request)}/device`;
        const scopes = scopesAsked(parameters);
        const codes = await deviceAuthorizations.begin(client.id, scopes, originOf(request), (decision) => limitReply(reply, decision));
        return reply.code(200).send({
          device_code: codes.deviceCode,
          user_code: codes.userCode,
          verification_uri: page,
          verification_uri_complete: `${page}?user_code=${codes.userCode}`,
          expires_in: codes.expiresInMs / 1000,
          interval: codes.intervalMs / 1000,
        });
      },
    );

    app.post(
      '/oauth/introspect',
      {
        config: formConfig,
        schema: {
          summary: 'Ask whether a token counts now (RFC 7662)',
          description: `For services by their secret, and for whoever has the scope \`${introspectScope}\` by bearer. Tokens of other tenants are not active.`,
          consumes: [formMediaType],
          body: TokenAskedIn,
          response: {
            200: IntrospectionOut,
            ...refusals('too-many'),
            ...oauthRefusals('invalid_request', 'invalid_client', 'invalid_token', 'insufficient_scope'),
          },
        },
      },
      async (request, reply) => {
        const parameters = await readParameters(request);
        const asker = await askerOf(request, reply, parameters);
        return reply.code(200).send(await tokens.introspect(asker, neededParameter(parameters, 'token'), originOf(request)));
      },
    );

    app.post(
      '/oauth/revoke',
      {
        config: formConfig,
        schema: {
          summary: 'End the session of a token (RFC 7009)',
          description: "200 whatever the token is; one that is not the client's own changes nothing.",
          consumes: [formMediaType],
          body: TokenAskedIn,
          response: {
            200: Type.Null({ description: 'The token does not count, now or already before.' }),
            ...refusals('too-many'),
            ...oauthRefusals('invalid_request', 'invalid_client'),
          },
        },
      },
      async (request, reply) => {
        const parameters = await readParameters(request);
        const client = await clientOf(request, reply, parameters);
        await tokens.revoke(client, neededParameter(parameters, 'token'), originOf(request));
        return (reply as FastifyReply).code(200).send(); // no body at all, where `null` would be printed
      },
    );

    for (const path of metadataPaths(publicUrl)) {
      app.get(
        path,
        {
          config: { access: 'public' },
          schema: {
            summary: 'What OAuth clients have to know (RFC 8414)',
            tags: ['oauth'],
            response: { 200: MetadataOut, ...refusals('bad-request') },
          },
        },
        async (request) => metadataOf(baseUrl(request)),
      );
    }
  };

/** RFC 8414 §3: the path of an issuer stands behind the well-known one, not before it. */
const metadataPaths = (publicUrl: string | undefined): string[] => {
  const path = '/.well-known/oauth-authorization-server';
  const issuerPath = publicUrl === undefined ? '/' : new URL(publicUrl).pathname;
  return issuerPath === '/' ? [path] : [path, path + issuerPath];
};

const metadataOf = (issuer: string): Static<typeof MetadataOut> => ({
  issuer,
  token_endpoint: `${issuer}/oauth/token`,
  device_authorization_endpoint: `${issuer}/oauth/device_authorization`,
  introspection_endpoint: `${issuer}/oauth/introspect`,
  revocation_endpoint: `${issuer}/oauth/revoke`,
  jwks_uri: `${issuer}/.well-known/jwks.json`,
  grant_types_supported: [...grantTypes],
  response_types_supported: [], // there is no authorization endpoint
  token_endpoint_auth_methods_supported: [...secretMethods, 'none'],
  introspection_endpoint_auth_methods_supported: [...secretMethods, 'Bearer'],
  revocation_endpoint_auth_methods_supported: [...secretMethods, 'none'],
  scopes_supported: [...allScopes],
  service_documentation: `${issuer}/docs`,
});

/** RFC 6749, appendix A: no value has any. */
const controlCharacters = /[\u0000-\u001f\u007f]/;

/** RFC 6749 §3.2: no parameter twice, those without a value count as left out, those that nobody knows are ignored. */
const readParameters = async (request: FastifyRequest): Promise<OauthParameters> => {
  const form = await readForm(request);
  if ([...form].flat().some((text) => controlCharacters.test(text))) throw oauthProblem('invalid_request', 'There are control characters.');
  const names = [...form.keys()];
  if (new Set(names).size < names.length) throw oauthProblem('invalid_request', 'A parameter comes more than once.');
  return new Map([...form].filter(([, value]) => value !== ''));
};

const toTokens = (session: SessionGiven, now: number): Static<typeof TokenOut> => ({
  access_token: session.accessToken,
  token_type: session.tokenType,
  expires_in: Math.max(0, Math.floor((Date.parse(session.accessTokenExpiresAt) - now) / 1000)),
  refresh_token: session.refreshToken,
  scope: session.scopes.join(' '),
});
