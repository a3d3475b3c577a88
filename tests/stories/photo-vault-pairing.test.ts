import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Answer, call, givenOperator, givenService, type Json } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// Story B, as far as it is about people and devices. A photo vault: its owner signs up and in on the web and wants the phone in the vault as well, without typing the password there.

describe('a phone is paired with the photo vault by four digits', () => {
  const env = { ENTREPOT_TRUSTED_PROXIES: '127.0.0.0/8', ENTREPOT_LOG_LEVEL: 'debug' };
  const phone = 'phone-7F3A';
  /** What the server printed before it was killed. */
  let printed = '';
  let server: TestServer;
  let owner: string;
  let session: Json;
  let pin: string;
  let device: Json;

  before(async () => {
    server = await startServer({ env });
    const account = { username: 'grace', password: 'correct horse battery staple' };
    assert.equal((await call(server, 'POST', '/v1/people', { body: { ...account, email: 'grace@example.org' } })).status, 201);
    owner = (await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...account } })).body.accessToken;
  });
  after(() => server.stop());

  const pair = async (deviceId: string): Promise<Json> => {
    const made = await call(server, 'POST', '/v1/devices/pairings', { token: owner, body: { deviceId, name: 'Phone in the kitchen' } });
    assert.equal(made.status, 201, made.text);
    return made.body;
  };
  const trade = (deviceId: string, digits: string, from = '198.51.100.7'): Promise<Answer> =>
    call(server, 'POST', '/v1/sessions', { body: { method: 'pin', deviceId, pin: digits }, headers: { 'x-forwarded-for': from } });
  const wrongFor = (digits: string, step: number) => String((Number(digits) + step) % 10_000).padStart(4, '0');
  const refresh = (from = '198.51.100.7') =>
    call(server, 'POST', '/v1/sessions/refresh', {
      body: { refreshToken: session.refreshToken },
      headers: { 'x-forwarded-for': from },
    });
  const me = (token: string) => call(server, 'GET', '/v1/me', { token });

  it('the owner is shown a PIN that is good for five minutes', async () => {
    const made = await pair(phone);
    assert.match(made.pin, /^[0-9]{4}$/);
    const leftMs = Date.parse(made.expiresAt) - Date.now();
    assert.ok(leftMs > 4 * 60_000 && leftMs <= 5 * 60_000 + 2_000, made.expiresAt);
    pin = made.pin;
  });

  it('the phone trades it for a session of its own, mistyped once', async () => {
    const mistyped = await trade(phone, wrongFor(pin, 1));
    assert.deepEqual([mistyped.status, mistyped.body.type], [401, '/problems/bad-credentials']);
    const opened = await trade(phone, pin);
    assert.equal(opened.status, 201, opened.text);
    session = opened.body;
    const { body } = await me(session.accessToken);
    assert.deepEqual([body.kind, body.displayName, body.role], ['device', 'Phone in the kitchen', undefined]);
  });

  it('who looked over the shoulder is too late with the same PIN', async () => {
    assert.equal((await trade(phone, pin, '203.0.113.5')).status, 401);
  });

  it('the phone works for its owner, and can do no more than a member', async () => {
    const { accessToken: token } = session;
    const sent = await call(server, 'POST', '/v1/events', { token, body: { id: 'photo-1', name: 'photo.taken', body: { of: 'the cat' } } });
    assert.equal(sent.status, 202, sent.text);
    assert.equal((await call(server, 'GET', '/v1/events/photo-1', { token })).status, 200);
    assert.equal((await call(server, 'GET', '/v1/services', { token })).status, 403);
    const pairing = await call(server, 'POST', '/v1/devices/pairings', { token, body: { deviceId: 'a friend of the phone' } });
    assert.deepEqual([pairing.status, pairing.body.type], [403, '/problems/not-allowed']);
  });

  it('the owner sees the phone, page by page where there are many, and somebody else does not', async () => {
    const list = await call(server, 'GET', '/v1/devices', { token: owner });
    assert.deepEqual([list.status, list.body.items.length, list.body.nextCursor], [200, 1, undefined]);
    [device] = list.body.items;
    assert.deepEqual([device.deviceId, device.name], [phone, 'Phone in the kitchen']);
    assert.equal((await call(server, 'GET', '/v1/devices?cursor=nonsense', { token: owner })).body.type, '/problems/bad-cursor');
    const service = await givenService(server, await givenOperator(server));
    assert.equal((await call(server, 'GET', '/v1/devices', { token: service.token })).status, 403);
    assert.equal((await call(server, 'DELETE', `/v1/devices/${device.id}`, { token: service.token })).status, 403);
    assert.equal((await call(server, 'GET', '/v1/devices')).status, 401);
  });

  it('the phone stays paired when the server is killed and started again', async () => {
    await server.kill('SIGKILL');
    printed = server.output();
    server = await startServer({ env, dataFolder: server.dataFolder });
    assert.equal((await me(session.accessToken)).status, 200);
    const refreshed = await refresh();
    assert.equal(refreshed.status, 200);
    session = refreshed.body;
  });

  it('a stolen refresh token is of no use at another address', async () => {
    assert.equal((await refresh('203.0.113.5')).body.type, '/problems/bad-refresh-token');
    const refreshed = await refresh();
    assert.equal(refreshed.status, 200);
    session = refreshed.body;
  });

  it('a guesser gets five tries from all his addresses together, and the right PIN is locked with the device id', async () => {
    const made = await pair('tablet');
    for (let tries = 1; tries <= 5; tries += 1) {
      assert.equal((await trade('tablet', wrongFor(made.pin, tries), `203.0.113.${tries}`)).status, 401);
    }
    for (const from of ['203.0.113.99', '198.51.100.7']) {
      const { status, body, headers } = await trade('tablet', made.pin, from);
      assert.deepEqual([status, body.type], [429, '/problems/too-many']);
      assert.ok(Number(headers.get('retry-after')) > 0);
      assert.match(headers.get('ratelimit-policy') ?? '', /"pin";q=5/);
      assert.match(headers.get('ratelimit') ?? '', /r=0/);
    }
  });

  it('meanwhile the phone goes on, and another device is paired', async () => {
    assert.equal((await me(session.accessToken)).status, 200);
    assert.equal((await trade('camera', (await pair('camera')).pin)).status, 201);
  });

  it('who is not signed in gets the same answer whether the account exists, until its address has asked too often', async () => {
    const ask = (username: string, from: string) =>
      call(server, 'POST', '/v1/devices/pairings', { body: { username, deviceId: 'watch' }, headers: { 'x-forwarded-for': from } });
    const shown = async (username: string) => {
      const { status, text, headers } = await ask(username, '198.51.100.8');
      return [status, text, headers.get('content-type')];
    };
    assert.deepEqual(await shown('grace'), [202, '', null]);
    assert.deepEqual(await shown('nobody'), [202, '', null]);
    const unsigned = await call(server, 'POST', '/v1/devices/pairings', { body: { deviceId: 'watch' } });
    assert.equal(unsigned.body.type, '/problems/not-signed-in');
    await Promise.all(Array.from({ length: 100 }, (_, index) => ask(`name-${index}`, '203.0.113.77')));
    const limited = await ask('grace', '203.0.113.77');
    assert.deepEqual([limited.status, limited.body.type], [429, '/problems/too-many']);
    assert.ok(Number(limited.headers.get('retry-after')) > 0);
    assert.equal((await ask('grace', '198.51.100.9')).status, 202);
  });

  it('the owner takes the phone away, and it is out at once', async () => {
    assert.equal((await call(server, 'DELETE', `/v1/devices/${device.id}`, { token: owner })).status, 204);
    const refused = await call(server, 'GET', '/v1/sessions', { token: session.accessToken });
    assert.deepEqual([refused.status, refused.body.type], [401, '/problems/bad-token']);
    assert.equal((await refresh()).status, 401);
    const again = await call(server, 'DELETE', `/v1/devices/${device.id}`, { token: owner });
    assert.deepEqual([again.status, again.body.type], [404, '/problems/not-found']);
  });

  it('its owner sees in the trace of the phone what she did with it, and who looks after the tenant all that it did', async () => {
    const traceAs = async (token: string) => {
      const { status, body } = await call(server, 'GET', `/v1/trace/${device.id}`, { token });
      assert.deepEqual([status, body.kind, body.state], [200, 'device', 'unpaired']);
      return body.entries.map(({ what }: { what: string }) => what);
    };
    assert.deepEqual(await traceAs(owner), ['paired', 'unpaired']);
    const all = await traceAs(await givenOperator(server));
    assert.deepEqual([all.slice(0, 2), all.at(-1)], [['paired', 'signed-in'], 'unpaired']);
    assert.ok(all.includes('refreshed') && all.includes('refused'), 'the stolen refresh token');
  });

  it('the PIN and the tokens stand neither in the log nor in the data folder', async () => {
    const files = await readdir(server.dataFolder, { recursive: true, withFileTypes: true });
    const stored = await Promise.all(
      files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
    );
    const places = [printed, server.output(), ...stored];
    for (const secret of [`"pin":"${pin}"`, session.refreshToken, session.accessToken]) {
      for (const place of places) assert.ok(!place.includes(secret));
    }
  });
});
