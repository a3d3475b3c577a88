/** Every `error` that `/oauth/*` answers with, its status, and where it is defined; the RFCs name them, so they are never renamed. */
export const oauthErrors = {
  invalid_request: { status: 400, help: 'Something in the request is not as it must be (RFC 6749 §5.2).' },
  invalid_client: { status: 401, help: 'The client is unknown, or its secret is wrong or missing (RFC 6749 §5.2).' },
  invalid_grant: { status: 400, help: 'What was traded is not valid, was used before, or belongs to another client (RFC 6749 §5.2).' },
  unauthorized_client: { status: 400, help: 'This client may not use this grant (RFC 6749 §5.2).' },
  unsupported_grant_type: { status: 400, help: 'There is no such grant (RFC 6749 §5.2).' },
  invalid_scope: { status: 400, help: 'A scope is unknown, or more than may be had (RFC 6749 §5.2).' },
  authorization_pending: { status: 400, help: 'Nobody has approved yet; ask again after the interval (RFC 8628 §3.5).' },
  slow_down: { status: 400, help: 'Too often; ask again after a longer interval (RFC 8628 §3.5).' },
  access_denied: { status: 400, help: 'It was denied (RFC 8628 §3.5).' },
  expired_token: { status: 400, help: 'The device code has expired; begin anew (RFC 8628 §3.5).' },
  invalid_token: { status: 401, help: 'The bearer token is not valid (RFC 6750 §3.1).' },
  insufficient_scope: { status: 403, help: 'The bearer token lacks the scope that this needs (RFC 6750 §3.1).' },
  server_error: { status: 500, help: 'The fault is ours, and is logged.' },
  temporarily_unavailable: { status: 503, help: 'Send it again after `Retry-After` seconds.' },
} as const satisfies Record<string, { status: number; help: string }>;

export type OauthErrorCode = keyof typeof oauthErrors;
