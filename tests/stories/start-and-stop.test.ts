import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { call, eventually, givenOperator, givenService, givenTarget, type Json } from '../support/given.ts';
import { openConnection } from '../support/raw-http.ts';
import { type ReceiverOptions, startReceiver } from '../support/receiver.ts';
import { operator, type StartOptions, startServer, type TestServer } from '../support/start-server.ts';

const entry = fileURLToPath(new URL('../../src/entries/entrepot.js', import.meta.url));

/** Starts the program as people do, for a start that is expected to fail. */
const runServe = (env: Readonly<Record<string, string>>) =>
  new Promise<{ code: number | null; output: string }>((resolve) => {
    const child = spawn(process.execPath, [entry, 'serve'], { env: { PATH: process.env.PATH, ENTREPOT_PORT: '0', ...env } });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        output += chunk.toString();
      });
    const limit = setTimeout(() => child.kill('SIGKILL'), 60_000);
    child.on('exit', (code) => {
      clearTimeout(limit);
      resolve({ code, output });
    });
  });

/** A server that is stopped at the end of the test, however that ends. */
const start = async (context: TestContext, options: StartOptions = {}): Promise<TestServer> => {
  const server = await startServer(options);
  context.after(() => server.stop());
  return server;
};
const receive = async (context: TestContext, answer?: NonNullable<ReceiverOptions['answer']>) => {
  const receiver = await startReceiver(answer === undefined ? {} : { answer });
  context.after(() => receiver.stop());
  return receiver;
};

describe('starting', { concurrency: 2 }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-start-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('wrong and unknown settings stop the start with code 78 and a list of everything that is wrong', async () => {
    const { code, output } = await runServe({
      ENTREPOT_DATA: join(folder, 'never'),
      ENTREPOT_PORTT: '1',
      ENTREPOT_LOG_LEVEL: 'loud',
      ENTREPOT_TARGET_RATE: 'fast',
      ENTREPOT_TARGET_ENRICH: '[1]',
      ENTREPOT_ACCESS_TOKEN_TTL: '1 fortnight',
    });
    assert.equal(code, 78);
    for (const name of ['PORTT', 'LOG_LEVEL', 'TARGET_RATE', 'TARGET_ENRICH', 'ACCESS_TOKEN_TTL'])
      assert.match(output, new RegExp(`ENTREPOT_${name}`));
    assert.match(output, /ENTREPOT_PORT\b/, 'the nearest known name is suggested');
    assert.doesNotMatch(output, /\n\s+at /, 'no stack');
    await assert.rejects(readFile(join(folder, 'never')), { code: 'ENOENT' });
  });

  it('a second server on the same data folder is refused with code 69 and says who has it; the first goes on', async (context) => {
    const first = await start(context);
    const second = await runServe({ ENTREPOT_DATA: first.dataFolder });
    assert.equal(second.code, 69);
    assert.match(second.output, new RegExp(`data folder .* in use .*${first.pid}`));
    assert.doesNotMatch(second.output, /\n\s+at /);
    assert.equal((await call(first, 'GET', '/readyz')).status, 200);
  });

  it('a data folder whose server was killed can be used again', async (context) => {
    const first = await start(context);
    await first.kill('SIGKILL');
    const second = await start(context, { dataFolder: first.dataFolder });
    assert.equal((await call(second, 'GET', '/readyz')).body.state, 'ready');
  });

  it('data of a newer program is refused with code 69, and left as it is', async (context) => {
    const server = await start(context);
    await server.kill('SIGTERM');
    const file = new DatabaseSync(join(server.dataFolder, 'entrepot.db'));
    file.exec(`insert into migrations ("version", "name", "appliedAt") values (9999, 'of the future', 0)`);
    file.close();
    const { code, output } = await runServe({ ENTREPOT_DATA: server.dataFolder });
    assert.equal(code, 69);
    assert.match(output, /version 9999.*newer program/s);
    assert.doesNotMatch(output, /\n\s+at /);
  });

  it('what is no database is refused with code 69, and not overwritten', async (context) => {
    const data = join(folder, 'damaged');
    const server = await start(context, { dataFolder: data });
    await server.kill('SIGTERM');
    for (const ending of ['', '-wal', '-shm']) await rm(join(data, `entrepot.db${ending}`), { force: true });
    await writeFile(
      join(data, 'entrepot.db'),
      'this is a letter to a friend, and long enough to be taken for a file with a header of its own. '.repeat(20),
    );
    const { code, output } = await runServe({ ENTREPOT_DATA: data });
    assert.equal(code, 69, output);
    assert.match(output, /entrepot\.db cannot be opened/);
    assert.doesNotMatch(output, /\n\s+at /);
    assert.match(await readFile(join(data, 'entrepot.db'), 'utf8'), /^this is a letter/);
  });

  it('a port that is taken, or an operator whose password is too short, is told in a line', async (context) => {
    const first = await start(context);
    const taken = await runServe({ ENTREPOT_DATA: join(folder, 'port'), ENTREPOT_PORT: new URL(first.url).port });
    assert.equal(taken.code, 69);
    assert.match(taken.output, /EADDRINUSE|in use/);
    const weak = await runServe({ ENTREPOT_DATA: join(folder, 'weak'), ENTREPOT_OPERATOR: 'ada:short' });
    assert.ok(weak.code === 69 || weak.code === 78, String(weak.code));
    for (const { output } of [taken, weak]) assert.doesNotMatch(output, /\n\s+at /);
  });

  it('the first start without an operator prints a set-up link, which works once', async (context) => {
    const server = await start(context, { env: { ENTREPOT_OPERATOR: undefined } });
    const link = /http:\S+\/setup\?token=(\S+)/.exec(server.output());
    const token = link?.[1] ?? '';
    assert.ok(link, server.output());
    const page = await fetch(link[0]);
    assert.deepEqual([page.status, page.headers.get('content-type')], [200, 'text/html; charset=utf-8']);

    const setUp = (body: unknown) => call(server, 'POST', '/v1/setup', { body });
    const wrong = await setUp({ token: 'guess', ...operator });
    assert.deepEqual([wrong.status, wrong.body.type], [401, '/problems/bad-credentials']);
    const weak = await setUp({ token, username: 'ada', password: 'short' });
    assert.deepEqual([weak.status, weak.body.errors[0].at], [400, '/password']);
    const made = await setUp({ token, ...operator });
    assert.deepEqual([made.status, made.body.username], [201, operator.username]);
    const again = await setUp({ token, username: 'eve', password: 'another-long-password' });
    assert.deepEqual([again.status, again.body.type], [409, '/problems/already-set-up']);
    const admin = await givenOperator(server);
    assert.equal((await call(server, 'GET', '/v1/me', { token: admin })).body.role, 'operator');

    await server.kill('SIGTERM');
    const next = await start(context, { dataFolder: server.dataFolder, env: { ENTREPOT_OPERATOR: undefined } });
    assert.doesNotMatch(next.output(), /setup\?token/, 'no link where there is an operator');
  });

  it('who guesses at the set-up token is held off', async (context) => {
    const server = await start(context, { env: { ENTREPOT_OPERATOR: undefined } });
    const setUp = () => call(server, 'POST', '/v1/setup', { body: { token: 'guess', ...operator } });
    const fillIn = (form: Readonly<Record<string, string>>) =>
      fetch(`${server.url}/setup`, { method: 'POST', body: new URLSearchParams({ ...operator, ...form }) });
    const onPage = await fillIn({ token: 'guess' });
    assert.deepEqual([onPage.status, onPage.headers.get('www-authenticate')], [401, 'Bearer']);
    assert.match(await onPage.text(), /set-up token is wrong/);
    for (let guess = 1; guess < 10; guess += 1) assert.equal((await setUp()).status, 401);
    for (const { status, headers } of [await setUp(), await fillIn({ token: 'guess' })]) {
      assert.equal(status, 429);
      assert.ok(Number(headers.get('retry-after')) > 0);
    }
  });

  it('a second start keeps everything: sessions, services, targets, events, traces and what waits', async (context) => {
    const receiver = await receive(context);
    const first = await start(context);
    const admin = await givenOperator(first);
    const source = await givenService(first, admin, ['events:send', 'events:read', 'trace:read']);
    const target = await givenTarget(first, admin, { kind: 'webhook', config: { url: receiver.url }, state: 'paused' });
    await call(first, 'POST', '/v1/events', { token: source.token, body: { id: 'kept', name: 'a', body: 1.5 } });
    const look = async (server: TestServer): Promise<Json> => {
      const ask = async (path: string, token: string) => {
        const { status, body } = await call(server, 'GET', path, { token });
        assert.equal(status, 200, path);
        return body;
      };
      return {
        event: await ask('/v1/events/kept', source.token),
        trace: await ask('/v1/trace/kept', source.token),
        target: await ask(`/v1/targets/${target.id}`, admin),
        service: await ask(`/v1/services/${source.id}`, admin),
        keys: await ask('/.well-known/jwks.json', ''),
      };
    };
    const before = await eventually(
      () => look(first),
      ({ event }) => event.state === 'waiting',
    );
    assert.equal(await first.kill('SIGTERM'), 0);

    const second = await start(context, { dataFolder: first.dataFolder });
    assert.deepEqual(await look(second), before);
    const again = await call(second, 'POST', '/v1/events', { token: source.token, body: { id: 'kept', name: 'a' } });
    assert.deepEqual([again.status, again.body.duplicate, again.body.receivedAt], [202, true, before.event.receivedAt]);
    const refreshed = await call(second, 'POST', '/v1/sessions/refresh', { body: { refreshToken: source.session.refreshToken } });
    assert.equal(refreshed.status, 200);
    await call(second, 'POST', `/v1/targets/${target.id}/resume`, { token: admin });
    await receiver.waitFor(1, 30_000);
  });
});

describe('stopping', { concurrency: 2 }, () => {
  it('SIGTERM with open viewers and deliveries under way ends with code 0: what is under way ends, what waits is kept', async (context) => {
    const receiver = await receive(context, () => ({ afterMs: 300 }));
    const server = await start(context);
    const admin = await givenOperator(server);
    const source = await givenService(server, admin, ['events:send', 'events:read']);
    await givenTarget(server, admin, { kind: 'webhook', config: { url: receiver.url }, concurrency: 2 });
    const viewer = await fetch(`${server.url}/v1/events/live`, { headers: { authorization: `Bearer ${source.token}` } });
    const watching = viewer.text(); // resolves only when the stream ends in good order
    const ids = ['1', '2', '3', '4', '5', '6'];
    await call(server, 'POST', '/v1/events', { token: source.token, body: ids.map((id) => ({ id, name: 'a' })) });
    await receiver.waitFor(2, 30_000);
    assert.equal(await server.kill('SIGTERM'), 0);
    assert.match(await watching, /^: watching/);
    assert.match(server.output(), /"message":"server\.stopped"/);
    const sent = receiver.received.length;

    const next = await start(context, { dataFolder: server.dataFolder });
    await eventually(
      () => call(next, 'GET', '/v1/events?state=delivered', { token: source.token }),
      ({ body }) => body.items.length === 6,
    );
    assert.equal(receiver.received.length, 6, `nothing is sent twice, and ${sent} were sent before the stop`);
  });

  it('who still asks while it stops is told so, and to come back', async (context) => {
    const server = await start(context);
    const connection = await openConnection(server, 'GET /v1/version');
    connection.write('GET /v1/version HTTP/1.1\r\nHost: localhost\r\n');
    await call(server, 'GET', '/healthz'); // when this is answered the bytes before have been read
    const ended = server.kill('SIGTERM');
    await eventually(
      async () => server.output(),
      (output) => output.includes('server.stopping'),
    );
    connection.write('\r\n');
    const [answer] = await connection.answers();
    assert.deepEqual([answer?.status, answer?.body.type], [503, '/problems/stopping']);
    assert.match(answer?.head ?? '', /retry-after: \d+/i);
    assert.match(answer?.head ?? '', /connection: close/i);
    assert.equal(await ended, 0);
  });

  it('a second signal ends it at once; what was accepted is there at the next start', async (context) => {
    const receiver = await receive(context, () => 'hang');
    const server = await start(context);
    const admin = await givenOperator(server);
    const source = await givenService(server, admin, ['events:send', 'events:read']);
    await givenTarget(server, admin, { kind: 'webhook', config: { url: receiver.url } });
    await call(server, 'POST', '/v1/events', { token: source.token, body: { id: 'x', name: 'a' } });
    await receiver.waitFor(1, 30_000);
    const ended = server.kill('SIGTERM');
    await eventually(
      async () => server.output(),
      (output) => output.includes('server.stopping'),
    );
    assert.equal(await server.kill('SIGTERM'), 130);
    assert.equal(await ended, 130);
    assert.doesNotMatch(server.output(), /"message":"server\.stopped"/);

    receiver.answerWith(() => ({ status: 200 }));
    const next = await start(context, { dataFolder: server.dataFolder });
    await eventually(
      () => call(next, 'GET', '/v1/events/x', { token: source.token }),
      ({ body }) => body.state === 'delivered',
    );
  });
});
