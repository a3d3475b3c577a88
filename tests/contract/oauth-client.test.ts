import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import { call } from '../support/given.ts';
import { type OauthScene, startOauthScene } from '../support/oauth-client.ts';
import { operator as operatorAccount } from '../support/start-server.ts';

// A client library as it is, against a server as it starts: no setting says that there are such clients. The one option is that of the
// library for servers without TLS, since the tests run on loopback.

const overHttp = { [oauth.allowInsecureRequests]: true };

describe('an OAuth client library, unchanged', () => {
  let scene: OauthScene;
  let as: oauth.AuthorizationServer;
  let client: oauth.Client;
  let secret: oauth.ClientAuth;
  const cli: oauth.Client = { client_id: 'entrepot-cli' };
  const none = oauth.None();

  before(async () => {
    scene = await startOauthScene();
    const issuer = new URL(scene.server.url);
    const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...overHttp });
    as = await oauth.processDiscoveryResponse(issuer, discovered);
    const given = await scene.givenClient();
    client = { client_id: given.authId };
    secret = oauth.ClientSecretBasic(given.secret);
  });
  after(() => scene.stop());

  const credentials = async (parameters: Record<string, string> = {}, authentication = secret) =>
    await oauth.processClientCredentialsResponse(
      as,
      client,
      await oauth.clientCredentialsGrantRequest(as, client, authentication, parameters, overHttp),
    );
  const introspect = async (token: string) =>
    await oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, secret, token, overHttp));
  const callWith = async (token: string) => (await call(scene.server, 'GET', '/v1/me', { token })).status;

  it('gets tokens by client credentials, with less than all scopes where it asks for less', async () => {
    const all = await credentials();
    assert.equal(all.scope, 'events:send trace:read');
    assert.equal(await callWith(all.access_token), 200);
    assert.equal((await credentials({ scope: 'events:send' })).scope, 'events:send');
    await assert.rejects(credentials({ scope: 'operate' }), (error: oauth.ResponseBodyError) => error.error === 'invalid_scope');
    await assert.rejects(
      credentials({}, oauth.ClientSecretPost('wrong')),
      (error: oauth.WWWAuthenticateChallengeError) => error.status === 401 && error.cause[0]?.scheme === 'basic',
    );
  });

  it('refreshes', async () => {
    const { refresh_token = '' } = await credentials();
    const answer = await oauth.refreshTokenGrantRequest(as, client, secret, refresh_token, overHttp);
    const refreshed = await oauth.processRefreshTokenResponse(as, client, answer);
    assert.notEqual(refreshed.refresh_token, refresh_token);
    assert.equal(await callWith(refreshed.access_token), 200);
  });

  it('asks whether a token counts, and ends it', async () => {
    const { access_token } = await credentials();
    const told = await introspect(access_token);
    assert.equal(told.active, true);
    assert.equal(told.client_id, client.client_id);
    assert.equal(told.iss, as.issuer);
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, secret, access_token, overHttp));
    assert.deepEqual({ ...(await introspect(access_token)) }, { active: false });
    assert.equal(await callWith(access_token), 401);
  });

  it('verifies access tokens by the published keys, with the issuer that it discovered', async () => {
    const { access_token } = await credentials();
    const keys = createRemoteJWKSet(new URL(as.jwks_uri ?? ''));
    const { payload } = await jwtVerify(access_token, keys, {
      issuer: as.issuer,
      audience: 'entrepot',
      typ: 'at+jwt',
      algorithms: ['EdDSA'],
    });
    assert.equal(payload.scope, 'events:send trace:read');
    assert.equal(payload.kind, 'service');
    // RFC 9068, as the client library reads it.
    const request = new Request(scene.server.url, { headers: { authorization: `Bearer ${access_token}` } });
    const claims = await oauth.validateJwtAccessToken(as, request, 'entrepot', overHttp);
    assert.equal(claims.client_id, client.client_id);
    assert.equal(claims.sub, payload.sub);
  });

  const begin = async () => {
    const answer = await oauth.deviceAuthorizationRequest(as, cli, none, { scope: 'events:read trace:read' }, overHttp);
    return await oauth.processDeviceAuthorizationResponse(as, cli, answer);
  };
  const poll = async (deviceCode: string) =>
    await oauth.processDeviceCodeResponse(as, cli, await oauth.deviceCodeGrantRequest(as, cli, none, deviceCode, overHttp));

  it('lets a device in that a signed-in person approves', async () => {
    const { device_code, user_code } = await begin();
    await assert.rejects(poll(device_code), (error: oauth.ResponseBodyError) => error.error === 'authorization_pending');
    await scene.approve(user_code);
    const { access_token, scope } = await poll(device_code);
    assert.equal(scope, 'events:read trace:read');
    assert.equal((await call(scene.server, 'GET', '/v1/me', { token: access_token })).body.username, operatorAccount.username);
  });

  it('lets a device in that a person approves on the page, without any script', async () => {
    const { device_code, verification_uri_complete = '', user_code } = await begin();
    const page = await fetch(verification_uri_complete);
    assert.equal(page.status, 200);
    const html = await page.text();
    assert.ok(html.includes(user_code));
    const [, action = ''] = /<form method="post" action="([^"]+)">/.exec(html) ?? [];
    const sent = await fetch(new URL(action, verification_uri_complete), {
      method: 'POST',
      body: new URLSearchParams({ user_code, ...operatorAccount, decision: 'approve' }),
    });
    assert.equal(sent.status, 200, await sent.text());
    assert.ok((await poll(device_code)).access_token);
  });
});
