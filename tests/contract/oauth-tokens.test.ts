import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call } from '../support/given.ts';
import { assertRefused, basicHeader, type OauthScene, startOauthScene } from '../support/oauth-client.ts';

// What a server must do according to OAuth 2.0 Token Revocation, Token Introspection and Authorization Server Metadata.

let scene: OauthScene;
before(async () => {
  scene = await startOauthScene();
});
after(() => scene.stop());

const statusOf = async (token: string) => (await call(scene.server, 'GET', '/v1/me', { token })).status;

describe('RFC 7009, revocation', () => {
  const revoke = (form: Record<string, string>, headers: Record<string, string> = {}) => scene.post('/oauth/revoke', form, { headers });

  it('§2.1: a client proves itself as at the token endpoint, a public one by its name', async () => {
    const { tokens, authId, secret } = await scene.givenClient();
    assertRefused(await revoke({ token: tokens.access_token }), 401, 'invalid_client');
    const wrong = await revoke({ token: tokens.access_token }, { authorization: basicHeader(authId, 'wrong') });
    assertRefused(wrong, 401, 'invalid_client');
    assert.equal(await statusOf(tokens.access_token), 200);
    assert.equal((await revoke({ token: tokens.access_token }, { authorization: basicHeader(authId, secret) })).status, 200);
    assert.equal(await statusOf(tokens.access_token), 401);

    const { device_code } = await scene.givenCodes({ isApproved: true });
    const ofCli = (await scene.poll(device_code)).body;
    assert.equal((await revoke({ token: ofCli.refresh_token, client_id: 'entrepot-cli' })).status, 200);
    assert.equal(await statusOf(ofCli.access_token), 401);
  });

  it('§2.1: a token is needed, and of another client it stays as it is', async () => {
    const { tokens } = await scene.givenClient();
    const { proof } = await scene.givenClient();
    assertRefused(await revoke(proof), 400, 'invalid_request');
    assert.equal((await revoke({ ...proof, token: tokens.refresh_token })).status, 200);
    assert.equal(await statusOf(tokens.access_token), 200);
  });

  it('§2.1: the hint may be wrong or unknown', async () => {
    for (const token_type_hint of ['access_token', 'refresh_token', 'nonsense']) {
      const { tokens, proof } = await scene.givenClient();
      assert.equal((await revoke({ ...proof, token: tokens.refresh_token, token_type_hint })).status, 200);
      assert.equal(await statusOf(tokens.access_token), 401);
    }
  });

  it('§2.2: 200 whatever the token is, also one that is over already', async () => {
    const { tokens, proof } = await scene.givenClient();
    for (const token of ['x', 'x.y.z', tokens.access_token, tokens.access_token, tokens.refresh_token]) {
      const { status, text } = await revoke({ ...proof, token });
      assert.equal(status, 200);
      assert.equal(text, '');
    }
  });

  it('§2.1: an access token that was revoked takes its refresh token with it, and the other way round', async () => {
    const { tokens, proof } = await scene.givenClient();
    await revoke({ ...proof, token: tokens.access_token });
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token, ...proof };
    assertRefused(await scene.post('/oauth/token', form), 400, 'invalid_grant');
  });
});

describe('RFC 7662, introspection', () => {
  const introspect = (form: Record<string, string>, token?: string) => scene.post('/oauth/introspect', form, { token });

  it('§2.1: a token is needed, by POST, and whoever asks proves itself', async () => {
    const { tokens, proof } = await scene.givenClient();
    assertRefused(await introspect(proof), 400, 'invalid_request');
    assertRefused(await call(scene.server, 'GET', `/oauth/introspect?token=${tokens.access_token}`), 405, 'invalid_request');
    assertRefused(await introspect({ token: tokens.access_token }), 401, 'invalid_client');
    assertRefused(await introspect({ token: tokens.access_token, client_id: 'entrepot-cli' }), 401, 'invalid_client');
    assert.equal((await introspect({ token: tokens.access_token, ...proof })).body.active, true);
  });

  it('§2.1: or whoever asks has a bearer that allows it', async () => {
    const { tokens } = await scene.givenClient();
    assert.equal((await introspect({ token: tokens.access_token }, scene.operator)).body.active, true);
    assertRefused(await introspect({ token: tokens.access_token }, tokens.access_token), 403, 'insufficient_scope');
    assertRefused(await introspect({ token: tokens.access_token }, 'x.y.z'), 401, 'invalid_token');
  });

  it('§2.2: of a token that counts it says so as JSON, with whose it is and what for', async () => {
    const { tokens, proof, authId } = await scene.givenClient();
    const { status, body, headers } = await introspect({ ...proof, token: tokens.access_token });
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(body.active, true);
    assert.equal(body.client_id, authId);
    assert.equal(body.scope, 'events:send trace:read');
    assert.equal(body.token_type, 'Bearer');
    assert.equal(body.iss, scene.server.url);
    assert.ok(body.exp > body.iat);
  });

  it('§2.2: of any other token it says that it does not count, and nothing else', async () => {
    const { tokens, proof } = await scene.givenClient();
    const [header, , signature] = tokens.access_token.split('.');
    const forged = `${header}.${Buffer.from('{}').toString('base64url')}.${signature}`;
    await scene.post('/oauth/revoke', { ...proof, token: tokens.access_token });
    for (const token of ['x', 'x.y.z', forged, tokens.access_token, tokens.refresh_token]) {
      const { status, body } = await introspect({ ...proof, token, token_type_hint: 'nonsense' });
      assert.equal(status, 200);
      assert.deepEqual(body, { active: false });
    }
  });
});

describe('RFC 8414, metadata', () => {
  it('§3.1 and §3.2: anybody gets it by GET, as JSON, with every endpoint below the issuer', async () => {
    const { status, headers, body } = await call(scene.server, 'GET', '/.well-known/oauth-authorization-server');
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    for (const [name, value] of Object.entries(body)) {
      if (/_endpoint$|_uri$|_documentation$/.test(name)) assert.ok(String(value).startsWith(`${scene.server.url}/`), name);
    }
    for (const name of ['token', 'introspection', 'revocation', 'device_authorization']) {
      const { pathname } = new URL(body[`${name}_endpoint`]);
      assertRefused(await scene.post(pathname, {}), 401, 'invalid_client');
    }
    assert.equal((await fetch(body.jwks_uri)).status, 200);
    assert.equal((await fetch(body.service_documentation)).status, 200);
  });

  it('§2: it lists what there is, and that there is no authorization endpoint', async () => {
    const { body } = await call(scene.server, 'GET', '/.well-known/oauth-authorization-server');
    assert.deepEqual(body.response_types_supported, []);
    assert.equal(body.authorization_endpoint, undefined);
    assert.deepEqual(body.grant_types_supported, ['client_credentials', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code']);
    assert.deepEqual(body.token_endpoint_auth_methods_supported, ['client_secret_basic', 'client_secret_post', 'none']);
    assert.ok(body.scopes_supported.includes('events:send'));
  });

  it('§3.3: the issuer is the address that it was asked at, and stands in the tokens that are given there', async () => {
    const { body } = await call(scene.server, 'GET', '/.well-known/oauth-authorization-server');
    assert.equal(body.issuer, scene.server.url);
    const { tokens } = await scene.givenClient();
    const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1], 'base64url').toString());
    assert.equal(claims.iss, body.issuer);
  });
});
