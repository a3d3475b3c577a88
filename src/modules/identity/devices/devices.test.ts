import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callsTo, serve } from '../identity.fixture.ts';
import { givenDevices, wrongFor } from './devices.fixture.ts';

test('a person pairs a phone by a PIN, sees when it was used, and takes it away again', async (context) => {
  const { call, clock, trade, givenPerson, isIn } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const made = await call('POST', '/v1/devices/pairings', { token: bob.token, body: { deviceId: 'phone-1', name: "Bob's phone" } });
  assert.equal(made.status, 201);
  assert.deepEqual(Object.keys(made.body).sort(), ['expiresAt', 'pin']);
  assert.match(made.body.pin, /^[0-9]{4}$/);
  const lifeMs = Date.parse(made.body.expiresAt) - clock.now();
  assert.ok(lifeMs > 290_000 && lifeMs <= 300_000, `${lifeMs}`);

  const opened = await trade('phone-1', made.body.pin);
  assert.equal(opened.status, 201);
  const token = opened.body.accessToken;
  const me = (await call('GET', '/v1/me', { token })).body;
  const scopes = ['files:read', 'events:read', 'records:read', 'trace:read', 'files:write', 'events:send', 'records:write'];
  assert.match(me.id, /^dev_/);
  assert.deepEqual({ ...me, tenantId: 'x' }, { id: me.id, kind: 'device', displayName: "Bob's phone", tenantId: 'x', scopes });

  const [device, ...others] = (await call('GET', '/v1/devices', { token: bob.token })).body.items;
  assert.deepEqual(Object.keys(device), ['id', 'deviceId', 'name', 'createdAt', 'lastUsedAt']);
  assert.deepEqual([device.id, device.deviceId, device.name, others], [me.id, 'phone-1', "Bob's phone", []]);

  clock.turn(60_000);
  const refreshed = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: opened.body.refreshToken } });
  assert.equal(refreshed.status, 200);
  const [later] = (await call('GET', '/v1/devices', { token: bob.token })).body.items;
  assert.ok(Date.parse(later.lastUsedAt) >= Date.parse(device.lastUsedAt) + 60_000);
  assert.equal(later.createdAt, device.createdAt);

  assert.equal((await call('DELETE', `/v1/devices/${me.id}`, { token: bob.token })).status, 204);
  for (const ended of [token, refreshed.body.accessToken]) assert.equal(await isIn(ended), false);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: refreshed.body.refreshToken } })).status, 401);
  assert.deepEqual((await call('GET', '/v1/devices', { token: bob.token })).body, { items: [] });
  assert.equal((await call('DELETE', `/v1/devices/${me.id}`, { token: bob.token })).status, 404);
  assert.equal(await isIn(bob.token), true);
});

test('devices are listed page by page to their person alone, and nobody else takes them away', async (context) => {
  const { call, givenPerson, givenDevice, isIn } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const eve = await givenPerson('eve', { role: 'admin' });
  const made = [];
  for (const deviceId of ['one', 'two', 'three']) made.push(await givenDevice(bob.token, deviceId));
  const first = await call('GET', '/v1/devices?limit=2', { token: bob.token });
  assert.match(first.headers.get('link') ?? '', /rel="next"/);
  const rest = await call('GET', `/v1/devices?limit=2&cursor=${first.body.nextCursor}`, { token: bob.token });
  const names = [...first.body.items, ...rest.body.items].map(({ deviceId }: { deviceId: string }) => deviceId);
  assert.deepEqual([names, rest.body.nextCursor], [['three', 'two', 'one'], undefined]);
  assert.equal((await call('GET', '/v1/devices?cursor=nonsense', { token: bob.token })).status, 400);

  assert.deepEqual((await call('GET', '/v1/devices', { token: eve.token })).body, { items: [] });
  assert.equal((await call('DELETE', `/v1/devices/${made[0]?.id}`, { token: eve.token })).status, 404);
  assert.equal(await isIn(made[0]?.token ?? ''), true);
});

test('devices and services pair nothing, and neither see nor take away devices', async (context) => {
  const { call, givenPerson, givenDevice, givenService } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const device = await givenDevice(bob.token, 'phone');
  const { session } = await givenService(['files:read']);
  for (const token of [device.token, session.accessToken]) {
    for (const body of [{ deviceId: 'other' }, { username: 'bob', deviceId: 'other' }]) {
      const answer = await call('POST', '/v1/devices/pairings', { token, body });
      assert.deepEqual([answer.status, answer.body.type], [403, '/problems/not-allowed']);
    }
    assert.equal((await call('GET', '/v1/devices', { token })).status, 403);
    assert.equal((await call('DELETE', `/v1/devices/${device.id}`, { token })).status, 403);
  }
  assert.equal((await call('GET', '/v1/devices')).status, 401);
  assert.equal((await call('POST', '/v1/devices/pairings', { token: 'nonsense', body: { deviceId: 'x' } })).status, 401);
});

test('a pairing that is not as it must be is refused by name, and none answers with an error of ours', async (context) => {
  const { call, givenPerson } = await givenDevices(context);
  const { token } = await givenPerson('bob');
  const bodies = [
    {},
    [],
    { deviceId: '' },
    { deviceId: 'x'.repeat(129) },
    { deviceId: 17 },
    { deviceId: 'a\u0000b' },
    { deviceId: 'a\nb' },
    { deviceId: 'a\u2028b' },
    { deviceId: '\ud800' },
    { deviceId: 'x', name: '' },
    { deviceId: 'x', name: 'n'.repeat(129) },
    { deviceId: 'x', name: 'a\rb' },
    { deviceId: 'x', pin: '0000' },
    { username: 'bob', deviceId: 'x', name: 'phone' },
    { username: 'b\u0000b', deviceId: 'x' },
    { username: 'bob' },
  ];
  for (const body of bodies) {
    for (const options of [{ body, token }, { body }]) {
      const { status, body: problem } = await call('POST', '/v1/devices/pairings', options);
      assert.equal(status, 400, JSON.stringify(body));
      assert.ok(problem.errors.length > 0, JSON.stringify(body));
    }
  }
  const named = await call('POST', '/v1/devices/pairings', { token, body: { username: 'bob', deviceId: 'x' } });
  assert.deepEqual([named.status, named.body.errors[0].at], [400, '/username']);
  const unsigned = await call('POST', '/v1/devices/pairings', { body: { deviceId: 'x' } });
  assert.deepEqual([unsigned.status, unsigned.body.type], [401, '/problems/not-signed-in']);
  for (const deviceId of ['x'.repeat(128), 'Ünï©ode 📱', '__proto__', "' OR 1=1 --"]) {
    assert.equal((await call('POST', '/v1/devices/pairings', { token, body: { deviceId } })).status, 201, deviceId);
  }
});

test('the newest PIN of a device id counts, and an older one is void', async (context) => {
  const { call, pair, trade, givenPerson } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const old = await pair(bob.token, 'phone');
  let fresh = await pair(bob.token, 'phone');
  while (fresh.pin === old.pin) fresh = await pair(bob.token, 'phone');
  assert.equal((await trade('phone', old.pin)).status, 401);
  const opened = await trade('phone', fresh.pin);
  assert.equal(opened.status, 201);
  assert.equal((await call('GET', '/v1/me', { token: opened.body.accessToken })).status, 200);
});

test('whose PIN is traded owns the device: it goes over as a new one, and its old sessions end at once', async (context) => {
  const { call, database, givenPerson, givenDevice, isIn } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const eve = await givenPerson('eve');
  const before = await givenDevice(bob.token, 'tablet');
  const other = await givenDevice(bob.token, 'phone');
  const after = await givenDevice(eve.token, 'tablet');
  assert.notEqual(after.id, before.id);
  assert.deepEqual([await isIn(before.token), await isIn(other.token), await isIn(after.token)], [false, true, true]);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: before.session.refreshToken } })).status, 401);
  const idsOf = async (token: string) => (await call('GET', '/v1/devices', { token })).body.items.map(({ id }: { id: string }) => id);
  assert.deepEqual([await idsOf(bob.token), await idsOf(eve.token)], [[other.id], [after.id]]);
  const told = await database.read.selectFrom('traceEntries').select(['what', 'subject']).where('what', 'in', ['unpaired']).execute();
  assert.deepEqual(told.map(({ subject }) => subject).toSorted(), [before.id, bob.id].toSorted());
});

test('of people who pair one device after the other the last one has it, alone, however their trades overlap', async (context) => {
  const { database, pair, trade, givenPerson } = await givenDevices(context);
  const people = [];
  for (const name of ['bob', 'eve', 'joe', 'kim']) people.push(await givenPerson(name));
  const trades: ReturnType<typeof trade>[] = [];
  for (const { token } of people) {
    const { pin } = await pair(token, 'tablet');
    trades.push(trade('tablet', pin));
  }
  const statuses = (await Promise.all(trades)).map(({ status }) => status);
  assert.ok(
    statuses.every((status) => status === 201 || status === 401),
    statuses.join(),
  );
  assert.equal(statuses.at(-1), 201);
  const devices = await database.read.selectFrom('devices').select(['id', 'personId']).execute();
  assert.deepEqual(
    devices.map(({ personId }) => personId),
    [people.at(-1)?.id],
  );
  const sessions = database.read.selectFrom('sessions').select('callerId').where('callerKind', '=', 'device');
  const live = await sessions.where('revokedAt', 'is', null).execute();
  assert.deepEqual(live, [{ callerId: devices[0]?.id }]);
});

test('a device that is paired again by its person stays the same one', async (context) => {
  const { call, pair, trade, givenPerson, givenDevice, isIn } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const before = await givenDevice(bob.token, 'phone');
  const { pin } = await pair(bob.token, 'phone', 'renamed');
  const again = await trade('phone', pin);
  const me = (await call('GET', '/v1/me', { token: again.body.accessToken })).body;
  assert.deepEqual([me.id, me.displayName, await isIn(before.token)], [before.id, 'renamed', true]);
});

test('a PIN is good once and in its time; every wrong one gets the same answer', async (context) => {
  const { clock, pair, trade, givenPerson } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const used = await pair(bob.token, 'used');
  assert.equal((await trade('used', used.pin)).status, 201);
  const wrong = await pair(bob.token, 'wrong');
  const late = await pair(bob.token, 'late');
  clock.turn(299_000);
  const justInTime = await trade('wrong', wrong.pin);
  assert.equal(justInTime.status, 201);
  clock.turn(1_001);
  const bobAgain = await pair(bob.token, 'wrong');
  const answers = [
    await trade('used', used.pin),
    await trade('late', late.pin),
    await trade('wrong', wrongFor(bobAgain.pin)),
    await trade('wrong', '12345'),
    await trade('unknown', '0000'),
  ];
  const shown = answers.map(({ status, headers, body }) =>
    JSON.stringify([status, headers.get('www-authenticate'), body.type, body.detail]),
  );
  assert.equal(new Set(shown).size, 1, shown.join('\n'));
  assert.equal(answers[0]?.status, 401);
  assert.equal(answers[0]?.body.type, '/problems/bad-credentials');
});

test('ten tries of one right PIN at once open exactly one session', async (context) => {
  const { database, pair, trade, givenPerson } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const { pin } = await pair(bob.token, 'phone');
  const answers = await Promise.all(Array.from({ length: 10 }, () => trade('phone', pin)));
  assert.equal(answers.filter(({ status }) => status === 201).length, 1);
  assert.ok(answers.every(({ status }) => [201, 401, 429].includes(status)));
  const sessions = await database.read.selectFrom('sessions').select('id').where('callerKind', '=', 'device').execute();
  const devices = await database.read.selectFrom('devices').select('id').execute();
  assert.deepEqual([sessions.length, devices.length], [1, 1]);
});

test('a device does what a member may, never more than its person, also after a change of role', async (context) => {
  const server = await givenDevices(context);
  const { call, change, clock, givenPerson, givenDevice, operatorToken } = server;
  const scopesOf = async (token: string) => (await call('GET', '/v1/me', { token })).body.scopes;
  const ofOperator = await givenDevice(await operatorToken(), 'phone of the operator');
  assert.ok((await scopesOf(ofOperator.token)).every((scope: string) => !scope.includes('manage') && scope !== 'operate'));

  const bob = await givenPerson('bob');
  const device = await givenDevice(bob.token, 'phone');
  assert.ok((await scopesOf(device.token)).includes('files:write'));
  await change('people', bob.id, { role: 'viewer', updatedAt: clock.now() });
  // As after a restart, or in a process that hears of it by the watch.
  const replica = callsTo(await serve(context, server, await server.another()));
  const now = (await replica.call('GET', '/v1/me', { token: device.token })).body.scopes;
  assert.deepEqual(now, ['files:read', 'events:read', 'records:read', 'trace:read']);
  const refreshed = await call('POST', '/v1/sessions/refresh', { body: { refreshToken: device.session.refreshToken } });
  assert.deepEqual(await scopesOf(refreshed.body.accessToken), now);
});

test('an unpaired device is refused by another process as well within five seconds', async (context) => {
  const server = await givenDevices(context);
  const identity = await server.another();
  const workers = identity.startWorkers();
  context.after(() => Promise.all(workers.map((worker) => worker.stop())));
  const replica = callsTo(await serve(context, server, identity));
  const bob = await server.givenPerson('bob');
  const device = await server.givenDevice(bob.token, 'phone');
  const isIn = async () => (await replica.call('GET', '/v1/sessions', { token: device.token })).status === 200;
  assert.equal(await isIn(), true);
  await server.call('DELETE', `/v1/devices/${device.id}`, { token: bob.token });
  for (let looks = 0; looks < 400 && (await isIn()); looks += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(await isIn(), false);
});

test('a person who is not confirmed, or whose tenant is suspended, gets no session by a device', async (context) => {
  const { call, change, database, pair, trade, givenPerson, givenDevice } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const device = await givenDevice(bob.token, 'phone');
  const first = await pair(bob.token, 'unconfirmed');
  await change('people', bob.id, { state: 'unconfirmed' });
  assert.equal((await trade('unconfirmed', first.pin)).status, 401);
  await change('people', bob.id, { state: 'active' });

  const second = await pair(bob.token, 'suspended');
  const tenant = await database.read.selectFrom('tenants').select('id').executeTakeFirstOrThrow();
  await change('tenants', tenant.id, { state: 'suspended' });
  assert.equal((await trade('suspended', second.pin)).status, 401);
  assert.equal((await call('POST', '/v1/sessions/refresh', { body: { refreshToken: device.session.refreshToken } })).status, 401);
  assert.deepEqual(
    (await database.read.selectFrom('devices').select('deviceId').execute()).map(({ deviceId }) => deviceId),
    ['phone'],
  );
});

test('a PIN stands in no table, trace or log in plain, nor as a hash that all ten thousand could be tried against', async (context) => {
  const { database, seal, pair, trade, givenPerson } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const { pin } = await pair(bob.token, 'phone');
  const [row] = await database.read.selectFrom('pairings').selectAll().execute();
  assert.equal(row?.pinHash, seal.mac(pin, `pin ${row?.id}`));
  await trade('phone', wrongFor(pin));
  await trade('phone', pin);
  for (const table of ['pairings', 'devices', 'sessions', 'traceEntries', 'idempotencyKeys'] as const) {
    const rows = JSON.stringify(await database.read.selectFrom(table).selectAll().execute());
    assert.doesNotMatch(rows, new RegExp(`\\b${pin}\\b`), table);
  }
});

test('what is stored about a PIN is not a PIN', async (context) => {
  const { database, pair, trade, givenPerson } = await givenDevices(context);
  const bob = await givenPerson('bob');
  await pair(bob.token, 'phone');
  const [row] = await database.read.selectFrom('pairings').selectAll().execute();
  assert.equal((await trade('phone', row?.pinHash ?? '')).status, 401);
});

test('a pairing that is sent again with its key makes no second PIN, and shows none', async (context) => {
  const { call, trade, givenPerson } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const request = { token: bob.token, body: { deviceId: 'phone' }, headers: { 'idempotency-key': 'pairing-1' } };
  const made = await call('POST', '/v1/devices/pairings', request);
  const again = await call('POST', '/v1/devices/pairings', request);
  assert.deepEqual([made.status, again.status, again.body.type], [201, 409, '/problems/already-created']);
  assert.equal((await trade('phone', made.body.pin)).status, 201);
  const mailed = { body: { username: 'nobody', deviceId: 'phone' }, headers: { 'idempotency-key': 'pairing-2' } };
  assert.equal((await call('POST', '/v1/devices/pairings', mailed)).status, 202);
  assert.equal((await call('POST', '/v1/devices/pairings', mailed)).status, 202);
});

test('pairing and unpairing stand in the trace of the device and of its person, with wrong PINs among them', async (context) => {
  const { call, database, pair, trade, givenPerson } = await givenDevices(context);
  const bob = await givenPerson('bob');
  const { pin } = await pair(bob.token, 'phone', 'a phone');
  await trade('phone', wrongFor(pin), { from: '203.0.113.9' });
  const opened = await trade('phone', pin, { from: '192.0.2.7' });
  const { id } = (await call('GET', '/v1/me', { token: opened.body.accessToken })).body;
  await call('DELETE', `/v1/devices/${id}`, { token: bob.token });
  const entriesOf = async (subject: string) =>
    (await database.read.selectFrom('traceEntries').selectAll().where('subject', '=', subject).orderBy('seq').execute()).map(
      ({ what, kind, who, place }) => [what, kind, who, place],
    );
  assert.deepEqual(await entriesOf(id), [
    ['paired', 'device', bob.id, '192.0.2.7'],
    ['signed-in', 'device', id, '192.0.2.7'],
    ['unpaired', 'device', bob.id, '127.0.0.1'],
  ]);
  assert.deepEqual((await entriesOf(bob.id)).slice(1), [
    ['refused', 'person', bob.id, '203.0.113.9'],
    ['paired', 'person', bob.id, '192.0.2.7'],
    ['unpaired', 'person', bob.id, '127.0.0.1'],
  ]);
});
