import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { call, givenOperator, givenService } from '../support/given.ts';
import { startServer } from '../support/start-server.ts';

const perKind = 100;

test('hundreds of connections that send half of something, or are half closed, keep nobody else from being served', async (context) => {
  const server = await startServer();
  const sockets: Socket[] = [];
  context.after(async () => {
    for (const socket of sockets) socket.destroy();
    await server.stop();
  });
  const { token } = await givenService(server, await givenOperator(server));
  const { hostname, port } = new URL(server.url);
  const post = `POST /v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`;
  const beginnings = [
    '',
    'POST /v1/eve',
    post,
    `${post}Content-Type: application/json\r\nContent-Length: 5000\r\n\r\n{"id":`,
    `${post}Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"id":`,
  ];
  for (const beginning of beginnings) {
    for (let number = 0; number < perKind; number += 1) {
      const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
      sockets.push(socket);
      socket.on('error', () => undefined); // the server may hang up
      await once(socket, 'connect');
      socket.write(beginning);
      if (number % 2 === 0) socket.end(); // our half alone
    }
  }
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, number) =>
      call(server, 'POST', '/v1/events', { token, body: { id: `e${number}`, name: 'order.created' } }),
    ),
  );
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
  assert.equal((await call(server, 'GET', '/readyz')).status, 200);
  assert.equal(await server.kill('SIGTERM'), 0);
  assert.match(server.output(), /"message":"server.stopped"/);
});
