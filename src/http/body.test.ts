import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Type } from '../foundation/schema.ts';
import { formMediaType, readForm } from './form-body.ts';
import { ask, exchange, startSampleServer } from './sample-server.ts';
import { bodyStream, takeBodiesAsStreams } from './stream-body.ts';

const json = { 'content-type': 'application/json' };
const post = (url: string, body: string | Buffer<ArrayBuffer>, headers: Record<string, string> = json) =>
  ask(url, { method: 'POST', body, headers });

test('broken JSON is refused with the position where it breaks', async (t) => {
  const { url } = await startSampleServer(t);
  const { status, json: problem } = await post(`${url}/v1/echo`, '{"a": 1,\n "b": nope}');
  assert.deepEqual([status, problem.type, problem.position], [400, '/problems/bad-json', 15]);
  assert.match(String(problem.detail), /position 15 \(line 2, column 7\) a value is missing/);
});

test('JSON may be nested 32 deep, and no deeper', async (t) => {
  const { url } = await startSampleServer(t);
  assert.equal((await post(`${url}/v1/echo`, '['.repeat(32) + ']'.repeat(32))).status, 200);
  const { status, json: problem } = await post(`${url}/v1/echo`, '['.repeat(33) + ']'.repeat(33));
  assert.deepEqual([status, problem.type], [400, '/problems/bad-json']);
  assert.equal((await post(`${url}/v1/echo`, '['.repeat(500_000))).status, 400);
});

test('bytes that are not UTF-8 are refused; a byte order mark is let pass', async (t) => {
  const { url } = await startSampleServer(t);
  assert.equal((await post(`${url}/v1/echo`, Buffer.from([0x22, 0xff, 0x22]))).json.type, '/problems/bad-json');
  assert.deepEqual((await post(`${url}/v1/echo`, '\ufeff{"a":1}')).json.body, { a: 1 });
});

test('the text of a body is kept as it came: numbers, escapes, spaces', async (t) => {
  const { url } = await startSampleServer(t);
  const text = '{"n": 12345678901234567890, "price": 1.10, "s": "\\u00e9"}';
  assert.equal((await post(`${url}/v1/echo`, text)).json.text, text);
});

test('__proto__ in a body is a member like any other', async (t) => {
  const { url } = await startSampleServer(t);
  const { status } = await post(`${url}/v1/echo`, '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}');
  assert.equal(status, 200);
  assert.equal(({} as Record<string, unknown>).polluted, undefined);
  const refused = await ask(`${url}/v1/payments`, {
    method: 'POST',
    as: 'sender',
    body: '{"kind":"payment","data":{"amount":1},"__proto__":{"x":1}}',
    headers: json,
  });
  assert.deepEqual(refused.json.errors, [{ in: 'body', at: '/__proto__', why: 'is not known here' }]);
});

test('another content type is refused with a list of those that are taken', async (t) => {
  const { url } = await startSampleServer(t);
  for (const type of ['text/plain', 'application/xml', 'application/cloudevents+json', 'application/json; charset=latin1', 'nonsense']) {
    const { status, json: problem } = await post(`${url}/v1/echo`, '{}', { 'content-type': type });
    assert.deepEqual([status, problem.type], [415, '/problems/unsupported-type'], type);
  }
  assert.match(
    String((await post(`${url}/v1/lines`, 'x', { 'content-type': 'text/csv' })).json.detail),
    /application\/json, application\/x-ndjson/,
  );
  assert.equal((await post(`${url}/v1/echo`, '{}', { 'content-type': 'Application/JSON; charset="UTF-8"' })).status, 200);
  assert.equal((await post(`${url}/v1/echo`, '{}', { ...json, 'content-encoding': 'gzip' })).status, 415);
});

test('a body without a content type is refused', async (t) => {
  const { port } = await startSampleServer(t);
  const answer = await exchange(port, ['POST /v1/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}']);
  assert.match(answer, /^HTTP\/1\.1 415 /);
});

test('PATCH also takes a merge patch', async (t) => {
  const { url } = await startSampleServer(t);
  const headers = { 'content-type': 'application/merge-patch+json' };
  assert.deepEqual((await ask(`${url}/v1/things/1`, { method: 'PATCH', body: '{"a":null}', headers })).json, { a: null });
});

test('an empty body is none, whatever its type', async (t) => {
  const { url } = await startSampleServer(t);
  assert.deepEqual((await post(`${url}/v1/echo`, '')).json, { body: null, text: null });
  const { status, json: problem } = await ask(`${url}/v1/payments`, { method: 'POST', as: 'sender', body: '', headers: json });
  assert.deepEqual([status, problem.errors], [400, [{ in: 'body', at: '', why: 'must be an object' }]]);
});

test('a body over the limit is refused before it is sent, and the refusal can be read', async (t) => {
  const { port } = await startSampleServer(t, { bodyLimitBytes: 1000 });
  const answer = await exchange(port, [
    'POST /v1/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: 1001\r\n\r\n',
  ]);
  assert.match(answer, /^HTTP\/1\.1 413 [\s\S]*"type":"\/problems\/too-large"[\s\S]*"limit":1000/);
});

test('a chunked body is counted while it comes in', async (t) => {
  const { port } = await startSampleServer(t, { bodyLimitBytes: 1000 });
  const chunk = `190\r\n${' '.repeat(400)}\r\n`;
  const head =
    'POST /v1/echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n';
  const answer = await exchange(port, [head, chunk, chunk, chunk, chunk], { pauseMs: 20 });
  assert.match(answer, /^HTTP\/1\.1 413 /);
  assert.match(await exchange(port, [head, chunk, '2\r\n{}\r\n0\r\n\r\n']), /^HTTP\/1\.1 200 /);
});

test('the connection stays usable after a refused body that came in whole', async (t) => {
  const { port } = await startSampleServer(t);
  const request = (body: string, more = '') =>
    `POST /v1/echo HTTP/1.1\r\nhost: x\r\n${more}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  const answer = await exchange(port, [request('{'), request('{}', 'connection: close\r\n')], { pauseMs: 50 });
  assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*HTTP\/1\.1 200 /);
});

test('a body that comes in byte by byte is 408, and the connection ends', async (t) => {
  const { port } = await startSampleServer(t, { requestTimeLimitMs: 150 });
  const head = 'POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n';
  const answer = await exchange(port, [head, ...' '.repeat(50)], { pauseMs: 20 });
  assert.match(answer, /^HTTP\/1\.1 408 [\s\S]*connection: close[\s\S]*"type":"\/problems\/timeout"/i);
});

test('a form that comes in byte by byte is 408 as well, although it never stalls', async (t) => {
  const { port } = await startSampleServer(t, { requestTimeLimitMs: 300 }, (app) => {
    const schema = { summary: 'Send a form', consumes: [formMediaType], response: { 200: Type.Unknown() } };
    app.post('/form', { config: { access: 'public' }, schema }, async (request) => [...(await readForm(request)).keys()]);
  });
  const head = 'POST /form HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ';
  assert.match(await exchange(port, [`${head}3\r\n\r\na=b`]), /^HTTP\/1\.1 200 [\s\S]*\["a"\]$/);
  const slow = await exchange(port, [`${head}50\r\n\r\n`, ...'a'.repeat(50)], { pauseMs: 20 });
  assert.match(slow, /^HTTP\/1\.1 408 [\s\S]*"type":"\/problems\/timeout"/);
});

test('a body that is cut off leaves the server well', async (t) => {
  const { url, port } = await startSampleServer(t);
  const head = 'POST /v1/echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a":';
  await exchange(port, [head], { pauseMs: 20, isEnding: true });
  await exchange(port, [head.replace('application/json', 'application/x-ndjson').replace('echo', 'lines')], {
    pauseMs: 20,
    isEnding: true,
  });
  assert.equal((await ask(`${url}/v1/version`)).status, 200);
});

test('a streamed body that is cut off before anybody reads it leaves the server well', async (t) => {
  const { url, port } = await startSampleServer(t);
  const head = 'POST /v1/unread HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ncontent-length: 100\r\n\r\n{"a":';
  await exchange(port, [head], { pauseMs: 20, isEnding: true });
  await sleep(150);
  assert.equal((await ask(`${url}/v1/version`)).status, 200);
});

test('a declared type that is not JSON arrives as a stream of any length', async (t) => {
  const { url } = await startSampleServer(t, { bodyLimitBytes: 1000 });
  const { status, json: answer } = await post(`${url}/v1/lines`, '{"a":1}\n'.repeat(100_000), { 'content-type': 'application/x-ndjson' });
  assert.deepEqual([status, answer], [200, { bytes: 800_000 }]);
});

test('a streamed body may take long as long as it flows, and is 408 when it stalls', async (t) => {
  const { port } = await startSampleServer(t, { requestTimeLimitMs: 500 });
  const head =
    'POST /v1/lines HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n';
  const line = '3\r\n{}\n\r\n';
  const flowing = await exchange(port, [head, ...Array.from({ length: 8 }, () => line), '0\r\n\r\n'], { pauseMs: 100 });
  assert.match(flowing, /^HTTP\/1\.1 200 [\s\S]*\{"bytes":24\}/);
  const stalled = await exchange(port, [head, line]);
  assert.match(stalled, /^HTTP\/1\.1 408 [\s\S]*"type":"\/problems\/timeout"/);
});

test('a streamed body that never stalls and hardly moves is 408 as well, however it is measured out', async (t) => {
  const { port } = await startSampleServer(t, { requestTimeLimitMs: 5_000, slowestBody: { bytes: 1_000, ms: 300 } }, (app) => {
    app.register(async (files) => {
      takeBodiesAsStreams(files);
      const config = { access: 'public', takesAnyType: () => true, checksBodyItself: true } as const;
      const schema = { summary: 'Send a file', consumes: ['text/plain'], response: { 200: Type.Unknown() } };
      files.post('/files', { config, schema }, async (request) => {
        let bytes = 0;
        for await (const chunk of bodyStream(request)) bytes += chunk.length;
        return { bytes };
      });
    });
  });
  const head = 'POST /files HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: text/plain\r\n';
  const tooSlow = /^HTTP\/1\.1 408 [\s\S]*more slowly than 1000 bytes in 0\.3 s/;
  const chunk = (bytes: number) => `${bytes.toString(16)}\r\n${'a'.repeat(bytes)}\r\n`;
  const chunked = `${head}transfer-encoding: chunked\r\n\r\n`;
  const many = (piece: string) => Array.from({ length: 12 }, () => piece);
  assert.match(await exchange(port, [chunked, ...many(chunk(1))], { pauseMs: 50 }), tooSlow);
  assert.match(await exchange(port, [`${head}content-length: 50\r\n\r\n`, ...many('a')], { pauseMs: 50 }), tooSlow);
  const fast = await exchange(port, [chunked, ...many(chunk(600)), '0\r\n\r\n'], { pauseMs: 50 });
  assert.match(fast, /^HTTP\/1\.1 200 [\s\S]*\{"bytes":7200\}/);
});

test('a body that nobody reads does not hold the connection for ever', async (t) => {
  const { port } = await startSampleServer(t, { requestTimeLimitMs: 200 });
  const endless = 'POST /v1/payments HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{';
  const answer = await exchange(port, [endless]);
  assert.match(answer, /^HTTP\/1\.1 401 /);
});
