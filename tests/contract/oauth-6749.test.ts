import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call } from '../support/given.ts';
import { assertRefused, basicHeader, type Form, type OauthScene, startOauthScene } from '../support/oauth-client.ts';

// What a server must do according to The OAuth 2.0 Authorization Framework, as far as it is about the grants that there are.

describe('RFC 6749, the token endpoint', () => {
  let scene: OauthScene;
  let client: Awaited<ReturnType<OauthScene['givenClient']>>;
  before(async () => {
    scene = await startOauthScene();
    client = await scene.givenClient();
  });
  after(() => scene.stop());

  const grant = { grant_type: 'client_credentials' };
  const token = (form: Form, headers: Record<string, string> = {}) => scene.post('/oauth/token', form, { headers });

  it('§2.3: a client that proves itself in two ways at once is refused', async () => {
    const authorization = basicHeader(client.authId, client.secret);
    assertRefused(await token({ ...grant, client_secret: client.secret }, { authorization }), 400, 'invalid_request');
    assertRefused(await token({ ...grant, ...client.proof }, { authorization }), 400, 'invalid_request');
    assertRefused(await token({ ...grant, client_id: 'entrepot-cli' }, { authorization }), 400, 'invalid_request');
  });

  it('§2.3.1: a client with a secret may prove itself by HTTP Basic, both halves form-encoded', async () => {
    assert.equal((await token(grant, { authorization: basicHeader(client.authId, client.secret) })).status, 200);
    const encoded = client.authId.replaceAll(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`);
    const authorization = `basic ${Buffer.from(`${encoded}:${client.secret}`).toString('base64')}`;
    assert.equal((await token(grant, { authorization })).status, 200);
  });

  it('§2.3.1: or by parameters in the body, and never in the address', async () => {
    assert.equal((await token({ ...grant, ...client.proof })).status, 200);
    const query = new URLSearchParams({ ...grant, ...client.proof }).toString();
    assertRefused(await scene.post(`/oauth/token?${query}`, grant), 400, 'invalid_request');
  });

  it('§2.3.1: secrets cannot be tried without end', async () => {
    const other = await scene.givenClient();
    const wrong = { ...grant, client_id: other.authId, client_secret: 'wrong' };
    for (let tries = 0; tries < 10; tries += 1) assertRefused(await token(wrong), 401, 'invalid_client');
    const refused = await token({ ...grant, ...other.proof });
    assertRefused(refused, 429, 'slow_down');
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  });

  it('§3.2: only POST is taken', async () => {
    const answer = await call(scene.server, 'GET', '/oauth/token');
    assertRefused(answer, 405, 'invalid_request');
    assert.equal(answer.headers.get('allow'), 'POST');
  });

  it('§3.2: parameters without a value count as left out, unknown ones are ignored, none may come twice', async () => {
    assert.equal((await token({ ...grant, ...client.proof, scope: '', refresh_token: '', colour: 'blue' })).status, 200);
    assertRefused(await token({ ...client.proof, grant_type: '' }), 400, 'invalid_request');
    const form = new URLSearchParams({ ...grant, ...client.proof });
    form.append('grant_type', 'client_credentials');
    assertRefused(await token(form), 400, 'invalid_request');
  });

  it('§3.3: scopes are told apart by spaces, in any order, and the answer says what was given', async () => {
    const { body } = await token({ ...grant, ...client.proof, scope: 'trace:read events:send' });
    assert.deepEqual(new Set(body.scope.split(' ')), new Set(['events:send', 'trace:read']));
    assert.equal((await token({ ...grant, ...client.proof, scope: 'trace:read' })).body.scope, 'trace:read');
    for (const scope of ['operate', 'nonsense', 'events:send  trace:read', 'EVENTS:SEND']) {
      assertRefused(await token({ ...grant, ...client.proof, scope }), 400, 'invalid_scope');
    }
  });

  it('§4.4: client credentials are for clients with a secret', async () => {
    assertRefused(await token({ ...grant, client_id: 'entrepot-cli' }), 400, 'unauthorized_client');
  });

  it('§5.1: tokens come as JSON that nobody stores', async () => {
    const { status, headers, body } = await token({ ...grant, ...client.proof });
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.equal(headers.get('pragma'), 'no-cache');
    assert.deepEqual(Object.keys(body), ['access_token', 'token_type', 'expires_in', 'refresh_token', 'scope']);
    assert.equal(body.token_type, 'Bearer');
    assert.ok(body.expires_in > 890 && body.expires_in <= 900);
  });

  it('§5.2: a refusal is JSON with a code and a description in ASCII', async () => {
    const answer = await token({ ...client.proof, grant_type: 'pässword"' });
    assertRefused(answer, 400, 'unsupported_grant_type');
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.match(answer.body.error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
  });

  it('§5.2: a wrong client is 401 with the challenge of the scheme that it used', async () => {
    const answer = await token(grant, { authorization: basicHeader('auth_nobody', 'wrong') });
    assertRefused(answer, 401, 'invalid_client');
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Basic realm=/);
    assertRefused(await token(grant), 401, 'invalid_client');
  });

  it('§5.2: what is missing is an invalid request, what is not valid an invalid grant', async () => {
    assertRefused(await token({ ...client.proof, grant_type: 'refresh_token' }), 400, 'invalid_request');
    assertRefused(await token({ ...client.proof, grant_type: 'refresh_token', refresh_token: 'x' }), 400, 'invalid_grant');
  });

  it('§6: a refresh token is bound to its client, which has to prove itself', async () => {
    const { tokens, authId, proof } = await scene.givenClient();
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    assertRefused(await token({ ...form, ...client.proof }), 400, 'invalid_grant');
    assertRefused(await token({ ...form, client_id: 'entrepot-cli' }), 400, 'invalid_grant');
    assertRefused(await token({ ...form, client_id: authId }), 401, 'invalid_client');
    assert.equal((await token({ ...form, ...proof })).status, 200);
  });

  it('§6: a refresh gives no scope that the session was not given', async () => {
    const limited = (await token({ ...grant, ...client.proof, scope: 'trace:read' })).body;
    const form = { grant_type: 'refresh_token', refresh_token: limited.refresh_token, ...client.proof };
    assertRefused(await token({ ...form, scope: 'events:send' }), 400, 'invalid_scope');
    assert.equal((await token(form)).body.scope, 'trace:read');
  });

  it('§10.4: a refresh token that comes a second time ends what it gave', async () => {
    const { tokens, proof } = await scene.givenClient();
    const form = { grant_type: 'refresh_token', ...proof };
    const next = (await token({ ...form, refresh_token: tokens.refresh_token })).body;
    assertRefused(await token({ ...form, refresh_token: tokens.refresh_token }), 400, 'invalid_grant');
    assertRefused(await token({ ...form, refresh_token: next.refresh_token }), 400, 'invalid_grant');
    assert.equal((await call(scene.server, 'GET', '/v1/me', { token: next.access_token })).status, 401);
  });
});
