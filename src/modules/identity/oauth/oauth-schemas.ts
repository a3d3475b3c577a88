import { Type } from '../../../foundation/schema.ts';
import { allScopes } from '../permissions.ts';

// What the OAuth endpoints take and give, in the words of the RFCs. Their forms are read and checked by the endpoints themselves, which
// ignore what they do not know (RFC 6749 §3.2), so the schemas of the bodies are documentation.

const secretExample = 'nkPmPBDC0xfWKpFkjmuzJbbY3GdXYjr9hkyCVmZ7xQk';
const authIdExample = 'auth_01k8t3w0e5f6g7h8j9kamn0pqr';
const accessTokenExample = 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImtleV8wMWs4In0.eyJpc3MiOiJlbnRyZXBvdCJ9.c2lnbmF0dXJl';

const clientFields = {
  client_id: Type.Optional(Type.String({ description: "A service's `authId`, or `entrepot-cli`. Not needed beside HTTP Basic." })),
  client_secret: Type.Optional(Type.String({ description: 'One of the secrets of the service. Not together with HTTP Basic.' })),
};
const scope = Type.Optional(Type.String({ description: 'Scopes, separated by spaces: less than all that may be had.' }));

export const TokenIn = Type.Object(
  {
    grant_type: Type.String({
      description: '`client_credentials`, `refresh_token` or `urn:ietf:params:oauth:grant-type:device_code`.',
    }),
    ...clientFields,
    scope,
    refresh_token: Type.Optional(Type.String({ description: 'For `refresh_token`.' })),
    device_code: Type.Optional(Type.String({ description: 'For `…:device_code`.' })),
  },
  {
    examples: [
      { grant_type: 'client_credentials', client_id: authIdExample, client_secret: secretExample, scope: 'events:send' },
      { grant_type: 'refresh_token', client_id: 'entrepot-cli', refresh_token: secretExample },
      { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'entrepot-cli', device_code: secretExample },
    ],
  },
);

export const TokenOut = Type.Object(
  {
    access_token: Type.String({ description: 'A JWT (RFC 9068).' }),
    token_type: Type.Literal('Bearer'),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    refresh_token: Type.String({ description: 'Works once.' }),
    scope: Type.String({ description: 'What the access token may do.' }),
  },
  {
    examples: [
      {
        access_token: accessTokenExample,
        token_type: 'Bearer' as const,
        expires_in: 900,
        refresh_token: secretExample,
        scope: 'events:send',
      },
    ],
  },
);

export const DeviceAuthorizationIn = Type.Object(
  { client_id: Type.Optional(Type.String()), client_secret: clientFields.client_secret, scope },
  { examples: [{ client_id: 'entrepot-cli', scope: 'events:send trace:read' }] },
);

export const DeviceAuthorizationOut = Type.Object(
  {
    device_code: Type.String({ description: 'For polling.' }),
    user_code: Type.String({ description: 'For the person, who types it on the page or follows `verification_uri_complete`.' }),
    verification_uri: Type.String({ format: 'uri' }),
    verification_uri_complete: Type.String({ format: 'uri' }),
    expires_in: Type.Integer({ description: 'Seconds.' }),
    interval: Type.Integer({ description: 'Seconds between two polls.' }),
  },
  {
    examples: [
      {
        device_code: secretExample,
        user_code: 'WDJB-MJHT',
        verification_uri: 'https://entrepot.example/device',
        verification_uri_complete: 'https://entrepot.example/device?user_code=WDJB-MJHT',
        expires_in: 600,
        interval: 5,
      },
    ],
  },
);

export const TokenAskedIn = Type.Object(
  {
    token: Type.String({ description: 'An access or refresh token.' }),
    token_type_hint: Type.Optional(Type.String({ description: '`access_token` or `refresh_token`; both are found without it.' })),
    ...clientFields,
  },
  { examples: [{ token: accessTokenExample, client_id: authIdExample, client_secret: secretExample }] },
);

export const IntrospectionOut = Type.Object(
  {
    active: Type.Boolean({ description: 'Whether it counts now; where it does not, nothing else is told.' }),
    scope: Type.Optional(Type.String()),
    client_id: Type.Optional(Type.String({ description: 'The client that opened the session.' })),
    username: Type.Optional(Type.String()),
    token_type: Type.Optional(Type.String({ description: '`Bearer`, or `refresh_token`.' })),
    exp: Type.Optional(Type.Integer()),
    iat: Type.Optional(Type.Integer()),
    sub: Type.Optional(Type.String({ description: 'The caller.' })),
    aud: Type.Optional(Type.String()),
    iss: Type.Optional(Type.String()),
    jti: Type.Optional(Type.String()),
    kind: Type.Optional(Type.String({ description: '`person`, `device` or `service`.' })),
    tid: Type.Optional(Type.String({ description: 'Its tenant.' })),
  },
  {
    examples: [
      {
        active: true,
        scope: 'events:send',
        client_id: authIdExample,
        token_type: 'Bearer',
        exp: 1_793_610_900,
        iat: 1_793_610_000,
        sub: 'svc_01k8t3w0e5f6g7h8j9kamn0pqr',
        aud: 'entrepot',
        iss: 'https://entrepot.example',
        jti: secretExample,
        kind: 'service',
        tid: 'ten_00000000000000000000000000',
      },
      { active: false },
    ],
  },
);

const strings = Type.Array(Type.String());

export const MetadataOut = Type.Object(
  {
    issuer: Type.String({ description: 'As it stands in `iss` of the tokens that are given here.' }),
    token_endpoint: Type.String(),
    device_authorization_endpoint: Type.String(),
    introspection_endpoint: Type.String(),
    revocation_endpoint: Type.String(),
    jwks_uri: Type.String(),
    grant_types_supported: strings,
    response_types_supported: strings,
    token_endpoint_auth_methods_supported: strings,
    introspection_endpoint_auth_methods_supported: strings,
    revocation_endpoint_auth_methods_supported: strings,
    scopes_supported: strings,
    service_documentation: Type.String(),
  },
  {
    examples: [
      {
        issuer: 'https://entrepot.example',
        token_endpoint: 'https://entrepot.example/oauth/token',
        device_authorization_endpoint: 'https://entrepot.example/oauth/device_authorization',
        introspection_endpoint: 'https://entrepot.example/oauth/introspect',
        revocation_endpoint: 'https://entrepot.example/oauth/revoke',
        jwks_uri: 'https://entrepot.example/.well-known/jwks.json',
        grant_types_supported: ['client_credentials', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
        introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'Bearer'],
        revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
        scopes_supported: allScopes,
        service_documentation: 'https://entrepot.example/docs',
      },
    ],
  },
);
