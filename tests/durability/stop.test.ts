import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { assertSound, readData } from '../support/data-file.ts';
import { call, givenOperator, givenService, givenTarget } from '../support/given.ts';
import { startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const given = async (context: TestContext) => {
  const receiver = await startReceiver({ answer: () => 'hang' });
  const server = await startServer();
  context.after(async () => {
    await server.stop();
    await receiver.stop();
  });
  const token = await givenOperator(server);
  const source = await givenService(server, token, ['events:send', 'events:read']);
  const target = await givenTarget(server, token, { config: { url: receiver.url }, timeoutMs: 60_000 });
  for (let number = 0; number < 20; number += 1) {
    const sent = await call(server, 'POST', '/v1/events', { token: source.token, body: { id: `e${number}`, name: 'order.created' } });
    assert.equal(sent.status, 202);
  }
  await receiver.waitFor(8, 30_000);
  return { receiver, server, token, source, target };
};

/** Ends it and looks whether that was in good order: in time, nothing under way left behind, nothing lost. */
const assertStopsWell = async (server: TestServer) => {
  const askedAt = performance.now();
  assert.equal(await server.kill('SIGTERM'), 0);
  assert.ok(performance.now() - askedAt < 10_000, 'it took longer than 10 s');
  assert.match(server.output(), /"message":"server.stopped"/, 'it was cut off by its own time limit');
  assertSound(server.dataFolder);
  assert.deepEqual(
    readData(server.dataFolder, (rows) => rows(`select id from deliveries where state = 'delivering'`)),
    [],
  );
};

test('a target that never answers does not hold up a stop, and gets its deliveries after the next start', async (context) => {
  const { receiver, server } = await given(context);
  await assertStopsWell(server);
  receiver.answerWith(() => ({ body: { data: {} } }));
  const arrived = receiver.received.length;
  const next = await startServer({ dataFolder: server.dataFolder });
  context.after(() => next.stop());
  await receiver.waitFor(arrived + 20, 30_000);
});

/** Sends the beginning of a request, and then no more. */
const openRequest = async ({ url }: TestServer, head: readonly string[]): Promise<Socket> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined); // it is cut off in the end
  await once(socket, 'connect');
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  return socket;
};

test('clients that do not end their requests or read their answers do not hold up a stop', async (context) => {
  const { server, token, source, target } = await given(context);
  const headOf = (bearer: string) => ['Host: localhost', `Authorization: Bearer ${bearer}`];
  const open = [
    await openRequest(server, [
      'POST /v1/events HTTP/1.1',
      ...headOf(source.token),
      'Content-Type: application/json',
      'Content-Length: 500',
    ]),
    await openRequest(server, [
      'POST /v1/events HTTP/1.1',
      ...headOf(source.token),
      'Content-Type: application/x-ndjson',
      'Transfer-Encoding: chunked',
    ]),
    await openRequest(server, ['GET /v1/events/live HTTP/1.1', ...headOf(source.token)]),
    await openRequest(server, [`POST /v1/targets/${target.id}/test HTTP/1.1`, ...headOf(token), 'Content-Length: 0']),
    await openRequest(server, ['GET /v1/version HTTP/1.1']),
  ];
  const [, , live] = open;
  if (live) await once(live, 'data');
  context.after(() => {
    for (const socket of open) socket.destroy();
  });
  await assertStopsWell(server);
});
