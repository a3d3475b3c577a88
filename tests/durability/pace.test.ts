import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertSound } from '../support/data-file.ts';
import { call, givenOperator, givenService, givenTarget } from '../support/given.ts';
import { startReceiver } from '../support/receiver.ts';
import { startServer } from '../support/start-server.ts';

const rate = { requests: 5, intervalMs: 3_000 };
const ends = ['SIGKILL', 'SIGTERM', 'SIGKILL', 'SIGKILL', 'SIGTERM', 'SIGKILL'] as const;

test('a target never gets more than its rate allows in any window, however often the server is killed and started again', async (context) => {
  const receiver = await startReceiver();
  let server = await startServer();
  const { dataFolder } = server;
  context.after(async () => {
    await server.stop();
    await receiver.stop();
  });
  const token = await givenOperator(server);
  const source = await givenService(server, token);
  await givenTarget(server, token, { config: { url: receiver.url }, rate });
  const backlog = Array.from({ length: 500 }, (_, number) => ({ id: `e${number}`, name: 'order.created' }));
  assert.equal((await call(server, 'POST', '/v1/events', { token: source.token, body: backlog })).status, 202);

  for (const signal of ends) {
    // Right after a request is the worst moment: a start that knows nothing of it would send the next one at once.
    await receiver.waitFor(receiver.received.length + 2, 30_000);
    await server.kill(signal);
    server = await startServer({ dataFolder });
  }
  await receiver.waitFor(receiver.received.length + rate.requests, 30_000);
  assert.equal(await server.kill('SIGTERM'), 0);
  assertSound(dataFolder);

  const { arrivals } = receiver;
  const tooSoon = arrivals.flatMap((at, index) => {
    const windowMs = at - (arrivals[index - rate.requests] ?? Number.NEGATIVE_INFINITY);
    return windowMs < rate.intervalMs ? [`${rate.requests + 1} within ${windowMs} ms`] : [];
  });
  assert.deepEqual(tooSoon, []);
  context.diagnostic(`${arrivals.length} arrivals`);
});
