import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { Problem } from '../foundation/problem.ts';
import { Type } from '../foundation/schema.ts';
import { createFormParts } from './form-parts.ts';
import { type MultipartFile, multipartMediaType, readMultipart } from './multipart-body.ts';
import { ask, exchange, startSampleServer } from './sample-server.ts';

const rules = { fields: ['title', 'language', 'roles'], repeatable: ['roles'], fileField: 'file', maxFieldBytes: 1000, maxFields: 5 };

/** A server that takes forms at /form, and what became of them there. */
const startFormServer = async (
  context: TestContext,
  take: (file: MultipartFile) => Promise<string> = async ({ body }) => Buffer.concat(await body.toArray()).toString('latin1'),
) => {
  const seen = { taken: 0, dropped: 0, failed: [] as unknown[] };
  const server = await startSampleServer(context, { requestTimeLimitMs: 1000 }, (app) => {
    const schema = { summary: 'Send a form', consumes: [multipartMediaType], response: { 200: Type.Unknown() } };
    app.post('/form', { config: { access: 'public' }, schema }, async (request) => {
      const { fields, file } = await readMultipart(request, rules, {
        async take(one) {
          try {
            const content = await take(one);
            seen.taken += 1;
            return { content, name: one.name, type: one.type };
          } catch (error) {
            seen.failed.push(error);
            throw error;
          }
        },
        async drop() {
          seen.dropped += 1;
        },
      });
      return { fields: Object.fromEntries(fields), file: file?.taken };
    });
  });
  const post = (body: string | Buffer<ArrayBuffer>, type = 'multipart/form-data; boundary=b') =>
    ask(`${server.url}/form`, { method: 'POST', body, headers: { 'content-type': type } });
  return { ...server, seen, post };
};

const part = (disposition: string, content: string, more = '') =>
  `--b\r\nContent-Disposition: form-data; ${disposition}\r\n${more}\r\n${content}\r\n`;
const file = (content = 'bytes') => part('name="file"; filename="a.txt"', content, 'Content-Type: text/plain\r\n');
const title = part('name="title"', 'Hello');
const end = '--b--\r\n';
const head = 'POST /form HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\n';

suite('a form with a file', { timeout: 60_000 }, () => {
  test('has its fields before or behind the file, and those that may repeat in the order given', async (context) => {
    const { post } = await startFormServer(context);
    const roles = part('name="roles"', 'a') + part('name=roles', 'b/c');
    for (const body of [title + roles + file() + end, file() + title + roles + end, roles + file() + title + end]) {
      const { status, json } = await post(body);
      assert.equal(status, 200, JSON.stringify(json));
      assert.deepEqual(json.fields, { title: ['Hello'], roles: ['a', 'b/c'] });
      assert.deepEqual(json.file, { content: 'bytes', name: 'a.txt', type: 'text/plain' });
    }
  });

  test('may be without the file, or have an empty one: both can be told', async (context) => {
    const { post, seen } = await startFormServer(context);
    assert.deepEqual((await post(title + end)).json, { fields: { title: ['Hello'] } });
    assert.deepEqual((await post(end)).json, { fields: {} });
    assert.equal(seen.taken, 0);
    assert.deepEqual((await post(part('name="file"; filename=""', '') + end)).json, { fields: {}, file: { content: '' } });
  });

  test('is refused where a part is unknown, comes twice or is not text, with its name; what was taken is undone', async (context) => {
    const { post, seen } = await startFormServer(context);
    const cases: [string, string, number][] = [
      [part('name="owner"', 'x'), '/owner', 0],
      [file() + part('name="own/er"', 'x'), '/own~1er', 1],
      [file() + file(), '/file', 1],
      [title + file() + title, '/title', 1],
    ];
    for (const [body, at, dropped] of cases) {
      const before = seen.dropped;
      const { status, json } = await post(body + end);
      assert.equal(status, 400, body);
      assert.equal((json.errors as { at: string }[])[0]?.at, at);
      assert.equal(seen.dropped - before, dropped);
    }
    const { status } = await post(
      Buffer.concat([
        Buffer.from('--b\r\nContent-Disposition: form-data; name="title"\r\n\r\n'),
        Buffer.from([0xff]),
        Buffer.from(`\r\n${end}`),
      ]),
    );
    assert.equal(status, 400);
  });

  test('is refused where a field is giant, or there are too many of them', async (context) => {
    const { post, seen } = await startFormServer(context);
    const { status, json } = await post(file() + part('name="title"', 'x'.repeat(1001)) + end);
    assert.deepEqual([status, json.type, json.limit, seen.dropped], [413, '/problems/too-large', 1000, 1]);
    assert.equal((await post(part('name="title"', 'x'.repeat(1000)) + end)).status, 200);
    assert.equal((await post(part('name="roles"', 'x').repeat(6) + end)).status, 400);
    assert.equal((await post(`--b\r\n${'x'.repeat(20_000)}\r\n\r\n${end}`)).status, 400);
    assert.equal((await post(`--b\r\n${'a: b\r\n'.repeat(40)}\r\n\r\n${end}`)).status, 400);
  });

  test('is refused where it is malformed, and nothing is kept', async (context) => {
    const { post, seen } = await startFormServer(context);
    const bodies: Record<string, string> = {
      'no body': '',
      'no boundary': 'hello',
      'another boundary': (title + file() + end).replaceAll('--b', '--c'),
      'no end': title + file(),
      'no end in the file': title + file().slice(0, -3),
      'no end in the headers': '--b\r\nContent-Disposition: form-',
      'a boundary that goes on': `${file()}--boundary\r\n`,
      'a long preamble': 'x'.repeat(20_000) + file() + end,
      'a long epilogue': file() + end + 'x'.repeat(20_000),
      'no headers': '--b\r\n\r\nx\r\n--b--',
      'no name': part('filename="x"', 'x') + end,
      'two names': part('name="title"; name="file"', 'x') + end,
      'a header twice': part('name="title"', 'x', 'Content-Disposition: form-data; name="file"\r\n') + end,
      'another disposition': '--b\r\nContent-Disposition: attachment; name="file"\r\n\r\nx\r\n--b--\r\n',
      'an open quote': part('name="title', 'x') + end,
      base64: part('name="file"', 'eA==', 'Content-Transfer-Encoding: base64\r\n') + end,
      'a broken filename*': part(`name="file"; filename*=UTF-8''%ff`, 'x') + end,
    };
    for (const [what, body] of Object.entries(bodies)) {
      const { status, json } = await post(body);
      assert.deepEqual([status, json.type], [400, '/problems/bad-request'], what);
    }
    assert.equal(seen.taken, seen.dropped);
    for (const type of ['multipart/form-data', 'multipart/form-data; boundary=', `multipart/form-data; boundary=${'x'.repeat(71)}`])
      assert.equal((await post(file() + end, type)).status, 400, type);
    assert.equal((await post(file() + end, 'multipart/mixed; boundary=b')).status, 415);
    assert.equal((await post(file() + end, 'Multipart/Form-Data; charset=utf-8; boundary="b"')).status, 200);
  });

  test('may have a preamble, an epilogue, padding behind its boundary, and what looks like a boundary in the file', async (context) => {
    const { post } = await startFormServer(context);
    const content = '\r\n--\r\n-\r\n--a\r--b\n--b\r\n\r\n';
    const { json } = await post(`hello\r\n${file(content).replace('--b\r\n', '--b \t\r\n')}${end}bye`);
    assert.equal((json.file as { content: string }).content, content);
  });

  test('gives file names as they were meant: UTF-8, quotes, paths, percent signs, filename*', async (context) => {
    const { post } = await startFormServer(context);
    const names: Record<string, string> = {
      'filename="Übung 日本.txt"': 'Übung 日本.txt',
      'filename="a%22b%0D%0Ac%20%41.txt"': 'a"b\r\nc%20%41.txt',
      'filename="a\\"b.txt"': 'a"b.txt',
      'filename="C:\\Users\\me\\a.txt"': 'C:\\Users\\me\\a.txt',
      'filename="../../etc/passwd"': '../../etc/passwd',
      'filename="a;b=c.txt"': 'a;b=c.txt',
      'filename=plain.txt': 'plain.txt',
      'filename="x.txt"; filename*=UTF-8\'\'%e2%82%ac%20rates.txt': '€ rates.txt',
      "filename*=iso-8859-1'en'%A3.txt": '£.txt',
    };
    for (const [given, name] of Object.entries(names)) {
      const { json } = await post(part(`name="file"; ${given}`, 'x') + end);
      assert.equal((json.file as { name?: string } | undefined)?.name, name, given);
    }
    const latin = Buffer.from(part('name="file"; filename="\xfc.txt"', 'x') + end, 'latin1');
    assert.equal(((await post(latin)).json.file as { name: string }).name, 'ü.txt');
  });

  test('is sent by fetch and by curl', async (context) => {
    const { url } = await startFormServer(context);
    const bytes = randomBytes(300_000);
    const form = new FormData();
    form.append('title', 'Grüße\r\n');
    form.append('file', new Blob([bytes], { type: 'image/png' }), 'a "b"\\ ü.png');
    form.append('roles', 'x');
    form.append('roles', 'y');
    const { json } = await ask(`${url}/form`, { method: 'POST', body: form });
    assert.deepEqual(json.fields, { title: ['Grüße\r\n'], roles: ['x', 'y'] });
    assert.deepEqual(json.file, { content: bytes.toString('latin1'), name: 'a "b"\\ ü.png', type: 'image/png' });

    const folder = await mkdtemp(join(tmpdir(), 'entrepot-form-'));
    context.after(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'ü b.bin'), bytes);
    const curl = promisify(execFile)('curl', ['-sS', '-F', `file=@${join(folder, 'ü b.bin')}`, '-F', 'title=t', `${url}/form`], {
      maxBuffer: 2e6,
    });
    const told = await curl.catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined; // no curl here
      throw error;
    });
    if (told === undefined) return context.diagnostic('there is no curl here');
    assert.deepEqual(JSON.parse(told.stdout).file, {
      content: bytes.toString('latin1'),
      name: 'ü b.bin',
      type: 'application/octet-stream',
    });
  });

  test('gives the refusal of who takes the file at once, however much is still to come', async (context) => {
    const { port, seen } = await startFormServer(context, async () => {
      throw new Problem('unsupported-type', 'No such files.');
    });
    const began = performance.now();
    const answer = await exchange(port, [`${head}connection: close\r\ncontent-length: 100000000\r\n\r\n${file().slice(0, -2)}`]);
    assert.match(answer, /^HTTP\/1\.1 415 [\s\S]*No such files/);
    assert.ok(performance.now() - began < 900);
    assert.equal(seen.dropped, 0);
  });

  test('whose client vanishes or stalls fails for who takes the file', async (context) => {
    const { port, seen } = await startFormServer(context);
    await exchange(port, [`${head}content-length: 1000\r\n\r\n${file().slice(0, -2)}`], { pauseMs: 20, isEnding: true });
    const socket = connect(port, '127.0.0.1');
    socket.write(`${head}content-length: 1000\r\n\r\n${file().slice(0, -2)}`);
    await delay(100);
    socket.destroy();
    await delay(100);
    assert.equal(seen.failed.length, 2);
    const stalled = await exchange(port, [`${head}connection: close\r\ncontent-length: 1000\r\n\r\n${file().slice(0, -2)}`]);
    assert.match(stalled, /^HTTP\/1\.1 408 /);
    assert.equal(seen.failed.length, 3);
    assert.ok(seen.failed.every((error) => error instanceof Problem));
    assert.deepEqual([seen.taken, seen.dropped], [0, 0]);
    const behind = await exchange(port, [`${head}connection: close\r\ncontent-length: 1000\r\n\r\n${file()}--b`]);
    assert.match(behind, /^HTTP\/1\.1 408 /);
    assert.deepEqual([seen.taken, seen.dropped], [1, 1]);
  });

  test('comes only as fast as the file is taken', async (context) => {
    const going = Promise.withResolvers<void>();
    const { port } = await startFormServer(context, async ({ body }) => {
      await going.promise;
      let size = 0;
      for await (const chunk of body) size += chunk.length;
      return String(size);
    });
    const size = 64 * 1024 * 1024;
    const [before = '', after = ''] = file('|').split('|');
    const socket = connect(port, '127.0.0.1');
    context.after(() => socket.destroy());
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.write(`${head}connection: close\r\ncontent-length: ${before.length + size + after.length + end.length}\r\n\r\n${before}`);
    const chunk = Buffer.alloc(1024 * 1024);
    for (let sent = 0; sent < size; sent += chunk.length) socket.write(chunk);
    socket.end(after + end);
    await delay(300);
    assert.ok(socket.writableLength > size / 2, `only ${socket.writableLength} bytes were held back`);
    going.resolve();
    await new Promise((resolve) => socket.once('close', resolve));
    assert.match(answer, new RegExp(`^HTTP/1\\.1 200 [\\s\\S]*"content":"${size}"`));
  });
});

test('the parts are the same wherever the chunks of a form begin and end', { timeout: 60_000 }, async () => {
  const read = async (chunks: readonly Buffer[]) => {
    const parts = createFormParts(
      (async function* () {
        yield* chunks;
      })(),
      'b',
    );
    const all: [string, string][] = [];
    for (let one = await parts.nextPart(); one !== undefined; one = await parts.nextPart()) {
      let content = '';
      for (let bytes = await parts.nextBytes(); bytes !== undefined; bytes = await parts.nextBytes()) content += bytes.toString('latin1');
      all.push([one.name, content]);
    }
    return all;
  };
  // Contents made of the pieces of a boundary are the ones that could go wrong.
  const content = fc
    .array(fc.constantFrom('\r', '\n', '\r\n', '-', '--', 'x', '\r\n-', '\r\n--', 'b'), { maxLength: 12 })
    .map((all) => all.join(''));
  await fc.assert(
    fc.asyncProperty(fc.array(content, { maxLength: 4 }), fc.array(fc.nat(400), { maxLength: 40 }), async (contents, cuts) => {
      const kept = contents.filter((one) => !`\r\n${one}`.includes('\r\n--b'));
      const bytes = Buffer.from(kept.map((one, index) => part(`name="${index}"`, one)).join('') + end);
      const borders = [0, ...new Set(cuts), bytes.length].filter((at) => at <= bytes.length).sort((one, other) => one - other);
      const chunks = borders.slice(1).map((to, index) => bytes.subarray(borders[index], to));
      assert.deepEqual(
        await read(chunks),
        kept.map((one, index) => [String(index), one]),
      );
    }),
    { numRuns: 500 },
  );
});
