import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call } from '../support/given.ts';
import { assertRefused, type OauthScene, startOauthScene } from '../support/oauth-client.ts';

// What a server must do according to OAuth 2.0 Device Authorization Grant. What takes minutes stands in device-authorizations.test.ts.

describe('RFC 8628, the device authorization grant', () => {
  let scene: OauthScene;
  before(async () => {
    scene = await startOauthScene();
  });
  after(() => scene.stop());

  it('§3.1: a client names itself, and may ask for scopes', async () => {
    const begin = (form: Record<string, string>) => scene.post('/oauth/device_authorization', form);
    assertRefused(await begin({}), 401, 'invalid_client');
    assertRefused(await begin({ client_id: 'nobody' }), 401, 'invalid_client');
    assertRefused(await begin({ client_id: 'entrepot-cli', scope: 'nonsense' }), 400, 'invalid_scope');
    assert.equal((await begin({ client_id: 'entrepot-cli', scope: 'events:read' })).status, 200);
    const { proof } = await scene.givenClient();
    assert.equal((await begin(proof)).status, 200);
    assertRefused(await begin({ ...proof, client_secret: 'wrong' }), 401, 'invalid_client');
  });

  it('§3.2: it gets both codes, where to go, for how long, and how often to ask, and nobody stores that', async () => {
    const { status, headers, body } = await scene.post('/oauth/device_authorization', { client_id: 'entrepot-cli' });
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^application\/json/);
    assert.equal(headers.get('cache-control'), 'no-store');
    const { device_code, user_code, ...rest } = body;
    const page = `${scene.server.url}/device`;
    assert.deepEqual(rest, {
      verification_uri: page,
      verification_uri_complete: `${page}?user_code=${user_code}`,
      expires_in: 600,
      interval: 5,
    });
    assert.equal(Buffer.from(device_code, 'base64url').length, 32);
  });

  it('§3.3: the page lets a person compare the code, and asks who that is', async () => {
    const { user_code, verification_uri_complete } = await scene.givenCodes({ isApproved: false });
    const html = await (await fetch(verification_uri_complete)).text();
    assert.ok(html.includes(user_code));
    assert.ok(html.includes('type="password"'));
  });

  it('§3.4: a device code is traded by the client that it was given to', async () => {
    const { device_code } = await scene.givenCodes({ isApproved: true });
    const { proof } = await scene.givenClient();
    assertRefused(await scene.poll(device_code, proof), 400, 'invalid_grant');
    assertRefused(await scene.poll(device_code, { client_id: 'nobody' }), 401, 'invalid_client');
    const { status, body } = await scene.poll(device_code);
    assert.equal(status, 200);
    assert.equal(body.token_type, 'Bearer');
    assertRefused(await scene.poll(device_code), 400, 'invalid_grant');
  });

  it('§3.4: without a device code, or with one that nobody was given, there is nothing to trade', async () => {
    assertRefused(await scene.poll(''), 400, 'invalid_request');
    assertRefused(await scene.poll('nkPmPBDC0xfWKpFkjmuzJbbY3GdXYjr9hkyCVmZ7xQk'), 400, 'invalid_grant');
  });

  it('§3.5: while nobody has decided it is pending, and asking again at once too often', async () => {
    const { device_code, user_code } = await scene.givenCodes({ isApproved: false });
    assertRefused(await scene.poll(device_code), 400, 'authorization_pending');
    assertRefused(await scene.poll(device_code), 400, 'slow_down');
    await scene.approve(user_code);
    assert.equal((await scene.poll(device_code)).status, 200, 'what was approved is given however often it was asked for');
  });

  it('§3.5: a person who says no denies access', async () => {
    const { device_code, user_code } = await scene.givenCodes({ isApproved: false });
    const body = { userCode: user_code, deny: true };
    assert.equal((await call(scene.server, 'POST', '/v1/devices/authorizations', { token: scene.operator, body })).status, 204);
    assertRefused(await scene.poll(device_code), 400, 'access_denied');
  });

  it('§5.1: codes cannot be tried without end', async () => {
    const people = await startOauthScene();
    try {
      const guess = (userCode: string) =>
        call(people.server, 'POST', '/v1/devices/authorizations', { token: people.operator, body: { userCode } });
      for (let tries = 0; tries < 10; tries += 1) assert.equal((await guess(`BCDF-GHJ${tries}`)).status, 404);
      assert.equal((await guess('BCDF-GHJK')).status, 429);
    } finally {
      await people.stop();
    }
  });

  it('§5.2 and §6.1: a person types eight consonants, in any case, and no two codes are the same', async () => {
    const codes = await Promise.all(Array.from({ length: 10 }, () => scene.givenCodes({ isApproved: false })));
    assert.equal(new Set(codes.flatMap(({ user_code, device_code }) => [user_code, device_code])).size, 20);
    for (const { user_code } of codes) assert.match(user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    await scene.approve(codes[0]?.user_code.toLowerCase().replace('-', ''));
  });
});
