import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startMailServer } from '../../../mail/mail-server.fixture.ts';
import { openMailer } from '../../../mail/open-mailer.ts';
import { createKeptLog, givenPeople, type PeopleOptions, password, soon } from './people.fixture.ts';

const email = 'grace@example.org';

const givenConfirming = async (context: TestContext, options: PeopleOptions = {}) => {
  const people = await givenPeople(context, options);
  await people.changeTenant({ confirmEmail: 1 });
  const confirm = (token: string) => people.call('POST', '/v1/people/confirm', { body: { token } });
  const signInAs = (username: string) => people.signIn({ method: 'password', username, password });
  return { ...people, confirm, signInAs };
};

test('where the tenant asks for it, nobody signs in before the mail was confirmed', async (context) => {
  const { signUp, signIn, signInAs, confirm, mailedToken, traceOf } = await givenConfirming(context);
  const made = await signUp({ username: 'grace', email });
  assert.deepEqual([made.status, made.body.state], [201, 'unconfirmed']);
  const early = await signInAs('grace');
  assert.deepEqual([early.status, early.body.type], [403, '/problems/unconfirmed']);
  const wrong = await signIn({ method: 'password', username: 'grace', password: 'wrong wrong wrong' });
  assert.deepEqual([wrong.status, wrong.body.type], [401, '/problems/bad-credentials']);

  const token = await mailedToken(email);
  assert.ok(!made.text.includes(token));
  assert.equal((await confirm(token)).status, 204);
  assert.equal((await signInAs('grace')).status, 201);
  assert.ok((await traceOf(made.body.id)).some(({ what }) => what === 'confirmed'));
});

test('it asks for an address', async (context) => {
  const { signUp } = await givenConfirming(context);
  const { status, body } = await signUp({ username: 'grace' });
  assert.deepEqual([status, body.errors[0].at], [400, '/email']);
});

test('a token confirms once, also when it is used many times at once, and not after a day', async (context) => {
  const { signUp, confirm, mailedToken, clock } = await givenConfirming(context);
  await signUp({ username: 'grace', email });
  const token = await mailedToken(email);
  const answers = await Promise.all(Array.from({ length: 10 }, () => confirm(token)));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [204, ...Array(9).fill(400)]);
  for (const { status, body } of answers) if (status === 400) assert.equal(body.type, '/problems/bad-mail-token');

  await signUp({ username: 'late', email: 'late@example.org' });
  const late = await mailedToken('late@example.org');
  clock.turn(24 * 3_600_000 + 1);
  assert.equal((await confirm(late)).body.type, '/problems/bad-mail-token');
});

test('neither a made-up token, nor the stored hash, nor one for another purpose confirms', async (context) => {
  const { signUp, confirm, mailedToken, call, database } = await givenConfirming(context);
  await signUp({ username: 'grace', email });
  const token = await mailedToken(email);
  const [row] = await database.read.selectFrom('mailTokens').selectAll().execute();
  for (const other of [row?.tokenHash ?? '', `${token}x`, 'x', '\0']) assert.equal((await confirm(other)).status, 400);
  const reset = await call('POST', '/v1/password-resets/complete', { body: { token, password: 'another fine password' } });
  assert.equal(reset.body.type, '/problems/bad-mail-token');
  assert.equal((await confirm(token)).status, 204);
});

test('whoever lost the mail gets in by resetting the password: that mail arrived as well', async (context) => {
  const { signUp, signIn, call, mailedToken } = await givenConfirming(context);
  await signUp({ username: 'grace', email });
  await mailedToken(email);
  await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  const next = 'another fine password';
  const done = await call('POST', '/v1/password-resets/complete', { body: { token: await mailedToken(email, 2), password: next } });
  assert.equal(done.status, 204);
  assert.equal((await signIn({ method: 'password', username: 'grace', password: next })).status, 201);
});

test('a changed address counts once it is confirmed, the newest mail alone does it, and the address cannot be taken away', async (context) => {
  const { call, signUp, signInAs, confirm, mailedToken } = await givenConfirming(context);
  await signUp({ username: 'grace', email });
  await confirm(await mailedToken(email));
  const token = (await signInAs('grace')).body.accessToken;
  const change = (body: object) => call('PATCH', '/v1/me', { token, body });

  assert.equal((await change({ email: 'one@example.org' })).body.email, email);
  assert.equal((await change({ email: 'two@example.org' })).body.email, email);
  const [one, two] = [await mailedToken('one@example.org'), await mailedToken('two@example.org')];
  assert.equal((await confirm(one)).status, 400);
  assert.equal((await confirm(two)).status, 204);
  assert.equal((await call('GET', '/v1/me', { token })).body.email, 'two@example.org');

  await change({ email: 'three@example.org' });
  await change({ email: 'two@example.org' });
  assert.equal((await confirm(await mailedToken('three@example.org'))).status, 400, 'taken back before it was confirmed');
  const removed = await change({ email: null });
  assert.deepEqual([removed.status, removed.body.errors[0].at], [400, '/email']);
});

test('a reset that was mailed to the address before is over when the new one is confirmed', async (context) => {
  const { call, signUp, signInAs, confirm, mailedToken } = await givenConfirming(context);
  await signUp({ username: 'grace', email });
  await confirm(await mailedToken(email));
  const token = (await signInAs('grace')).body.accessToken;
  await call('PATCH', '/v1/me', { token, body: { email: 'new@example.org' } });
  await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  const reset = await mailedToken(email, 2);
  assert.equal((await confirm(await mailedToken('new@example.org'))).status, 204);
  const late = await call('POST', '/v1/password-resets/complete', { body: { token: reset, password: 'purple elephants never forget' } });
  assert.deepEqual([late.status, late.body.type], [400, '/problems/bad-mail-token']);
});

test('an address that an admin gives needs no confirmation, and what was mailed to the one before is over', async (context) => {
  const { call, signUp, signInAs, confirm, mailedToken, operatorToken } = await givenConfirming(context);
  const { id } = (await signUp({ username: 'grace', email })).body;
  await call('POST', '/v1/password-resets', { body: { username: 'grace' } });
  const [confirmation, reset] = [await mailedToken(email), await mailedToken(email, 2)];
  const body = { email: 'new@example.org' };
  const changed = await call('PATCH', `/v1/tenant/people/${id}`, { token: await operatorToken(), body });
  assert.deepEqual([changed.status, changed.body.state, changed.body.email], [200, 'active', 'new@example.org']);
  assert.equal((await confirm(confirmation)).status, 400);
  const late = await call('POST', '/v1/password-resets/complete', { body: { token: reset, password: 'purple elephants never forget' } });
  assert.equal(late.status, 400);
  assert.equal((await signInAs('grace')).status, 201);
});

test('nobody is flooded with confirmations that others ask for in its name', async (context) => {
  const { call, signUp, signInAs, confirm, mailedToken } = await givenConfirming(context);
  await signUp({ username: 'grace', email });
  await confirm(await mailedToken(email));
  const token = (await signInAs('grace')).body.accessToken;
  const ask = () => call('PATCH', '/v1/me', { token, body: { email: 'Victim@example.org' } });
  for (let asked = 0; asked < 30; asked += 1) assert.equal((await ask()).status, 200);
  const over = await ask();
  assert.deepEqual([over.status, over.body.type], [429, '/problems/too-many']);
  assert.equal((await signUp({ username: 'another', email: 'victim@example.org' })).status, 429);
});

test('with PUBLIC_URL the mail has a link to a page that confirms by a button, not by being opened', async (context) => {
  const { baseUrl, call, signUp, signInAs, mails, mailedToken } = await givenConfirming(context, { publicUrl: 'https://entrepot.example' });
  await signUp({ username: 'grace', email });
  const token = await mailedToken(email);
  assert.match(mails.join(), new RegExp(`│ {3}https://entrepot\\.example/confirm\\?token=${token}\n`));

  const page = await call('GET', `/confirm?token=${token}`);
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'.*form-action 'self'/);
  assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
  assert.ok(page.text.includes(`value="${token}"`) && !page.text.includes('<script'));
  assert.equal((await signInAs('grace')).status, 403, 'a mail scanner has opened the link');

  const press = async () => {
    const answer = await fetch(`${baseUrl}/confirm`, { method: 'POST', body: new URLSearchParams({ token }), redirect: 'manual' });
    return { status: answer.status, text: await answer.text() };
  };
  const pressed = await press();
  assert.deepEqual([pressed.status, /is confirmed/.test(pressed.text)], [200, true]);
  assert.equal((await signInAs('grace')).status, 201);
  const again = await press();
  assert.deepEqual([again.status, /role="alert"/.test(again.text)], [400, true]);
});

test('what stands in the address of a page is text on it, and leads nowhere else', async (context) => {
  const { call } = await givenPeople(context);
  for (const page of ['confirm', 'reset']) {
    const evil = encodeURIComponent('"><script>alert(1)</script>');
    const { status, text } = await call('GET', `/${page}?token=${evil}`);
    assert.deepEqual([status, text.includes('<script')], [200, false]);
    assert.equal((await call('GET', `/${page}?token=x&next=https://evil.example`)).status, 400);
  }
});

test('without PUBLIC_URL a mail has no link, whatever host the request names', async (context) => {
  const { signUp, mails, mailedToken } = await givenConfirming(context);
  await signUp({ username: 'grace', email }, { headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' } });
  await mailedToken(email);
  assert.doesNotMatch(mails.join(), /https?:|evil/);
});

test('while the mail server is away people sign up all the same, and the mail comes when it is back, also after a restart', async (context) => {
  const first = await startMailServer();
  await first.stop();
  const mailer = openMailer(`smtp://127.0.0.1:${first.port}`, { from: 'entrepot@example.org', print() {} });
  context.after(() => mailer.close());
  const { signUp, confirm, stopWorkers, startWorkers, clock, database } = await givenConfirming(context, { mailer });
  assert.equal((await signUp({ username: 'grace', email })).status, 201);
  await soon(async () => (await database.read.selectFrom('mails').select('attempts').executeTakeFirst())?.attempts || undefined);
  await stopWorkers();

  const back = await startMailServer({ port: first.port });
  context.after(() => back.stop());
  clock.turn(60_000);
  startWorkers();
  const { text } = await back.mailTo(email);
  const token = /"token":"([\w-]+)"/.exec(text)?.[1] ?? '';
  assert.equal((await confirm(token)).status, 204);
  await soon(async () => ((await database.read.selectFrom('mails').select('id').execute()).length === 0 ? true : undefined));
  assert.equal(back.mails.length, 1);
});

test('a mail that waits is sealed, and its token lies nowhere in the database', async (context) => {
  const { signUp, stopWorkers, startWorkers, mailedToken, database } = await givenConfirming(context);
  await stopWorkers();
  await signUp({ username: 'grace', email });
  const rows = JSON.stringify([
    await database.read.selectFrom('mails').selectAll().execute(),
    await database.read.selectFrom('mailTokens').selectAll().execute(),
    await database.read.selectFrom('traceEntries').selectAll().execute(),
  ]);
  assert.ok(rows.includes('v1.'));
  startWorkers();
  const token = await mailedToken(email);
  assert.ok(!rows.includes(token) && !rows.includes(email));
});

test('a mail that waits leaves also after the clock was set back while the server was down', async (context) => {
  const { signUp, stopWorkers, startWorkers, clock, mailedToken } = await givenConfirming(context);
  await stopWorkers();
  await signUp({ username: 'grace', email });
  clock.turn(-24 * 3_600_000);
  startWorkers();
  assert.ok(await mailedToken(email));
});

test('a mail whose token has expired is dropped instead of sent', async (context) => {
  const { signUp, stopWorkers, startWorkers, clock, database, mails } = await givenConfirming(context);
  await stopWorkers();
  await signUp({ username: 'grace', email });
  clock.turn(24 * 3_600_000 + 1);
  startWorkers();
  await soon(async () => ((await database.read.selectFrom('mails').select('id').execute()).length === 0 ? true : undefined));
  assert.deepEqual(mails, []);
});

test('a mail that its server refuses for ever is dropped, with a line in the log that holds neither token nor address', async (context) => {
  const server = await startMailServer({ refuse: { at: 'recipient', status: 550, text: `no ${email} here` } });
  const mailer = openMailer(`smtp://127.0.0.1:${server.port}`, { from: 'entrepot@example.org', print() {} });
  context.after(() => Promise.all([mailer.close(), server.stop()]));
  const log = createKeptLog();
  const { signUp, database } = await givenConfirming(context, { mailer, log });
  await signUp({ username: 'grace', email });
  await soon(async () => ((await database.read.selectFrom('mails').select('id').execute()).length === 0 ? true : undefined));
  const line = log.lines.find((one) => one.includes('mail.refused')) ?? '';
  assert.match(line, /550/);
  assert.doesNotMatch(log.lines.join('\n'), /grace|[\w-]{43}/);
});
