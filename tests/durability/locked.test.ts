import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { assertSound, readData } from '../support/data-file.ts';
import { lockDatabase } from '../support/database-lock.ts';
import { call, eventually, givenOperator, givenService, givenTarget } from '../support/given.ts';
import { startReceiver } from '../support/receiver.ts';
import { startServer } from '../support/start-server.ts';

const given = async (context: TestContext) => {
  const receiver = await startReceiver();
  const server = await startServer();
  context.after(async () => {
    await server.stop();
    await receiver.stop();
  });
  const token = await givenOperator(server);
  const source = await givenService(server, token);
  await givenTarget(server, token, { config: { url: receiver.url } });
  const send = (id: string) => call(server, 'POST', '/v1/events', { token: source.token, body: { id, name: 'order.created' } });
  return { receiver, server, token, source, send };
};

test('an event that finds the database locked for a moment waits and is taken', async (context) => {
  const { server, receiver, send } = await given(context);
  const lock = await lockDatabase(server.dataFolder);
  const answers = Promise.all(Array.from({ length: 20 }, (_, number) => send(`e${number}`)));
  setTimeout(() => void lock.release(), 300);
  // One that the moment was too long for, on a busy machine, is told to come again.
  for (const [number, { status }] of (await answers).entries()) if (status !== 202) assert.equal((await send(`e${number}`)).status, 202);
  await receiver.waitFor(20, 30_000);
});

test('while the database stays locked events are refused with 503 and Retry-After, and all goes on by itself afterwards', async (context) => {
  const { server, token, receiver, send, source } = await given(context);
  receiver.answerWith(() => ({ body: { data: {} }, afterMs: 500 }));
  assert.equal((await send('under way')).status, 202);
  await receiver.waitFor(1);
  const lock = await lockDatabase(server.dataFolder);

  const refused = await Promise.all([
    ...Array.from({ length: 20 }, (_, number) => send(`refused${number}`)),
    call(server, 'POST', '/v1/services', { token, body: { name: 'late', scopes: ['events:send'] } }),
    call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId: source.authId, secret: source.secret } }),
  ]);
  for (const { status, headers, body, text } of refused) {
    assert.equal(status, 503, text);
    assert.equal(body.type, '/problems/unavailable');
    assert.ok(Number(headers.get('retry-after')) >= 1);
  }
  const ready = await call(server, 'GET', '/readyz');
  assert.equal(ready.status, 503);
  assert.equal(ready.body.dependencies.database.state, 'down');
  assert.equal((await call(server, 'GET', '/healthz')).status, 200);
  assert.equal((await call(server, 'GET', '/v1/flow', { token })).status, 200, 'reading goes on');

  await lock.release();
  await eventually(
    () => call(server, 'GET', '/readyz'),
    ({ status }) => status === 200,
  );
  for (let number = 0; number < 20; number += 1) assert.equal((await send(`refused${number}`)).status, 202);
  await eventually(
    async () => (await call(server, 'GET', '/v1/flow', { token })).body.targets[0],
    ({ delivered }) => delivered === 21,
  );
  const times = receiver.received.filter(({ body }) => body.includes('under way')).length;
  assert.equal(times, 1, 'what was under way when the lock came is noted afterwards, not sent again');
});

test('SIGTERM while the database is locked ends within 10 s with exit code 0, and nothing acknowledged is lost', async (context) => {
  const { server, receiver, send } = await given(context);
  receiver.answerWith(() => ({ body: { data: {} }, afterMs: 300 }));
  for (let number = 0; number < 10; number += 1) assert.equal((await send(`e${number}`)).status, 202);
  await receiver.waitFor(8);
  const lock = await lockDatabase(server.dataFolder);
  const askedAt = performance.now();
  assert.equal(await server.kill('SIGTERM'), 0);
  assert.ok(performance.now() - askedAt < 10_000);
  await lock.release();
  assertSound(server.dataFolder);
  const there = readData(server.dataFolder, (rows) => rows('select eventId from facts where isOwn = 0'));
  assert.equal(there.length, 10);

  const next = await startServer({ dataFolder: server.dataFolder });
  context.after(() => next.stop());
  await eventually(
    async () =>
      readData(
        next.dataFolder,
        (rows) => rows(`select eventId from facts join factStates using (position) where state = 'delivered' and isOwn = 0`).length,
      ),
    (count) => count === 10,
  );
});

test('a server that finds its database locked at its start says so, ends with code 69, and starts afterwards', async (context) => {
  const { server } = await given(context);
  assert.equal(await server.kill('SIGTERM'), 0);
  const lock = await lockDatabase(server.dataFolder);
  await assert.rejects(startServer({ dataFolder: server.dataFolder }), /ended with 69:\nentrepot: .*locked/);
  await lock.release();
  const next = await startServer({ dataFolder: server.dataFolder });
  assert.equal(await next.kill('SIGTERM'), 0);
});
