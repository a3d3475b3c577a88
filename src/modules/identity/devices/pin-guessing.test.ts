import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openLimiter } from '../../../limits/open-limiter.ts';
import { callsTo, serve } from '../identity.fixture.ts';
import { createIdentity } from '../identity.ts';
import { givenDevices, wrongFor } from './devices.fixture.ts';

const minuteMs = 60_000;

test('five wrong PINs void the pairing and lock the device id from every address, also for the right PIN and a new one', async (context) => {
  const { clock, pair, trade, givenPerson, tokenOf } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const { pin } = await pair(bob.token, 'phone');
  for (let tries = 1; tries <= 5; tries += 1) {
    const wrong = await trade('phone', wrongFor(pin, tries), { from: `203.0.113.${tries}` });
    assert.deepEqual([wrong.status, wrong.body.type], [401, '/problems/bad-credentials'], `try ${tries}`);
    assert.match(wrong.headers.get('ratelimit') ?? '', new RegExp(`"pin";r=${5 - tries};`));
  }
  for (const from of ['203.0.113.1', '192.0.2.50', '2001:db8::7']) {
    const locked = await trade('phone', pin, { from });
    assert.deepEqual([locked.status, locked.body.type], [429, '/problems/too-many']);
    const retryAfter = Number(locked.headers.get('retry-after'));
    assert.ok(retryAfter > 800 && retryAfter <= 900, `${retryAfter}`);
    assert.equal(locked.headers.get('ratelimit-policy'), '"pin";q=5;w=900');
    assert.match(locked.headers.get('ratelimit') ?? '', /"pin";r=0;t=\d+/);
  }
  const during = await pair(bob.token, 'phone');
  assert.equal((await trade('phone', during.pin)).status, 429);

  clock.turn(15 * minuteMs + 1);
  assert.equal((await trade('phone', pin)).status, 401, 'the voided one stays void');
  const after = await pair(await tokenOf('bob'), 'phone');
  assert.equal((await trade('phone', after.pin)).status, 201);
});

test('a locked device id holds up neither other devices, nor the sessions of this one, nor its person', async (context) => {
  const { call, pair, trade, givenPerson, givenDevice, isIn, tokenOf } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const { token, session } = await givenDevice(bob.token, 'phone');
  for (let tries = 0; tries < 5; tries += 1) assert.equal((await trade('phone', '0000', { from: '203.0.113.9' })).status, 401);
  assert.equal((await trade('phone', '0000')).status, 429);

  assert.equal(await isIn(token), true);
  const refreshed = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: session.refreshToken } });
  assert.equal(refreshed.status, 200);
  assert.equal(await isIn(refreshed.body.accessToken), true);
  const other = await pair(bob.token, 'tablet');
  assert.equal((await trade('tablet', other.pin)).status, 201);
  assert.ok(await tokenOf('bob'));
});

test('a device id that nobody ever paired is locked just the same', async (context) => {
  const { pair, trade, givenPerson } = await givenDevices(context);
  const { pin } = await pair((await givenPerson('bob')).token, 'paired');
  const seen = async (deviceId: string) => {
    const { status, headers, body } = await trade(deviceId, wrongFor(pin));
    return [status, body.type, body.detail, headers.get('ratelimit-policy'), headers.get('ratelimit')?.split(';')[1]];
  };
  for (let tries = 0; tries < 5; tries += 1) assert.deepEqual(await seen('unknown'), await seen('paired'));
  assert.deepEqual([(await trade('unknown', '0000')).status, (await trade('paired', pin)).status], [429, 429]);
});

test('however many guess at once, from whatever addresses, a PIN stands five tries', async (context) => {
  const { database, pair, trade, givenPerson } = await givenDevices(context);
  const { pin } = await pair((await givenPerson('bob')).token, 'phone');
  const guesses = Array.from({ length: 60 }, (_, index) => trade('phone', wrongFor(pin, index + 1), { from: `198.51.100.${index}` }));
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  assert.deepEqual([statuses.filter((one) => one === 401).length, statuses.filter((one) => one === 429).length], [5, 55]);
  assert.deepEqual(await database.read.selectFrom('pairings').select('triesLeft').execute(), [{ triesLeft: 0 }]);
});

test('a PIN stands five tries also where several processes count for themselves, or one was started anew', async (context) => {
  const server = await givenDevices(context);
  const { pin } = await server.pair((await server.givenPerson('bob')).token, 'phone');
  const replicas = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const identity = await createIdentity({ ...server, limiter: await openLimiter({ url: 'memory:', clock: server.clock }) });
      return callsTo(await serve(context, server, identity));
    }),
  );
  const guessAt = (index: number, guess: string) => replicas[index % 3]?.signIn({ method: 'pin', deviceId: 'phone', pin: guess });
  await Promise.all(Array.from({ length: 6 }, (_, index) => guessAt(index, wrongFor(pin, index + 1))));
  assert.equal((await guessAt(0, pin))?.status, 401);
  assert.equal((await guessAt(1, pin))?.status, 401);
});

test('the right PIN is taken after four wrong ones, which are forgotten then', async (context) => {
  const { pair, trade, givenPerson } = await givenDevices(context);
  const bob = await givenPerson('bob');
  for (let round = 0; round < 2; round += 1) {
    const { pin } = await pair(bob.token, 'phone');
    for (let tries = 1; tries <= 4; tries += 1) assert.equal((await trade('phone', wrongFor(pin, tries))).status, 401);
    assert.equal((await trade('phone', pin)).status, 201, `round ${round}`);
  }
});

test('where PINs are good for long, five wrong ones lock for at least ten minutes, however far apart they are', async (context) => {
  const { clock, pair, trade, givenPerson } = await givenDevices(context, { pinTtlMs: 60 * minuteMs });
  const { pin } = await pair((await givenPerson('bob')).token, 'phone');
  for (let tries = 1; tries <= 5; tries += 1) {
    if (tries > 1) clock.turn(14.9 * minuteMs);
    assert.equal((await trade('phone', wrongFor(pin, tries))).status, 401);
  }
  clock.turn(10 * minuteMs);
  assert.equal((await trade('phone', pin)).status, 429);
  clock.turn(minuteMs);
  assert.equal((await trade('phone', pin)).status, 401);
});

test('an address that guesses at ever new device ids is held off after a hundred, while others go on', async (context) => {
  const { pair, trade, givenPerson } = await givenDevices(context);
  const { pin } = await pair((await givenPerson('bob')).token, 'phone');
  const from = '203.0.113.66';
  const guesses = Array.from({ length: 100 }, (_, index) => trade(`device-${index}`, '0000', { from }));
  assert.deepEqual(new Set((await Promise.all(guesses)).map(({ status }) => status)), new Set([401]));
  assert.equal((await trade('phone', pin, { from })).status, 429);
  assert.equal((await trade('phone', pin, { from: '192.0.2.1' })).status, 201);
});
