import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { test } from 'node:test';
import { fetchBytes } from '../support/file-calls.ts';
import { call, eventually, givenOperator } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { idOf, tusClient } from '../support/tus.ts';

// As much as a file may have by default, on a machine that has far less memory. Writes 4 GiB twice to the disk of temporary files.

const wholeBytes = 4 * 2 ** 30;
/** What a server may have of a machine with 512 MiB. */
const mostRssMib = 400;
const block = Buffer.alloc(4 * 2 ** 20, 'It is the same line again and again.\n');
const lookEveryMs = 100;

const sha256 = (() => {
  const hash = createHash('sha256');
  for (let sent = 0; sent < wholeBytes; sent += block.length) hash.update(block);
  return hash.digest('hex');
})();

/** Looks at the memory of the server until it is stopped; tells the most that it saw. */
const watchMemory = ({ pid }: TestServer) => {
  let mostMib = 0;
  const timer = setInterval(() => {
    const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    mostMib = Math.max(mostMib, Number(kib) / 1024);
  }, lookEveryMs).unref();
  return () => {
    clearInterval(timer);
    return mostMib;
  };
};

/** Sends bytes from `from` on up to `to`, then breaks off where `isCut`. Resolves with the status, undefined where there was none. */
const pour = (
  url: string,
  method: string,
  headers: Record<string, string>,
  { from, to, isCut }: { from: number; to: number; isCut?: boolean },
) =>
  new Promise<{ status: number; body: string } | undefined>((resolve, reject) => {
    const sending = request(url, { method, headers }, async (response) => {
      const body = Buffer.concat(await response.toArray()).toString();
      resolve({ status: response.statusCode ?? 0, body });
    });
    sending.on('error', (error) => (isCut ? resolve(undefined) : reject(error)));
    let at = from;
    const more = () => {
      while (at < to) {
        const start = at % block.length;
        const part = block.subarray(start, Math.min(block.length, start + to - at));
        at += part.length;
        if (!sending.write(part)) return void sending.once('drain', more);
      }
      if (isCut) sending.destroy();
      else sending.end();
    };
    more();
  });

test('a file of 4 GiB is taken as it is, and given out again in its middle, in a fraction of its size of memory', async (context) => {
  const server = await startServer();
  context.after(() => server.stop());
  const token = await givenOperator(server);
  const stopWatching = watchMemory(server);
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'text/plain', 'content-length': String(wholeBytes) };
  const answer = await pour(`${server.url}/v1/files?name=large.txt`, 'POST', headers, { from: 0, to: wholeBytes });
  assert.equal(answer?.status, 201, answer?.body);
  const file = JSON.parse(answer?.body ?? '{}');
  assert.deepEqual([file.size, file.sha256], [wholeBytes, sha256]);
  const range = { range: `bytes=${3 * 2 ** 30}-${3 * 2 ** 30 + 36}` };
  const part = await fetchBytes(server, `/v1/files/${file.id}/content`, { token, headers: range });
  assert.deepEqual([part.status, part.bytes.length], [206, 37]);
  const mostMib = stopWatching();
  context.diagnostic(`at most ${mostMib.toFixed(0)} MiB`);
  assert.ok(mostMib < mostRssMib, `${mostMib} MiB`);
});

test('one that breaks off twice goes on where it stopped, in as little memory', async (context) => {
  const server = await startServer();
  context.after(() => server.stop());
  const token = await givenOperator(server);
  const tus = tusClient(server, token);
  const stopWatching = watchMemory(server);
  const path = await tus.begin({ 'upload-length': String(wholeBytes) });
  const offsetOf = async () => Number((await tus.head(path)).headers.get('upload-offset'));
  const patch = async (to: number, isCut: boolean) => {
    const from = await offsetOf();
    const headers = {
      ...{ authorization: `Bearer ${token}`, 'tus-resumable': '1.0.0', 'content-type': 'application/offset+octet-stream' },
      ...{ 'upload-offset': String(from), 'content-length': String(wholeBytes - from) },
    };
    return await pour(`${server.url}${path}`, 'PATCH', headers, { from, to, isCut });
  };
  for (const to of [1.5 * 2 ** 30, 3 * 2 ** 30]) {
    await patch(to, true);
    // What came before the break is kept; until the server has seen the break, it still waits for more.
    await eventually(offsetOf, (offset) => offset > to - 64 * 2 ** 20);
  }
  assert.equal((await patch(wholeBytes, false))?.status, 204);
  const file = await call(server, 'GET', `/v1/files/${idOf(path)}`, { token });
  assert.deepEqual([file.body.state, file.body.size, file.body.sha256], ['stored', wholeBytes, sha256]);
  const mostMib = stopWatching();
  context.diagnostic(`at most ${mostMib.toFixed(0)} MiB`);
  assert.ok(mostMib < mostRssMib, `${mostMib} MiB`);
});
