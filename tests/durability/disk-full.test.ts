import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSound, readData } from '../support/data-file.ts';
import { call, eventually, givenOperator, givenService, givenTarget } from '../support/given.ts';
import { startReceiver } from '../support/receiver.ts';
import { createLedger, startSenders } from '../support/senders.ts';
import { smallDisks } from '../support/small-disk.ts';
import { operator, startServer, type TestServer } from '../support/start-server.ts';

/** What a client is told while nothing can be written. */
const assertUnavailable = async (server: TestServer, method: string, path: string, body: unknown, token: string | undefined) => {
  const refused = await call(server, method, path, { body, token });
  assert.equal(refused.status, 503, `${method} ${path}: ${refused.text}`);
  assert.match(refused.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(refused.body.type, '/problems/unavailable');
  assert.ok(Number(refused.headers.get('retry-after')) >= 1, 'there is no Retry-After');
};

for (const [name, createDisk] of Object.entries(smallDisks)) {
  test(`with ${name} the server refuses with 503, keeps what it acknowledged, and goes on by itself when there is room`, async (context) => {
    const disk = await createDisk();
    const receiver = await startReceiver();
    const start = () => startServer({ dataFolder: disk.dataFolder, through: disk.through });
    let server = await start();
    context.after(async () => {
      await server.kill('SIGKILL');
      await receiver.stop();
      await disk.remove();
    });
    const token = await givenOperator(server);
    const source = await givenService(server, token, ['events:send', 'events:read']);
    await givenTarget(server, token, { config: { url: receiver.url }, retry: { minDelayMs: 10, maxDelayMs: 100 } });
    const ledger = createLedger();
    const isThere = async (id: string) => (await call(server, 'GET', `/v1/events/${id}`, { token: source.token })).status === 200;
    const refused = () => ledger.refusals.get(503) ?? 0;

    /** Under load until the disk is full and stays so. */
    const sendUntilFull = async (label: string) => {
      const before = refused();
      const known = ledger.acknowledged.size;
      const senders = startSenders({ server, sources: [source], ledger, label, arrayLength: 50 });
      context.after(senders.stop);
      await eventually(
        async () => ledger.acknowledged.size - known,
        (count) => count > 500,
      );
      await disk.fill(server.pid);
      await eventually(
        async () => refused() - before,
        (count) => count > 100,
      );
      const ready = await eventually(
        () => call(server, 'GET', '/readyz'),
        ({ status }) => status === 503,
      );
      assert.equal(ready.body.dependencies.database.state, 'down');
      await senders.stop();
    };

    await sendUntilFull('first');
    assert.equal((await call(server, 'GET', '/healthz')).status, 200);
    await assertUnavailable(server, 'POST', '/v1/events', { id: 'refused', name: 'n', body: 'x'.repeat(200_000) }, source.token);
    await assertUnavailable(server, 'POST', '/v1/services', { name: 'too late', scopes: ['events:send'] }, token);
    await assertUnavailable(server, 'POST', '/v1/sessions', { method: 'password', ...operator }, undefined);
    const [oneAcknowledged = ''] = ledger.acknowledged.keys();
    assert.ok(await isThere(oneAcknowledged), 'reading goes on');
    assert.ok(!(await isThere('refused')), 'a refused event is there');

    await disk.free(server.pid);
    await eventually(
      () => call(server, 'GET', '/readyz'),
      ({ status }) => status === 200,
    );
    const again = await call(server, 'POST', '/v1/events', { token: source.token, body: { id: 'refused', name: 'n' } });
    assert.equal(again.status, 202, again.text);
    assert.equal(again.body.duplicate, false);
    ledger.acknowledged.set('refused', source.id);

    await sendUntilFull('second');
    assert.equal(await server.kill('SIGTERM'), 0);
    await disk.free(server.pid).catch(() => undefined); // its limit went with the process
    assertSound(disk.dataFolder);
    server = await start();
    await eventually(
      async () => (await call(server, 'GET', '/v1/flow', { token })).body,
      ({ stages, targets: [target] }) => stages.accepted.count === stages.routed.count && target.waiting + target.retrying === 0,
      60_000,
    );
    assert.equal(await server.kill('SIGTERM'), 0);

    assertSound(disk.dataFolder);
    const there = new Set(
      readData(disk.dataFolder, (rows) => rows('select eventId from facts where isOwn = 0').map(({ eventId }) => eventId)),
    );
    assert.deepEqual(
      [...ledger.acknowledged.keys()].filter((id) => !there.has(id)),
      [],
    );
    for (const { ids } of ledger.unanswered) {
      const found = ids.filter((id) => there.has(id)).length;
      assert.ok(found === 0 || found === ids.length, `${found} of the ${ids.length} events of one array are there`);
    }
    const delivered = readData(disk.dataFolder, (rows) =>
      rows(`select count(*) as amount from facts left join factStates using (position) where state is not 'delivered' and isOwn = 0`),
    );
    assert.equal(delivered[0]?.amount, 0);
    assert.deepEqual(ledger.faults, []);
    context.diagnostic(`${ledger.acknowledged.size} acknowledged, refusals ${JSON.stringify([...ledger.refusals])}`);
  });
}
