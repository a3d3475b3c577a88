import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { before, type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { generate } from 'selfsigned';
import { Unavailable } from '../foundation/problem.ts';
import { type MailServerOptions, startMailServer } from './mail-server.fixture.ts';
import { type MailSeen, mailerContract } from './mailer.contract.ts';
import { MailRefused } from './mailer.ts';
import { openMailer } from './open-mailer.ts';
import { createSmtpMailer } from './smtp-mailer.ts';

const from = 'Entrepot <entrepot@example.org>';
const mail = { to: 'ada@example.org', subject: 'Hello', text: 'the secret token 4711' };
const user = { name: 'post@example.org', password: 'p@ss:w/rd ü' };

/** One that the process trusts, and one of somebody else. */
let trusted: { key: string; cert: string };
let foreign: { key: string; cert: string };

const selfMade = async () => {
  const made = await generate([{ name: 'commonName', value: 'localhost' }], {
    extensions: [
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
        ],
      },
    ],
  });
  return { key: made.private, cert: made.cert };
};

before(async () => {
  [trusted, foreign] = await Promise.all([selfMade(), selfMade()]);
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), trusted.cert]);
});

const given = async (context: TestContext, { url = 'smtp://127.0.0.1', ...options }: MailServerOptions & { url?: string } = {}) => {
  const server = await startMailServer(options);
  const address = new URL(url);
  address.port = String(server.port);
  const mailer = createSmtpMailer({ url: address.href, from, times: { connectMs: 500, greetingMs: 500, silenceMs: 500, wholeMs: 2_000 } });
  context.after(async () => {
    await mailer.close();
    await server.stop();
  });
  return { server, mailer };
};

mailerContract('log', async () => {
  const printed: string[] = [];
  const mailer = openMailer('log:', { from, print: (text) => printed.push(text) });
  return { mailer, seen: () => printed.map(read) };
});

/** A mail as it was printed, in its frame. */
const read = (text: string): MailSeen => {
  const lines = text.split('\n').flatMap((line) => (line.startsWith('│ ') ? [line.slice(2)] : []));
  const end = lines.indexOf('');
  const headers = new Map(
    lines.slice(0, end).map((line) => [line.split(': ')[0]?.toLowerCase() ?? '', line.split(': ').slice(1).join(': ')]),
  );
  return {
    to: headers.get('to') ?? '',
    subject: headers.get('subject') ?? '',
    text: lines.slice(end + 1).join('\n'),
    headers: [...headers.keys()],
  };
};

for (const [name, options] of [
  ['smtp', () => ({})],
  ['smtp with STARTTLS', () => ({ tls: trusted, url: 'smtp://localhost?tls=required' })],
  ['smtps', () => ({ tls: { ...trusted, isFromStart: true }, url: 'smtps://localhost' })],
] as const) {
  mailerContract(name, async (context) => {
    const { server, mailer } = await given(context, options());
    const toSeen = ({ to, subject, text, headers }: (typeof server.mails)[number]) => ({
      to: to.join(),
      subject,
      text,
      headers: [...headers.keys()],
    });
    return { mailer, seen: () => server.mails.map(toSeen) };
  });
}

test('the sender is the one of the settings, and absence notes are not asked for', async (context) => {
  const { server, mailer } = await given(context);
  await mailer.send(mail);
  assert.equal(server.mails[0]?.from, 'entrepot@example.org');
  assert.equal(server.mails[0]?.headers.get('auto-submitted'), 'auto-generated');
});

test('TLS is taken where it is offered, whoever made the certificate', async (context) => {
  const { server, mailer } = await given(context, { tls: foreign });
  await mailer.send(mail);
  assert.equal(server.mails[0]?.isEncrypted, true);
});

test('where TLS is demanded, a server without it or with the certificate of somebody else gets no mail', async (context) => {
  for (const options of [
    { url: 'smtp://localhost?tls=required' },
    { url: 'smtp://localhost?tls=required', tls: foreign },
    { url: 'smtps://localhost', tls: { ...foreign, isFromStart: true } },
  ]) {
    const { server, mailer } = await given(context, options);
    await assert.rejects(mailer.send(mail), Unavailable);
    await assert.rejects(mailer.check(), Unavailable);
    assert.deepEqual(server.mails, []);
  }
});

test('it signs in with the user and password of the URL, whatever characters they have', async (context) => {
  const right = `smtp://${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@localhost`;
  const { server, mailer } = await given(context, { url: right, user });
  await mailer.send(mail);
  assert.equal(server.mails[0]?.user, user.name);
});

test('a wrong password is tried again later: the mail is not at fault', async (context) => {
  const { mailer } = await given(context, { url: 'smtp://eve:wrong@localhost', user });
  await assert.rejects(mailer.send(mail), Unavailable);
});

test('an answer that is for ever refuses the mail, one that is for now does not', async (context) => {
  for (const [at, status, kind] of [
    ['recipient', 550, MailRefused],
    ['recipient', 451, Unavailable],
    ['data', 554, MailRefused],
    ['data', 452, Unavailable],
    ['sender', 553, Unavailable],
  ] as const) {
    const { mailer } = await given(context, { refuse: { at, status } });
    await assert.rejects(mailer.send(mail), kind, `${status} for the ${at}`);
  }
});

test('what the server wrote is not repeated: it might be the mail with its token', async (context) => {
  const { mailer } = await given(context, { refuse: { at: 'data', status: 554, text: `spam: ${mail.text}` } });
  await assert.rejects(mailer.send(mail), (error: Error) => {
    assert.match(error.message, /554/);
    assert.doesNotMatch(`${error.message} ${error.stack} ${JSON.stringify(error)} ${error.cause}`, /4711/);
    return true;
  });
});

test('a server that is away, greets nobody or never answers is told within the time limits', async (context) => {
  const { server, mailer } = await given(context);
  await server.stop();
  await assert.rejects(mailer.send(mail), Unavailable);
  await assert.rejects(mailer.check(), Unavailable);

  const mute = createServer(() => undefined).listen(0, '127.0.0.1');
  await new Promise((resolve) => mute.once('listening', resolve));
  context.after(() => mute.close());
  const { port } = mute.address() as { port: number };
  const times = { connectMs: 200, greetingMs: 200, silenceMs: 200, wholeMs: 400 };
  await assert.rejects(createSmtpMailer({ url: `smtp://127.0.0.1:${port}`, from, times }).send(mail), Unavailable);
  await assert.rejects(createSmtpMailer({ url: `smtps://127.0.0.1:${port}`, from, times }).send(mail), Unavailable);
});

test('a server that keeps on talking without an end is left after the time for a whole mail', async (context) => {
  const talker = createServer((socket) => {
    const timer = setInterval(() => socket.write('220-still here\r\n'), 20);
    socket.on('error', () => undefined).on('close', () => clearInterval(timer));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => talker.once('listening', resolve));
  context.after(() => talker.close());
  const { port } = talker.address() as { port: number };
  const times = { connectMs: 60_000, greetingMs: 60_000, silenceMs: 60_000, wholeMs: 300 };
  await assert.rejects(createSmtpMailer({ url: `smtp://127.0.0.1:${port}`, from, times }).send(mail), Unavailable);
});

test('whoever stops does not wait for a slow server', async (context) => {
  const { mailer } = await given(context, { isSilent: true });
  const stopping = new AbortController();
  const sending = mailer.send(mail, stopping.signal);
  stopping.abort();
  await assert.rejects(sending, Unavailable);
  const another = mailer.send(mail);
  await mailer.close();
  await assert.rejects(another, Unavailable);
});

test('a mailer that does not exist stops the start, and its URL with the password is not told', () => {
  assert.throws(
    () => openMailer('pigeon://user:hush@roof', { from, print() {} }),
    (error: Error) => !error.message.includes('hush'),
  );
});
