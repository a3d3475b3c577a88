// Who may call each route, written down a second time. A new route needs a line here, and a changed one a changed line: so nobody opens a
// door by a slip. `matrix.test.ts` tries every line with every kind of caller.

const member = ['files:read', 'events:read', 'records:read', 'trace:read', 'files:write', 'events:send', 'records:write'];
const admin = [
  ...member,
  'targets:manage',
  'deliveries:replay',
  'people:manage',
  'services:manage',
  'records:read:any',
  'records:write:any',
];

/** What each role may do, as the HTTP contract promises it. */
export const scopesOfRole = {
  viewer: ['files:read', 'events:read', 'records:read', 'trace:read'],
  member,
  admin,
  operator: [...admin, 'tenants:manage', 'operate'],
} as const satisfies Record<string, readonly string[]>;

export const accessOfRoutes: Readonly<Record<string, string>> = {
  'GET /healthz': 'public',
  'GET /readyz': 'public',
  'GET /metrics': 'operate',
  'GET /v1/version': 'public',
  'GET /problems': 'public',
  'GET /problems/{kind}': 'public',
  'GET /openapi.json': 'public',
  'GET /docs/swagger.json': 'public',
  'GET /.well-known/jwks.json': 'public',
  'GET /.well-known/oauth-authorization-server': 'public',

  'POST /oauth/token': 'public',
  'POST /oauth/device_authorization': 'public',
  'POST /oauth/introspect': 'public',
  'POST /oauth/revoke': 'public',
  'GET /device': 'public',
  'POST /device': 'public',
  'POST /v1/devices/authorizations': 'person',

  'GET /setup': 'public',
  'POST /setup': 'public',
  'POST /v1/setup': 'public',

  'POST /v1/sessions': 'public',
  'GET /v1/sessions': 'signed-in',
  'POST /v1/sessions/refresh': 'public',
  'DELETE /v1/sessions/current': 'public',
  'DELETE /v1/sessions/{id}': 'signed-in',
  'GET /v1/me': 'signed-in',
  'PATCH /v1/me': 'person',
  'DELETE /v1/me': 'person',
  'POST /v1/me/password': 'person',

  'POST /v1/people': 'public',
  'POST /v1/people/confirm': 'public',
  'POST /v1/password-resets': 'public',
  'POST /v1/password-resets/complete': 'public',
  'GET /confirm': 'public',
  'POST /confirm': 'public',
  'GET /reset': 'public',
  'POST /reset': 'public',

  'POST /v1/devices/pairings': 'optional',
  'GET /v1/devices': 'person',
  'DELETE /v1/devices/{id}': 'person',

  'POST /v1/services': 'services:manage',
  'GET /v1/services': 'services:manage',
  'GET /v1/services/{id}': 'services:manage',
  'PATCH /v1/services/{id}': 'services:manage',
  'DELETE /v1/services/{id}': 'services:manage',
  'POST /v1/services/{id}/secrets': 'services:manage',
  'DELETE /v1/services/{id}/secrets/{secretId}': 'services:manage',

  'POST /v1/tenants': 'tenants:manage',
  'GET /v1/tenants': 'tenants:manage',
  'GET /v1/tenants/{id}': 'tenants:manage',
  'PATCH /v1/tenants/{id}': 'tenants:manage',

  'POST /v1/tenant/people': 'people:manage',
  'GET /v1/tenant/people': 'people:manage',
  'GET /v1/tenant/people/{id}': 'people:manage',
  'PATCH /v1/tenant/people/{id}': 'people:manage',
  'DELETE /v1/tenant/people/{id}': 'people:manage',

  'POST /v1/events': 'events:send',
  'GET /v1/events': 'events:read',
  'GET /v1/events/live': 'events:read',
  'GET /v1/events/{id}': 'events:read',

  'POST /v1/files': 'files:write',
  'POST /v1/files/resumable': 'files:write',
  'POST /v1/files/resumable/{id}': 'files:write',
  'PATCH /v1/files/resumable/{id}': 'files:write',
  'DELETE /v1/files/resumable/{id}': 'files:write',
  'GET /v1/files/{id}': 'files:read',
  'DELETE /v1/files/{id}': 'files:write',
  'POST /v1/files/{id}/restore': 'files:write',

  'POST /v1/folders': 'files:write',
  'GET /v1/folders': 'files:read',
  'GET /v1/folders/{id}': 'files:read',
  'PATCH /v1/folders/{id}': 'files:write',
  'DELETE /v1/folders/{id}': 'files:write',
  'PUT /v1/folders/{id}/lock': 'files:write',
  'DELETE /v1/folders/{id}/lock': 'files:write',
  'POST /v1/folders/{id}/unlock': 'files:read',

  'POST /v1/targets': 'targets:manage',
  'GET /v1/targets': 'targets:manage',
  'GET /v1/targets/{id}': 'targets:manage',
  'PATCH /v1/targets/{id}': 'targets:manage',
  'DELETE /v1/targets/{id}': 'targets:manage',
  'POST /v1/targets/{id}/pause': 'targets:manage',
  'POST /v1/targets/{id}/resume': 'targets:manage',
  'POST /v1/targets/{id}/test': 'targets:manage',

  'GET /v1/deliveries': 'events:read',
  'GET /v1/deliveries/{id}': 'events:read',
  'POST /v1/deliveries/{id}/replay': 'deliveries:replay',
  'POST /v1/deliveries/replay': 'deliveries:replay',

  'GET /v1/trace/{id}': 'trace:read',
  'GET /v1/flow': 'events:read',
};
