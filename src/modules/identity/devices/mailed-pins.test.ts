import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { givenDevices } from './devices.fixture.ts';

/** Bob can be mailed; a process with workers sends what is written down. */
const given = async (context: TestContext) => {
  const server = await givenDevices(context);
  const workers = server.identity.startWorkers();
  context.after(() => Promise.all(workers.map((worker) => worker.stop())));
  const bob = await server.givenPerson('bob', { email: 'bob@example.com' });
  const ask = (username: string, deviceId: string, from?: string) =>
    server.call('POST', '/v1/devices/pairings', { body: { username, deviceId }, ...(from === undefined ? {} : { from }) });
  /** The mails once there are so many. */
  const mailed = async (count: number) => {
    for (let looks = 0; looks < 400 && server.mails.length < count; looks += 1) await new Promise((resolve) => setTimeout(resolve, 25));
    return server.mails;
  };
  return { ...server, bob, ask, mailed };
};

test('a PIN that is mailed pairs the device with the account it was mailed to', async (context) => {
  const { call, database, bob, ask, mailed, trade } = await given(context);
  const answer = await ask('BOB', 'phone');
  assert.deepEqual([answer.status, answer.text], [202, '']);
  const [mail] = await mailed(1);
  assert.equal(mail?.to, 'bob@example.com');
  assert.doesNotMatch(mail?.subject ?? '', /\d/, 'a subject is shown on locked screens');
  const [, pin = ''] = /PIN is (\d{4})\./.exec(mail?.text ?? '') ?? [];
  const opened = await trade('phone', pin);
  assert.equal(opened.status, 201);
  assert.deepEqual(
    (await call('GET', '/v1/devices', { token: bob.token })).body.items.map(({ deviceId }: { deviceId: string }) => deviceId),
    ['phone'],
  );
  assert.deepEqual(await database.read.selectFrom('mails').selectAll().execute(), []);
});

test('the answer is the same whether there is an account, it has an address, it is confirmed, or it was mailed too often', async (context) => {
  const { change, bob, ask, givenPerson, mails } = await given(context);
  await givenPerson('without-address');
  const unconfirmed = await givenPerson('unconfirmed', { email: 'u@example.com' });
  await change('people', unconfirmed.id, { state: 'unconfirmed' });
  const names = ['nobody', 'without-address', 'unconfirmed', 'no such ♥ name', '../../etc/passwd', ...Array(25).fill(bob.username)];
  for (const [index, name] of names.entries()) {
    const { status, text, headers } = await ask(name, `device-${index}`);
    assert.deepEqual([status, text, headers.get('content-type')], [202, '', null], name);
  }
  for (let looks = 0; looks < 20; looks += 1) await new Promise((resolve) => setTimeout(resolve, 25));
  assert.deepEqual([mails.length, new Set(mails.map(({ to }) => to))], [10, new Set(['bob@example.com'])]);
});

test('what becomes of an older PIN of the device does not tell whether the named account exists', async (context) => {
  const { bob, ask, pair, trade, givenPerson } = await given(context);
  const eve = await givenPerson('eve');
  const outcomes = [];
  for (const name of [bob.username, 'nobody', eve.username]) {
    const { pin } = await pair(eve.token, `probe-${name}`);
    await ask(name, `probe-${name}`);
    outcomes.push((await trade(`probe-${name}`, pin)).status);
  }
  assert.deepEqual(outcomes, [401, 401, 401]);
});

test('a pairing of nobody is traded by no PIN', async (context) => {
  const { database, ask, trade } = await given(context);
  await ask('nobody', 'phone');
  const [row] = await database.read.selectFrom('pairings').selectAll().execute();
  assert.ok(row);
  for (const pin of ['', 'none', row.pinHash].filter((text) => text !== '')) assert.equal((await trade('phone', pin)).status, 401);
  assert.deepEqual(await database.read.selectFrom('devices').selectAll().execute(), []);
});

test('nobody makes this server mail words of his, or to another address', async (context) => {
  const { ask, mailed } = await given(context);
  await ask('bob', 'visit https://evil.example and type it there');
  const [mail] = await mailed(1);
  assert.doesNotMatch(JSON.stringify(mail), /evil/);
  const injected = await ask('bob\r\nBcc: eve@example.com', 'phone');
  assert.equal(injected.status, 400);
});

test('an address that asks for PIN after PIN is told to wait, and others go on', async (context) => {
  const { ask } = await given(context);
  const from = '2001:db8:1:2::1';
  const asked = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(`name-${index}`, 'phone', from)));
  assert.deepEqual(new Set(asked.map(({ status }) => status)), new Set([202]));
  const limited = await ask('bob', 'phone', '2001:db8:1:2::ffff');
  assert.deepEqual([limited.status, limited.body.type], [429, '/problems/too-many']);
  assert.ok(Number(limited.headers.get('retry-after')) > 0);
  assert.match(limited.headers.get('ratelimit-policy') ?? '', /"pairing";q=100;w=900/);
  assert.equal((await ask('bob', 'phone', '2001:db8:1:3::1')).status, 202);
});
