import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertSound, readData } from '../support/data-file.ts';
import { lockDatabase } from '../support/database-lock.ts';
import { call, eventually, givenOperator, givenService, givenTarget } from '../support/given.ts';
import { type ReceiverOptions, startReceiver } from '../support/receiver.ts';
import { createLedger, startSenders } from '../support/senders.ts';
import { startServer } from '../support/start-server.ts';

const given = async (context: TestContext, options: ReceiverOptions) => {
  const receiver = await startReceiver(options);
  const server = await startServer();
  context.after(async () => {
    await server.stop();
    await receiver.stop();
  });
  const token = await givenOperator(server);
  const source = await givenService(server, token, ['events:send', 'events:read']);
  const ask = (method: string, path: string, body?: unknown) =>
    call(server, method, path, { token, ...(body === undefined ? {} : { body }) });
  const target = (settings: object = {}) =>
    givenTarget(server, token, { config: { url: receiver.url }, retry: { attempts: 50, minDelayMs: 20, maxDelayMs: 200 }, ...settings });
  const states = () =>
    readData(server.dataFolder, (rows) => rows('select state, count(*) as amount from deliveries group by 1').map((row) => ({ ...row })));
  const senders = (label: string, pauseMs = 20) => {
    const started = startSenders({ server, sources: [source], ledger: createLedger(), label, senders: 6, arrayLength: 5, pauseMs });
    context.after(started.stop);
    return started;
  };
  const send = async (id: string) => {
    const sent = await call(server, 'POST', '/v1/events', { token: source.token, body: { id, name: 'order.created', key: 'k' } });
    assert.equal(sent.status, 202, sent.text);
  };
  return { receiver, server, ask, target, states, senders, send };
};

/** Stops the server in good order and looks at its books. */
const assertEndsWell = async ({ server }: Awaited<ReturnType<typeof given>>) => {
  assert.equal(await server.kill('SIGTERM'), 0);
  assertSound(server.dataFolder);
};

test('changing whether a target wants order, while deliveries are under way, leaves none behind', async (context) => {
  const scene = await given(context, { failureShare: 0.05, answer: () => ({ body: { data: {} }, afterMs: 100 }) });
  const { id } = await scene.target({ concurrency: 16 });
  const senders = scene.senders('order', 50);
  for (const ordering of ['key', 'none', 'key', 'none', 'key']) {
    await sleep(700);
    assert.equal((await scene.ask('PATCH', `/v1/targets/${id}`, { ordering })).status, 200);
  }
  await senders.stop();
  await eventually(
    async () => scene.states(),
    (states) => states.every(({ state }) => state === 'delivered'),
    60_000,
  );
  await assertEndsWell(scene);
});

test('what is open for a target when it is deleted is parked, also what was under way', async (context) => {
  const scene = await given(context, { failureShare: 0.5, answer: () => ({ body: { data: {} }, afterMs: 50 }) });
  const { id } = await scene.target({ concurrency: 32 });
  await scene.target({ types: ['nothing.of.this'] });
  const senders = scene.senders('deleted');
  await scene.receiver.waitFor(50, 30_000);
  assert.equal((await scene.ask('DELETE', `/v1/targets/${id}`)).status, 204);
  await senders.stop();
  await eventually(
    async () => scene.states(),
    (states) => states.every(({ state }) => state === 'parked' || state === 'delivered'),
    60_000,
  );
  await assertEndsWell(scene);
});

test('a target that answers 410 while the database is locked is paused afterwards, and goes on when it is resumed', async (context) => {
  const scene = await given(context, { answer: () => ({ status: 410, afterMs: 2_000 }) });
  const { id } = await scene.target({ kind: 'webhook' });
  for (let number = 0; number < 20; number += 1) await scene.send(`e${number}`);
  await scene.receiver.waitFor(1);
  const lock = await lockDatabase(scene.server.dataFolder);
  await eventually(
    async () => scene.server.output(),
    (output) => output.includes('target.cannot-pause'),
  );
  await lock.release();
  await eventually(
    async () => (await scene.ask('GET', `/v1/targets/${id}`)).body.state,
    (state) => state === 'paused',
  );
  scene.receiver.answerWith(() => ({ body: {} }));
  assert.equal((await scene.ask('POST', `/v1/targets/${id}/resume`)).status, 200);
  await eventually(
    async () => scene.states(),
    (states) => states.every(({ state }) => state === 'delivered'),
  );
  await assertEndsWell(scene);
});

test('a change of one target does not wait for another that hangs', async (context) => {
  const scene = await given(context, { answer: () => 'hang' });
  const hanging = await scene.target({ timeoutMs: 60_000 });
  const well = await startReceiver();
  context.after(() => well.stop());
  await scene.send('first');
  await scene.receiver.waitFor(1);
  assert.equal((await scene.ask('PATCH', `/v1/targets/${hanging.id}`, { timeoutMs: 30_000 })).status, 200);
  await sleep(200);
  await scene.target({ config: { url: well.url } });
  await scene.send('second');
  await well.waitFor(1, 30_000);
  assert.equal(scene.receiver.received.length, 1, 'it waited until the other one had been given up, and was tried again');
  await assertEndsWell(scene);
});

test('pausing, resuming, changing and replaying in bulk under load loses nothing, and the books stay right', async (context) => {
  const scene = await given(context, { failureShare: 0.1, answer: () => ({ body: { data: {} }, afterMs: 5 }) });
  const targets = [
    await scene.target(),
    await scene.target({ ordering: 'key', retry: { attempts: 2, minDelayMs: 10, maxDelayMs: 20 }, onDead: 'park' }),
    await scene.target({ rate: { requests: 200, intervalMs: 1_000 }, transform: '$merge([$, {"seen": true}])' }),
  ];
  const senders = scene.senders('busy');
  const acts = [
    (id: string) => scene.ask('POST', `/v1/targets/${id}/pause`),
    (id: string) => scene.ask('POST', `/v1/targets/${id}/resume`),
    (id: string) => scene.ask('PATCH', `/v1/targets/${id}`, { concurrency: 4 }),
    () => scene.ask('POST', '/v1/deliveries/replay', { filter: {} }),
    (id: string) => scene.ask('POST', '/v1/deliveries/replay', { filter: { state: 'delivered', target: id } }),
    (id: string) => scene.ask('PATCH', `/v1/targets/${id}`, { transform: '$error("no")' }),
    (id: string) => scene.ask('PATCH', `/v1/targets/${id}`, { transform: null }),
  ];
  for (let round = 0; round < 42; round += 1) {
    const { status, text } = (await acts[round % acts.length]?.(targets[round % targets.length]?.id)) ?? { status: 0, text: '' };
    assert.ok(status === 200 || status === 202, `${status} ${text}`);
    await sleep(50);
  }
  await senders.stop();
  for (const { id } of targets) {
    assert.equal((await scene.ask('PATCH', `/v1/targets/${id}`, { transform: null, retry: { attempts: 50 } })).status, 200);
    assert.equal((await scene.ask('POST', `/v1/targets/${id}/resume`)).status, 200);
  }
  await eventually(
    async () => {
      await scene.ask('POST', '/v1/deliveries/replay', { filter: {} });
      await sleep(500);
      return scene.states();
    },
    (states) => states.every(({ state }) => state === 'delivered'),
    60_000,
  );
  await assertEndsWell(scene);
});

test('targets whose transforms fail can be paused and resumed as often as one likes', async (context) => {
  const scene = await given(context, {});
  const targets = [];
  for (let number = 0; number < 8; number += 1) targets.push(await scene.target({ transform: '$error("no")', concurrency: 1 }));
  const senders = scene.senders('failing', 1);
  for (let round = 0; round < 25; round += 1) {
    const answers = await Promise.all(
      targets.map(async ({ id }) => {
        await scene.ask('POST', `/v1/targets/${id}/pause`);
        return await scene.ask('POST', `/v1/targets/${id}/resume`);
      }),
    );
    assert.ok(answers.every(({ status }) => status === 200));
  }
  await senders.stop();
  await eventually(
    async () => scene.states(),
    (states) => states.length > 0 && states.every(({ state }) => state === 'parked'),
    60_000,
  );
  await assertEndsWell(scene);
});
