import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertSound, readData } from '../support/data-file.ts';
import { call, eventually, givenOperator } from '../support/given.ts';
import { sha256Of, sha256OnDisk } from '../support/kept-bytes.ts';
import { startServer } from '../support/start-server.ts';
import { idOf, textOf, tusClient } from '../support/tus.ts';

const rounds = 6;
const stretchBytes = 512 * 1024;

test('an upload survives kills in the middle of its bytes and at its end, and no byte is lost or doubled', async (context) => {
  let server = await startServer();
  context.after(() => server.stop());
  const { dataFolder } = server;
  const token = await givenOperator(server);
  const bytes = textOf(rounds * 4 * stretchBytes);
  const path = await tusClient(server, token).begin({ 'upload-length': String(bytes.length) });
  let promised = 0;

  const offsetOf = async () => Number((await tusClient(server, token).head(path)).headers.get('upload-offset'));

  for (let round = 0; round < rounds; round += 1) {
    let isDown = false;
    const sender = async () => {
      const tus = tusClient(server, token);
      const from = await offsetOf();
      // Fewer than there are, so that some are left for every round, however slow the machine is.
      for (let offset = from; offset < from + 3 * stretchBytes && !isDown; offset += stretchBytes) {
        const answer = await tus.patch(path, offset, bytes.subarray(offset, offset + stretchBytes));
        assert.equal(answer.status, 204, answer.text);
        promised = Number(answer.headers.get('upload-offset'));
      }
    };
    const sending = sender().catch(() => undefined); // the server goes away
    const before = promised;
    await eventually(
      async () => promised,
      (offset) => offset > before,
    );
    await sleep(Math.random() * 20);
    isDown = true;
    await server.kill('SIGKILL');
    await sending;
    assertSound(dataFolder);
    server = await startServer({ dataFolder });
    const offset = await offsetOf();
    assert.ok(offset >= promised, `${promised} bytes were acknowledged, ${offset} are there`);
    promised = Math.max(promised, offset);
  }

  // The last stretch, killed around the moment in which it becomes a file.
  const tus = tusClient(server, token);
  const offset = await offsetOf();
  const last = tus.patch(path, offset, bytes.subarray(offset)).catch(() => undefined);
  await sleep(15);
  await server.kill('SIGKILL');
  await last;
  server = await startServer({ dataFolder });
  const reached = await offsetOf();
  if (reached < bytes.length) assert.equal((await tusClient(server, token).patch(path, reached, bytes.subarray(reached))).status, 204);
  const file = await call(server, 'GET', `/v1/files/${idOf(path)}`, { token });
  assert.deepEqual([file.body.state, file.body.sha256], ['stored', sha256Of(bytes)], file.text);
  assert.equal(sha256OnDisk(server, idOf(path)), sha256Of(bytes));

  const facts = readData(dataFolder, (rows) => rows(`select count(*) as amount from facts where isOwn = 1 and type = 'file.stored'`));
  assert.equal(facts[0]?.amount, 1, 'its fact is there once');
  const usage = readData(dataFolder, (rows) => rows(`select bytes from fileUsage where ownerId = ''`));
  assert.equal(usage[0]?.bytes, bytes.length);
});

test('bytes that were whole when the server was killed become a file at the next start', async (context) => {
  let server = await startServer();
  context.after(() => server.stop());
  const { dataFolder } = server;
  const token = await givenOperator(server);
  const bytes = textOf(4 * stretchBytes);
  let unanswered = 0;
  for (let round = 0; round < 5; round += 1) {
    const tus = tusClient(server, token);
    const paths = await Promise.all(Array.from({ length: 10 }, () => tus.begin({ 'upload-length': String(bytes.length) })));
    const answers = paths.map((path) =>
      tus.patch(path, 0, bytes).then(
        ({ status }) => status,
        () => 0,
      ),
    );
    await Promise.race(answers);
    await server.kill('SIGKILL');
    const statuses = await Promise.all(answers);
    server = await startServer({ dataFolder });
    for (const [index, path] of paths.entries()) {
      const { headers } = await tusClient(server, token).head(path);
      const file = (await call(server, 'GET', `/v1/files/${idOf(path)}`, { token })).body;
      const isFull = headers.get('upload-offset') === String(bytes.length);
      assert.equal(file.state, isFull ? 'stored' : 'expected', 'what looks finished is finished');
      if (statuses[index] === 204) assert.ok(isFull, 'what was acknowledged is there');
      else unanswered += 1;
      if (isFull) assert.equal(sha256OnDisk(server, idOf(path)), sha256Of(bytes));
    }
  }
  assert.ok(unanswered > 0, 'every answer came before the kill: it shows nothing');
});
