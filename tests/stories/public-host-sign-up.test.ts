import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type MailServer, startMailServer } from '../../src/mail/mail-server.fixture.ts';
import { call, givenOperator, type Json } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// Story C, as far as it is about signing up: a host that is open to everybody lets in whoever confirms an e-mail address.

const grace = { username: 'grace', password: 'correct horse battery staple', email: 'grace@example.org' };
const user = { name: 'post@example.org', password: 'p@ss:w/rd-4711' };

describe('signing up at a public host', () => {
  let server: TestServer;
  let mailServer: MailServer;
  let operatorToken: string;
  let tenant: Json;

  const env = () => ({
    ENTREPOT_MAIL: `smtp://${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@127.0.0.1:${mailServer.port}`,
    ENTREPOT_MAIL_FROM: 'Public host <no-reply@host.example>',
    ENTREPOT_PUBLIC_URL: 'https://host.example',
    ENTREPOT_SIGN_UP_LIMIT: '6/1m',
  });

  before(async () => {
    mailServer = await startMailServer({ user });
    server = await startServer({ env: env() });
    operatorToken = await givenOperator(server);
    const { body } = await call(server, 'GET', '/v1/me', { token: operatorToken });
    tenant = (await call(server, 'PATCH', `/v1/tenants/${body.tenantId}`, { token: operatorToken, body: { confirmEmail: true } })).body;
  });
  after(async () => {
    await server.stop();
    await mailServer.stop();
  });

  const signUp = (body: object) => call(server, 'POST', '/v1/people', { body });
  const signIn = (password = grace.password) =>
    call(server, 'POST', '/v1/sessions', { body: { method: 'password', username: grace.username, password } });
  const tokenIn = (text: string): string => /https:\/\/host\.example\/confirm\?token=([\w-]+)/.exec(text)?.[1] ?? assert.fail(text);

  it('the operator asks for confirmed addresses', () => {
    assert.equal(tenant.confirmEmail, true);
  });

  it('without an address nobody signs up', async () => {
    const { status, body } = await signUp({ username: 'nomail', password: grace.password });
    assert.deepEqual([status, body.errors[0].at], [400, '/email']);
  });

  it('a mail comes over SMTP; before it is confirmed the right password is 403 and a wrong one 401', async () => {
    const made = await signUp(grace);
    assert.deepEqual([made.status, made.body.state], [201, 'unconfirmed']);
    const mail = await mailServer.mailTo(grace.email);
    assert.deepEqual([mail.from, mail.subject, mail.user], ['no-reply@host.example', 'Confirm your e-mail address', user.name]);
    assert.equal((await signIn()).body.type, '/problems/unconfirmed');
    assert.equal((await signIn('wrong wrong wrong')).body.type, '/problems/bad-credentials');

    const confirm = () => call(server, 'POST', '/v1/people/confirm', { body: { token: tokenIn(mail.text) } });
    assert.equal((await confirm()).status, 204);
    assert.equal((await signIn()).status, 201);
    assert.equal((await confirm()).body.type, '/problems/bad-mail-token');
  });

  it('while the mail server is away people sign up, and the mail comes when it is back, although the server was killed meanwhile', async () => {
    await mailServer.stop();
    const made = await signUp({ ...grace, username: 'patient', email: 'patient@example.org' });
    assert.equal(made.status, 201);
    await server.kill('SIGKILL');
    mailServer = await startMailServer({ user, port: mailServer.port });
    server = await startServer({ dataFolder: server.dataFolder, env: env() });
    const { text } = await mailServer.mailTo('patient@example.org');
    assert.equal((await call(server, 'POST', '/v1/people/confirm', { body: { token: tokenIn(text) } })).status, 204);
  });

  it('from one address only so many sign up', async () => {
    const answers: Json[] = [];
    for (let tries = 0; tries < 7; tries += 1)
      answers.push(await signUp({ ...grace, username: `many-${tries}`, email: `many-${tries}@example.org` }));
    const last = answers.at(-1);
    assert.deepEqual([last.status, last.body.type], [429, '/problems/too-many']);
    assert.ok(Number(last.headers.get('retry-after')) > 0);
  });

  it('neither passwords, tokens nor the password of the mail server stand in its output', () => {
    const output = server.output();
    for (const secret of [grace.password, user.password, encodeURIComponent(user.password)]) assert.ok(!output.includes(secret), secret);
    for (const { text } of mailServer.mails) {
      const token = /token=([\w-]+)/.exec(text)?.[1];
      if (token !== undefined) assert.ok(!output.includes(token));
    }
  });
});
