import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchange, startSampleServer } from './sample-server.ts';

const problemOf = (answer: string): Record<string, unknown> => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));

const cases: readonly { name: string; request: string; status: number; kind: string }[] = [
  { name: 'what is no HTTP at all', request: 'hello there\r\n\r\n', status: 400, kind: 'bad-request' },
  { name: 'a malformed header', request: 'GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n', status: 400, kind: 'bad-request' },
  {
    name: 'two lengths of a body',
    request: 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
    status: 400,
    kind: 'bad-request',
  },
  {
    name: 'headers over 16 KiB',
    request: `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(17_000)}\r\n\r\n`,
    status: 431,
    kind: 'headers-too-large',
  },
  { name: 'an address over 16 KiB', request: `GET /${'a'.repeat(70_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, status: 414, kind: 'uri-too-long' },
  {
    name: 'an address over 8 KiB',
    request: `GET /${'a'.repeat(9000)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    status: 414,
    kind: 'uri-too-long',
  },
  { name: 'no Host', request: 'GET /v1/version HTTP/1.1\r\nconnection: close\r\n\r\n', status: 400, kind: 'bad-request' },
  {
    name: 'an unknown expectation',
    request: 'GET /v1/version HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n',
    status: 417,
    kind: 'expectation-failed',
  },
  {
    name: 'a malformed chunk',
    request: 'POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    status: 400,
    kind: 'bad-request',
  },
];

for (const { name, request, status, kind } of cases) {
  test(`${name} is answered ${status} with a problem`, async (t) => {
    const { port } = await startSampleServer(t);
    const answer = await exchange(port, [request]);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.match(answer, /content-type: application\/problem\+json\r\n/i);
    assert.match(answer, /x-content-type-options: nosniff\r\n/i);
    const problem = problemOf(answer);
    const [, requestId] = /x-request-id: (\S+)/i.exec(answer) ?? [];
    assert.deepEqual([problem.type, problem.status, problem.instance], [`/problems/${kind}`, status, `urn:request:${requestId}`]);
  });
}

test('headers that come in byte by byte are 408, and so is a connection that says nothing', async (t) => {
  const { port } = await startSampleServer(t, { requestTimeLimitMs: 200 });
  const slow = await exchange(port, ['GET / HTTP/1.1\r\n', ...'host: xxxxxxxxxxxxxxxxxxxxxxxxxxxxx'], { pauseMs: 30 });
  assert.match(slow, /^HTTP\/1\.1 408 [\s\S]*"type":"\/problems\/timeout"/);
  assert.match(await exchange(port, []), /^HTTP\/1\.1 408 /);
});
