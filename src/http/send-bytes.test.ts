import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { markOwnChunks } from '../foundation/own-chunks.ts';
import { Problem, Unavailable } from '../foundation/problem.ts';
import { modifiedDate, onWire, startByteServer, streamOf, type WireAnswer } from './byte-server.fixture.ts';
import { ask } from './sample-server.ts';

const big = randomBytes(300_000);
const small = Buffer.from('The quick brown fox jumps over the lazy dog. '.repeat(20));

const until = async (isSo: () => boolean): Promise<void> => {
  for (let tries = 0; !isSo(); tries += 1) {
    assert.ok(tries < 400, 'it does not become so');
    await sleep(10);
  }
};

const problemIn = ({ body }: WireAnswer): Record<string, unknown> => JSON.parse(body.toString());

test('§9.3.1 GET gives all bytes with what a client needs to know of them', async (t) => {
  for (const content of [small, big]) {
    const server = await startByteServer(t, content);
    const { status, headers, body } = await onWire(server.port);
    assert.equal(status, 200);
    assert.deepEqual(body, content);
    assert.equal(headers.get('content-length'), String(content.length));
    assert.equal(headers.get('transfer-encoding'), undefined);
    assert.equal(headers.get('accept-ranges'), 'bytes');
    assert.equal(headers.get('etag'), server.etag);
    assert.equal(headers.get('last-modified'), modifiedDate);
    assert.equal(headers.get('content-type'), 'text/plain');
    assert.equal(headers.get('content-disposition'), 'attachment; filename="notes.txt"');
    assert.equal(headers.get('cache-control'), 'private, no-cache');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('repr-digest'), undefined);
    assert.deepEqual(server.starts, [{ status: 200, firstByte: 0, bytes: content.length }]);
  }
});

test('what fits in 64 KiB is read at once, more is streamed', async (t) => {
  const server = await startByteServer(t, big);
  await onWire(server.port, { range: 'bytes=0-65535' });
  assert.deepEqual([server.reads, server.opened.length], [1, 0]);
  await onWire(server.port, { range: 'bytes=0-65536' });
  assert.deepEqual([server.reads, server.opened.length], [1, 1]);
});

test('§9.3.2 HEAD has the headers of GET, opens nothing, counts nothing and ignores Range (§14.2)', async (t) => {
  const server = await startByteServer(t, big);
  const { status, headers, body } = await onWire(server.port, { range: 'bytes=0-9', 'want-repr-digest': 'sha-256=1' }, 'HEAD');
  assert.deepEqual([status, body.length, headers.get('content-length')], [200, 0, '300000']);
  assert.equal(headers.get('content-range'), undefined);
  assert.deepEqual([server.opened.length, server.reads, server.starts.length], [0, 0, 0]);
  const got = await onWire(server.port, { 'want-repr-digest': 'sha-256=1' });
  const named = (answer: WireAnswer) => [...answer.headers].filter(([name]) => !['date', 'x-request-id'].includes(name));
  assert.deepEqual(named({ status, headers, body }), named(got));
});

test('no bytes at all are an answer too', async (t) => {
  const server = await startByteServer(t, Buffer.alloc(0));
  assert.equal((await onWire(server.port)).headers.get('content-length'), '0');
  assert.equal((await onWire(server.port, { range: 'bytes=-5' })).status, 200);
  const { status, headers } = await onWire(server.port, { range: 'bytes=0-' });
  assert.deepEqual([status, headers.get('content-range')], [416, 'bytes */0']);
});

test('§15.3.7.1 a range is 206 with its place, from small and from big', async (t) => {
  const server = await startByteServer(t, big);
  for (const [range, first, last] of [
    ['bytes=10-19', 10, 19],
    ['bytes=-5', 299_995, 299_999],
    ['bytes=299999-', 299_999, 299_999],
    ['bytes=100-200000', 100, 200_000],
    ['bytes=0-', 0, 299_999],
    ['bytes=0-10,5-20', 0, 20],
  ] as const) {
    const { status, headers, body } = await onWire(server.port, { range });
    assert.deepEqual([status, headers.get('content-range')], [206, `bytes ${first}-${last}/300000`], range);
    assert.equal(headers.get('content-length'), String(last - first + 1));
    assert.deepEqual(body, big.subarray(first, last + 1));
    assert.equal(headers.get('etag'), server.etag);
    assert.deepEqual(server.starts.at(-1), { status: 206, firstByte: first, bytes: last - first + 1 });
  }
});

/** The parts of a multipart answer, read as RFC 2046 §5.1 has it. */
const partsOf = ({ headers, body }: WireAnswer) => {
  const [, boundary = ''] = /^multipart\/byteranges; boundary=(\S+)$/.exec(headers.get('content-type') ?? '') ?? [];
  const pieces = `\r\n${body.toString('latin1')}`.replace(/^\r\n\r\n/, '\r\n').split(`\r\n--${boundary}`);
  assert.equal(pieces.shift(), '');
  assert.equal(pieces.pop(), '--\r\n');
  return pieces.map((piece) => {
    const end = piece.indexOf('\r\n\r\n');
    return { head: piece.slice(2, end), bytes: Buffer.from(piece.slice(end + 4), 'latin1') };
  });
};

test('§15.3.7.2 several ranges are one multipart answer, in the order asked for, of the length that it says', async (t) => {
  const server = await startByteServer(t, big);
  const answer = await onWire(server.port, { range: 'bytes=200000-299999,0-9,1000-1009,999999-' });
  assert.equal(answer.status, 206);
  assert.equal(answer.headers.get('content-range'), undefined);
  assert.equal(answer.headers.get('content-length'), String(answer.body.length));
  assert.deepEqual(partsOf(answer), [
    { head: 'Content-Type: text/plain\r\nContent-Range: bytes 200000-299999/300000', bytes: big.subarray(200_000) },
    { head: 'Content-Type: text/plain\r\nContent-Range: bytes 0-9/300000', bytes: big.subarray(0, 10) },
    { head: 'Content-Type: text/plain\r\nContent-Range: bytes 1000-1009/300000', bytes: big.subarray(1000, 1010) },
  ]);
  assert.deepEqual(server.starts, [{ status: 206, firstByte: 0, bytes: 100_020 }]);
  const sixteen = Array.from({ length: 16 }, (_, index) => `${index * 1000}-${index * 1000}`).join(',');
  assert.equal(partsOf(await onWire(server.port, { range: `bytes=${sixteen}` })).length, 16);
  assert.ok(server.opened.every(({ destroyed }) => destroyed));
});

test('§15.5.17 a range without bytes is 416 and tells how many there are; nonsense gets the whole', async (t) => {
  const server = await startByteServer(t, small);
  const answer = await onWire(server.port, { range: 'bytes=900-' });
  assert.deepEqual([answer.status, answer.headers.get('content-range')], [416, 'bytes */900']);
  assert.deepEqual([problemIn(answer).type, problemIn(answer).size], ['/problems/bad-range', 900]);
  assert.deepEqual([server.reads, server.starts.length], [0, 0]);
  for (const range of ['lines=0-1', 'bytes=5-4', 'bytes=x']) {
    const { status, body } = await onWire(server.port, { range });
    assert.deepEqual([status, body.length], [200, 900], range);
  }
  assert.equal((await ask(server.address, { headers: { range: 'bytes=9-9' } })).text, small.toString()[9]);
});

test('§14.2 preconditions come before ranges, and If-Range gives the whole of another state', async (t) => {
  const server = await startByteServer(t, small);
  const statusOf = async (headers: Record<string, string>) => (await onWire(server.port, { range: 'bytes=0-9', ...headers })).status;
  assert.equal(await statusOf({ 'if-range': server.etag }), 206);
  assert.equal(await statusOf({ 'if-range': modifiedDate }), 206);
  assert.equal(await statusOf({ 'if-range': '"other"' }), 200);
  assert.equal(await statusOf({ 'if-range': `W/${server.etag}` }), 200);
  assert.equal(await statusOf({ 'if-range': '"other"', range: 'bytes=900-' }), 200);
  assert.equal(await statusOf({ 'if-none-match': server.etag, range: 'bytes=900-' }), 304);
  assert.equal(await statusOf({ 'if-match': '"other"', range: 'bytes=900-' }), 412);
});

test('§15.4.5 304 opens nothing, and renews in a cache what it keeps beside the bytes', async (t) => {
  const server = await startByteServer(t, big, { type: 'image/png', disposition: 'inline' });
  const got = await onWire(server.port);
  for (const method of ['GET', 'HEAD']) {
    const { status, headers, body } = await onWire(server.port, { 'if-none-match': `"x", W/${server.etag}` }, method);
    assert.deepEqual([status, body.length, headers.get('content-type')], [304, 0, undefined]);
    for (const name of ['etag', 'cache-control', 'content-security-policy', 'cross-origin-resource-policy'])
      assert.equal(headers.get(name), got.headers.get(name), name);
  }
  assert.equal(server.starts.length, 1);
});

test('§15.5.13 412 names the state that is there', async (t) => {
  const server = await startByteServer(t, small);
  const answer = await onWire(server.port, { 'if-match': '"other"' });
  assert.deepEqual([answer.status, answer.headers.get('etag')], [412, server.etag]);
  assert.equal(problemIn(answer).type, '/problems/precondition-failed');
  assert.equal(server.starts.length, 0);
});

test('RFC 9530: the digest of the whole is there on request, also beside a part of it', async (t) => {
  const server = await startByteServer(t, small);
  const wanted = `sha-256=:${Buffer.from(server.sha256, 'hex').toString('base64')}:`;
  for (const range of ['bytes=0-1', 'none']) {
    const { headers } = await onWire(server.port, { range, 'want-repr-digest': 'sha-512=5, sha-256=3' });
    assert.equal(headers.get('repr-digest'), wanted);
  }
});

test('what a browser could run is an attachment in a sandbox, whatever was asked for', async (t) => {
  for (const type of ['text/html', 'image/svg+xml', 'application/xhtml+xml', 'text/xml', 'TEXT/HTML; charset=utf-8', 'application/json']) {
    const { headers } = await onWire((await startByteServer(t, small, { type, disposition: 'inline' })).port);
    assert.match(headers.get('content-disposition') ?? '', /^attachment;/, type);
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'; sandbox;/);
  }
  for (const type of ['image/png', 'video/mp4', 'text/plain; charset=utf-8']) {
    const { headers } = await onWire((await startByteServer(t, small, { type, disposition: 'inline' })).port);
    assert.match(headers.get('content-disposition') ?? '', /^inline;/, type);
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none';.* sandbox/);
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
  }
});

test('bytes for every site may be shown by other pages', async (t) => {
  const { headers } = await onWire((await startByteServer(t, small, { isForEverySite: true, cacheControl: 'public, max-age=1' })).port);
  assert.equal(headers.get('cross-origin-resource-policy'), 'cross-origin');
  assert.equal(headers.get('x-frame-options'), undefined);
  assert.equal(headers.get('cache-control'), 'public, max-age=1');
});

/** No header of the bytes may stand on a refusal. */
const assertPlainProblem = (answer: WireAnswer, status: number, kind: string) => {
  assert.deepEqual([answer.status, problemIn(answer).type], [status, `/problems/${kind}`]);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  assert.equal(answer.headers.get('content-length'), String(answer.body.length));
  for (const name of ['etag', 'content-disposition', 'content-range', 'accept-ranges', 'last-modified'])
    assert.equal(answer.headers.get(name), undefined, name);
};

test('what fails before the first byte is a refusal like any other: at opening, and in the stream', async (t) => {
  const away = () => Promise.reject(new Unavailable('the store is away'));
  const missing = () => Promise.reject(new Problem('not-found', 'The bytes are gone.'));
  for (const range of ['none', 'bytes=0-99999', 'bytes=0-99999,200000-299999']) {
    assertPlainProblem(await onWire((await startByteServer(t, big, { open: away })).port, { range }), 503, 'unavailable');
    assertPlainProblem(await onWire((await startByteServer(t, big, { open: missing })).port, { range }), 404, 'not-found');
    const lazy = async () => createReadStream('/nowhere/at/all');
    const server = await startByteServer(t, big, { open: lazy });
    assertPlainProblem(await onWire(server.port, { range }), 500, 'internal');
    const empty = async () => Readable.from([]);
    assertPlainProblem(await onWire((await startByteServer(t, big, { open: empty })).port, { range }), 500, 'internal');
    assert.equal(server.starts.length, 0);
  }
  assertPlainProblem(await onWire((await startByteServer(t, small, { read: away })).port), 503, 'unavailable');
  assertPlainProblem(await onWire((await startByteServer(t, small, { read: async () => small.subarray(1) })).port), 500, 'internal');
});

test('whoever counts may refuse when the bytes are at hand, and they are closed again', async (t) => {
  const onStart = async () => {
    throw new Problem('gone', 'It was fetched as often as it may be.');
  };
  const server = await startByteServer(t, big, { onStart });
  for (const range of ['none', 'bytes=0-99999,200000-299999']) assertPlainProblem(await onWire(server.port, { range }), 410, 'gone');
  await until(() => server.opened.length === 2 && server.opened.every(({ destroyed }) => destroyed));
});

const brokenSources: Record<string, (content: Buffer) => Readable> = {
  'fails in the middle': (content) =>
    Readable.from(
      (async function* () {
        yield content.subarray(0, 100_000);
        throw new Error('the disk broke');
      })(),
      { objectMode: false },
    ),
  'ends too early': (content) => streamOf(content.subarray(0, 100_000)),
  'gives too much': (content) => streamOf(Buffer.concat([content, content])),
};

for (const [name, open] of Object.entries(brokenSources)) {
  test(`a source that ${name} cuts the connection, so that nobody takes what came for the whole`, async (t) => {
    const server = await startByteServer(t, big, { open: async () => open(big) });
    await assert.rejects(fetch(server.address).then((response) => response.arrayBuffer()));
    await until(() => server.log.lines.some(({ message }) => message === 'request.handled'));
    const handled = server.log.lines.filter(({ message }) => message === 'request.handled');
    assert.deepEqual(
      handled.map(({ status, isCutOff }) => [status, isCutOff]),
      [[200, true]],
    );
    assert.equal(server.log.lines.find(({ message }) => message === 'answer.cut-off')?.level, 'warn');
    assert.equal((await ask(`${server.url}/v1/version`)).status, 200);
  });
}

/** Opens a request, and hangs up as soon as the first bytes of the answer are there. */
const leaveAfterFirstBytes = (port: number, lines = ''): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`GET /v1/bytes HTTP/1.1\r\nhost: x\r\n${lines}\r\n`));
    socket.on('error', () => undefined);
    socket.once('data', () => socket.destroy());
    socket.once('close', () => resolve());
  });

const fileOf = (t: TestContext, bytes: number): string => {
  const folder = mkdtempSync(join(tmpdir(), 'bytes-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'blob'), Buffer.alloc(bytes, 'x'));
  return join(folder, 'blob');
};

test('a client that vanishes leaves no file open, and stands in the log', { skip: process.platform !== 'linux' }, async (t) => {
  const size = 32 * 1024 * 1024;
  const path = fileOf(t, size);
  const open = async (range?: { first: number; last: number }) =>
    createReadStream(path, { start: range?.first ?? 0, end: range?.last ?? size - 1, highWaterMark: 256 * 1024 });
  const server = await startByteServer(t, Buffer.alloc(0), { size, open });
  const openFiles = () => readdirSync('/proc/self/fd').length;
  closeSync(openSync(path, 'r'));
  await leaveAfterFirstBytes(server.port);
  await until(() => server.log.lines.some(({ isCutOff }) => isCutOff === true));
  const before = openFiles();
  const several = 'range: bytes=0-20000000,20001000-30000000\r\n';
  await Promise.all(Array.from({ length: 20 }, (_, index) => leaveAfterFirstBytes(server.port, index % 2 === 0 ? '' : several)));
  await until(() => openFiles() <= before);
  await until(() => server.log.lines.filter(({ isCutOff }) => isCutOff === true).length === 21);
  assert.equal(server.starts.length, 21);
  assert.ok(!server.log.lines.some(({ level }) => level === 'warn' || level === 'error'));
});

test('a client that leaves before the bytes are at hand is not counted, and what comes late is closed', async (t) => {
  const { promise: late, resolve: comeLate } = Promise.withResolvers<void>();
  const opened: Readable[] = [];
  const open = async () => {
    await late;
    opened.push(streamOf(big));
    return opened[0] ?? streamOf(big);
  };
  const server = await startByteServer(t, big, { open });
  const socket = connect(server.port, '127.0.0.1', () => socket.write('GET /v1/bytes HTTP/1.1\r\nhost: x\r\n\r\n'));
  await sleep(50);
  socket.destroy();
  await sleep(50);
  comeLate();
  await until(() => opened[0]?.destroyed === true && server.log.lines.some(({ isCutOff }) => isCutOff === true));
  assert.equal(server.starts.length, 0);
});

test('a store that opens and gives nothing is closed when the client leaves', async (t) => {
  const silent = new Readable({ read() {} });
  const server = await startByteServer(t, big, { open: async () => silent });
  const socket = connect(server.port, '127.0.0.1', () => socket.write('GET /v1/bytes HTTP/1.1\r\nhost: x\r\n\r\n'));
  await sleep(50);
  socket.destroy();
  await until(() => silent.destroyed);
  assert.equal(server.starts.length, 0);
});

test('a store that is silent is 503 after a while, and what it gives later is closed', async (t) => {
  const { promise: late, resolve: comeLate } = Promise.withResolvers<void>();
  const stream = streamOf(big);
  const silent = new Readable({ read() {} });
  const opens = [async () => silent, async () => late.then(() => stream)];
  for (const open of opens) {
    const server = await startByteServer(t, big, { open }, { openingMs: 50 });
    assertPlainProblem(await onWire(server.port), 503, 'unavailable');
    assert.equal(server.starts.length, 0);
  }
  comeLate();
  await until(() => silent.destroyed && stream.destroyed);
});

test('a client that takes nothing is given up', async (t) => {
  const huge = Buffer.alloc(32 * 1024 * 1024, 'x');
  const server = await startByteServer(t, huge, {}, { stallMs: 300 });
  const socket = connect(server.port, '127.0.0.1', () => socket.write('GET /v1/bytes HTTP/1.1\r\nhost: x\r\n\r\n'));
  socket.pause().on('error', () => undefined);
  t.after(() => socket.destroy());
  await until(() => server.opened[0]?.destroyed === true && server.log.lines.some(({ isCutOff }) => isCutOff === true));
});

test('a slow client gets every byte, though the memory of what has left is given back at once', async (t) => {
  const content = randomBytes(6 * 1024 * 1024);
  const chunks: Buffer[] = [];
  const open = async () => {
    const read = function* () {
      for (let at = 0; at < content.length; at += 256 * 1024) {
        const chunk = Buffer.allocUnsafeSlow(256 * 1024);
        content.copy(chunk, 0, at);
        chunks.push(chunk);
        yield chunk;
      }
    };
    return markOwnChunks(Readable.from(read(), { objectMode: false }));
  };
  const server = await startByteServer(t, content, { open });
  const answers = Array.from({ length: 4 }, async () => {
    const response = await fetch(server.address);
    await sleep(100); // until the connection is full
    return createHash('sha256')
      .update(Buffer.from(await response.arrayBuffer()))
      .digest('hex');
  });
  for (const answer of answers) assert.equal(await answer, server.sha256);
  await until(() => chunks.every(({ byteLength }) => byteLength === 0));

  const socket = connect(server.port, '127.0.0.1', () => socket.write('GET /v1/bytes HTTP/1.1\r\nhost: x\r\n\r\n'));
  socket.once('data', () => socket.pause());
  await sleep(100);
  const isHeldBack = chunks.length < 5 * 24;
  socket.destroy();
  assert.ok(isHeldBack, 'no more is read than the client takes');
  await until(() => server.log.lines.some(({ isCutOff }) => isCutOff === true));
});

test('several answers go over one connection, each of its own length', async (t) => {
  const server = await startByteServer(t, big);
  for (let turn = 0; turn < 3; turn += 1) {
    assert.equal((await (await fetch(server.address)).arrayBuffer()).byteLength, big.length);
    assert.equal((await ask(server.address, { headers: { range: 'bytes=0-70000' } })).status, 206);
  }
  assert.ok(server.log.lines.filter(({ message }) => message === 'request.handled').every(({ isCutOff }) => isCutOff === undefined));
});

test('the API document names what such a route answers, and its HEAD stands in Allow', async (t) => {
  const server = await startByteServer(t, small);
  const { paths } = JSON.parse((await ask(`${server.url}/openapi.json`)).text);
  const { responses } = paths['/v1/bytes'].get;
  for (const status of ['200', '206', '304', '412', '416']) assert.ok(responses[status], status);
  assert.deepEqual(Object.keys(responses['206'].content), ['*/*']);
  assert.ok(responses['206'].headers['Content-Range'] && responses['416'].headers['Content-Range']);
  assert.equal(responses['304'].content, undefined);
  assert.equal((await ask(server.address, { method: 'PUT' })).headers.get('allow'), 'GET, HEAD');
});

test('whoever counts what was sent is told when an answer is over, also of one that was cut off', async (t) => {
  const ends: number[] = [];
  const huge = Buffer.alloc(64 * 2 ** 20, 'a');
  const server = await startByteServer(t, huge, { onEnd: (sentBytes) => void ends.push(sentBytes) });
  await onWire(server.port, {}, 'HEAD');
  await onWire(server.port, { range: 'bytes=0-9' });
  await onWire(server.port, { range: 'bytes=1-200000' });
  await onWire(server.port, { range: `bytes=${huge.length}-` });
  await until(() => ends.length === 2);
  assert.deepEqual(ends, [10, 200_000]);

  const socket = connect(server.port, '127.0.0.1', () => socket.write('GET /v1/bytes HTTP/1.1\r\nhost: x\r\n\r\n'));
  socket.on('error', () => undefined);
  socket.once('data', () => socket.destroy());
  await until(() => ends.length === 3);
  assert.ok((ends[2] ?? huge.length) < huge.length / 2, `${ends[2]}`);
});
