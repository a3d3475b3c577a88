import assert from 'node:assert/strict';
import { type Answer, type CallOptions, call, givenOperator, givenService } from './given.ts';
import { startServer, type TestServer } from './start-server.ts';

export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** The fields of a form; the second may repeat a name. */
export type Form = Readonly<Record<string, string>> | URLSearchParams;

/** A server process, its operator, and forms sent to it as OAuth clients send them. */
export const startOauthScene = async (env: Readonly<Record<string, string>> = {}) => {
  const server: TestServer = await startServer({ env });
  const operator = await givenOperator(server);
  const post = (path: string, form: Form, { headers, ...options }: CallOptions = {}): Promise<Answer> =>
    call(server, 'POST', path, {
      ...options,
      body: (form instanceof URLSearchParams ? form : new URLSearchParams(form)).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    });
  /** A client with a secret, and with a session by `client_credentials`. */
  const givenClient = async (scopes: readonly string[] = ['events:send', 'trace:read']) => {
    const { authId, secret } = await givenService(server, operator, scopes);
    const proof = { client_id: authId, client_secret: secret };
    const tokens = await post('/oauth/token', { grant_type: 'client_credentials', ...proof });
    assert.equal(tokens.status, 200, tokens.text);
    return { authId, secret, proof, tokens: tokens.body };
  };
  /** Codes of `entrepot-cli`, approved by the operator where that is asked for. */
  const givenCodes = async ({ isApproved }: { isApproved: boolean }) => {
    const codes = await post('/oauth/device_authorization', { client_id: 'entrepot-cli' });
    assert.equal(codes.status, 200, codes.text);
    if (isApproved) await approve(codes.body.user_code);
    return codes.body;
  };
  const approve = async (userCode: string) => {
    const approved = await call(server, 'POST', '/v1/devices/authorizations', { token: operator, body: { userCode } });
    assert.equal(approved.status, 204, approved.text);
  };
  const poll = (deviceCode: string, proof: Readonly<Record<string, string>> = { client_id: 'entrepot-cli' }) =>
    post('/oauth/token', { grant_type: deviceGrant, device_code: deviceCode, ...proof });
  return { server, operator, post, givenClient, givenCodes, approve, poll, stop: () => server.stop() };
};

export type OauthScene = Awaited<ReturnType<typeof startOauthScene>>;

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined. */
export const basicHeader = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

export const assertRefused = ({ status, body, text }: Answer, expected: number, error: string): void => {
  assert.equal(status, expected, text);
  assert.equal(body.error, error, text);
  assert.equal(typeof body.error_description, 'string');
};
