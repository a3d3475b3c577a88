import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { assertSound } from '../support/data-file.ts';
import { call, eventually, givenOperator, givenService, givenTarget } from '../support/given.ts';
import { startReceiver } from '../support/receiver.ts';
import { startServer } from '../support/start-server.ts';

const dayMs = 24 * 3_600_000;
const isTime = /(At|Until)$/;

/** Moves every time in the data ahead: for the next start that is the same as a machine whose clock was set back. */
const setClockBack = (dataFolder: string, ms: number) => {
  const file = new DatabaseSync(join(dataFolder, 'entrepot.db'));
  for (const { name: table } of file.prepare(`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'`).all()) {
    for (const { name: column } of file.prepare(`select name from pragma_table_info('${table}') where type = 'INTEGER'`).all()) {
      if (isTime.test(String(column))) file.exec(`update "${table}" set "${column}" = "${column}" + ${ms} where "${column}" > 0`);
    }
  }
  file.close();
};

test('after the clock was set back by a day while the server was down, what waits is delivered and new events are taken in order', async (context) => {
  const receiver = await startReceiver({ answer: () => ({ status: 500 }) });
  let server = await startServer();
  const { dataFolder } = server;
  context.after(async () => {
    await server.stop();
    await receiver.stop();
  });
  const token = await givenOperator(server);
  const source = await givenService(server, token, ['events:send', 'events:read']);
  const quick = { minDelayMs: 10, maxDelayMs: 200, attempts: 1000 };
  const free = await givenTarget(server, token, { config: { url: receiver.url }, retry: quick });
  const paced = await givenTarget(server, token, { config: { url: receiver.url }, retry: quick, rate: { requests: 10, intervalMs: 100 } });
  const inOrder = await givenTarget(server, token, { config: { url: receiver.url }, retry: quick, ordering: 'key' });
  for (const id of ['before1', 'before2', 'before3']) {
    const sent = await call(server, 'POST', '/v1/events', { token: source.token, body: { id, name: 'order.created', key: 'k' } });
    assert.equal(sent.status, 202);
  }
  await receiver.waitFor(12, 30_000);
  assert.equal(await server.kill('SIGKILL'), 'SIGKILL');

  setClockBack(dataFolder, dayMs);
  receiver.answerWith(() => ({ body: { data: {} } }));
  server = await startServer({ dataFolder });
  const tokenAfter = await givenOperator(server);
  const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId: source.authId, secret: source.secret } });
  assert.equal(session.status, 201, session.text);
  for (const id of ['after1', 'after2']) {
    const sent = await call(server, 'POST', '/v1/events', {
      token: session.body.accessToken,
      body: { id, name: 'order.created', key: 'k' },
    });
    assert.equal(sent.status, 202, sent.text);
  }
  await eventually(
    async () => (await call(server, 'GET', '/v1/flow', { token: tokenAfter })).body,
    ({ targets }) => targets.every(({ delivered }: { delivered: number }) => delivered === 5),
    60_000,
  );
  const { body: list } = await call(server, 'GET', '/v1/events', { token: session.body.accessToken });
  assert.deepEqual(
    list.items.map(({ id }: { id: string }) => id),
    ['after2', 'after1', 'before3', 'before2', 'before1'],
    'newest first, as they came in',
  );

  // Changes go on to count as changes, and a target made now gets only what comes now.
  const later = await givenTarget(server, tokenAfter, { config: { url: receiver.url } });
  for (const { id } of [free, paced, inOrder]) {
    const changed = await call(server, 'PATCH', `/v1/targets/${id}`, { token: tokenAfter, body: { concurrency: 2 } });
    assert.equal(changed.status, 200, changed.text);
    assert.equal(changed.body.concurrency, 2);
  }
  const last = await call(server, 'POST', '/v1/events', {
    token: session.body.accessToken,
    body: { id: 'last', name: 'order.created', key: 'k' },
  });
  assert.equal(last.status, 202);
  await eventually(
    async () => (await call(server, 'GET', '/v1/events/last', { token: session.body.accessToken })).body,
    ({ state }) => state === 'delivered',
  );
  const { body: ofLater } = await call(server, 'GET', `/v1/deliveries?target=${later.id}`, { token: tokenAfter });
  assert.deepEqual(
    ofLater.items.map(({ eventId }: { eventId: string }) => eventId),
    ['last'],
  );
  assert.equal(await server.kill('SIGTERM'), 0);
  assertSound(dataFolder);
});
