import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readData } from '../support/data-file.ts';
import { upload, uploadForm } from '../support/file-calls.ts';
import { type Answer, call, givenOperator, givenService } from '../support/given.ts';
import { assertKept, assertNothingLeft, keptBytes, sha256Of } from '../support/kept-bytes.ts';
import { openConnection } from '../support/raw-http.ts';
import * as sample from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const maxFileBytes = 300_000;

let server: TestServer;
let token: string;
before(async () => {
  server = await startServer({ env: { ENTREPOT_MAX_FILE_SIZE: String(maxFileBytes) } });
  token = await givenOperator(server);
});
after(() => server.stop());

const bytesOf = (buffer: Buffer): Uint8Array<ArrayBuffer> => Uint8Array.from(buffer);
const textOf = (length: number): Uint8Array<ArrayBuffer> => bytesOf(Buffer.alloc(length, 'Some text, line by line.\n'));
const digestOf = (bytes: Uint8Array) => `sha-256=:${Buffer.from(sha256Of(bytes), 'hex').toString('base64')}:`;

const assertRefused = (answer: Answer, status: number, kind: string) => {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assert.equal(answer.body.type, `/problems/${kind}`, answer.text);
};

/** Nothing new is left of what `act` did. */
const leavingNothing = async (act: () => Promise<void>) => {
  const there = new Set(keptBytes(server.dataFolder).whole.keys());
  const count = () => readData(server.dataFolder, (rows) => rows('select count(*) as amount from files')[0]?.amount);
  const rows = count();
  await act();
  await assertNothingLeft(server, there);
  assert.equal(count(), rows, 'a row was made');
};

/** A stream that never says how long it is. */
const chunked = (bytes: Uint8Array<ArrayBuffer>, pieceBytes = 16_384): ReadableStream<Uint8Array> => {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) controller.close();
      else controller.enqueue(bytes.subarray(at, at + pieceBytes));
      at += pieceBytes;
    },
  });
};

describe('bytes as the body', () => {
  test('are kept as they are, short or long, with or without a length', async () => {
    for (const bytes of [textOf(1), textOf(65_536), textOf(65_537), textOf(maxFileBytes)]) {
      assertKept(server, await upload(server, bytes, { token, query: { name: 'a.txt' }, type: 'text/plain' }), bytes);
      assertKept(server, await upload(server, chunked(bytes), { token, query: { name: 'a.txt' } }), bytes);
    }
  });

  test('into a folder that is not there are 404, short or long, and nothing is kept', async () => {
    for (const bytes of [textOf(10), textOf(maxFileBytes)]) {
      await leavingNothing(async () => {
        assertRefused(await upload(server, bytes, { token, query: { folderId: 'fold_nowhere' } }), 404, 'not-found');
      });
    }
  });

  test('take their fields from the query', async () => {
    const query = new URLSearchParams([
      ['name', 'notes/Änderung.txt'],
      ['title', 'A title'],
      ['category', 'letters'],
      ['roles', 'Mentor/Coach'],
      ['roles', 'Guide'],
      ['visibility', 'tenant'],
    ]);
    const file = assertKept(server, await upload(server, textOf(10), { token, query, type: 'text/markdown' }), textOf(10));
    const { name, title, category, roles, visibility, type, state } = file;
    assert.deepEqual(
      { name, title, category, roles, visibility, type, state },
      {
        ...{ name: 'Änderung.txt', title: 'A title', category: 'letters', roles: ['Mentor/Coach', 'Guide'] },
        ...{ visibility: 'tenant', type: 'text/markdown', state: 'stored' },
      },
    );
    for (const bad of ['colour=red', 'name=a&name=b', 'visibility=secret'])
      assertRefused(await upload(server, 'x', { token, query: new URLSearchParams(bad) }), 400, 'bad-query');
  });

  test('need no name', async () => {
    assert.equal((await upload(server, 'x', { token })).body.name, 'unnamed');
  });

  test('are 400 when there are none', async () => {
    await leavingNothing(async () => {
      assertRefused(await upload(server, '', { token, type: 'image/png' }), 400, 'empty');
      assertRefused(await upload(server, chunked(textOf(0)), { token }), 400, 'empty');
    });
  });

  test('are taken without Content-Encoding only', async () => {
    assertRefused(await upload(server, 'x', { token, headers: { 'content-encoding': 'gzip' } }), 415, 'unsupported-type');
  });

  test('are what they are, whatever they are declared to be', async () => {
    await leavingNothing(async () => {
      for (const [bytes, type] of [
        [sample.png(), 'image/jpeg'],
        [sample.executable(), undefined],
        [sample.executable(), 'text/plain'],
        [sample.forgedMp4(), 'video/mp4'],
        [Buffer.from('no picture'), 'image/png'],
        [Buffer.concat([textOf(100_000), Buffer.from([0])]), 'text/plain'],
        [Buffer.concat([textOf(100_000), Buffer.from([0xc3])]), undefined],
      ] as const) {
        const options = { token, ...(type === undefined ? {} : { type }) };
        assertRefused(await upload(server, bytesOf(bytes), options), 415, 'unsupported-type');
        assertRefused(await upload(server, chunked(bytesOf(bytes)), options), 415, 'unsupported-type');
      }
    });
    for (const [bytes, declared, type] of [
      [sample.png(), 'image/png', 'image/png'],
      [sample.exifJpeg(), undefined, 'image/jpeg'],
      [sample.mp4(), undefined, 'video/mp4'],
      [sample.pdfWithHtml(), 'application/pdf', 'application/pdf'],
      [sample.utf8Text(), undefined, 'text/plain'],
      [sample.json(), 'application/json', 'application/json'],
    ] as const) {
      const answer = await upload(server, bytesOf(bytes), { token, ...(declared === undefined ? {} : { type: declared }) });
      assert.equal(assertKept(server, answer, bytes).type, type);
    }
  });

  test('of a zip bomb are not unpacked', async () => {
    // A megabyte of zeros in the guise of ten gigabytes: whoever opened it would not be done in time.
    const bomb = sample.zip({ 'zeros.bin': Buffer.alloc(200_000) });
    const sizeAt = bomb.indexOf('PK\x01\x02') + 24;
    bomb.writeUInt32LE(0xfffffff0, sizeAt);
    const { type } = assertKept(server, await upload(server, bytesOf(bomb), { token, query: { name: 'bomb.zip' } }), bomb);
    assert.equal(type, 'application/zip');
  });
});

describe('digests', () => {
  test('are checked: Repr-Digest and Content-Digest, of short and long bytes', async () => {
    for (const header of ['repr-digest', 'content-digest']) {
      for (const bytes of [textOf(100), textOf(200_000)]) {
        assertKept(server, await upload(server, bytes, { token, headers: { [header]: digestOf(bytes) } }), bytes);
        await leavingNothing(async () =>
          assertRefused(await upload(server, bytes, { token, headers: { [header]: digestOf(textOf(99)) } }), 400, 'digest-mismatch'),
        );
      }
      assertKept(server, await upload(server, 'x', { token, headers: { [header]: 'sha-512=:eHh4:' } }), Buffer.from('x'));
      for (const bad of ['sha-256=abc', 'sha-256=:YWJj:', 'x:', ','])
        assertRefused(await upload(server, 'x', { token, headers: { [header]: bad } }), 400, 'bad-request');
    }
    const both = { 'repr-digest': digestOf(textOf(5)), 'content-digest': digestOf(textOf(6)) };
    assertRefused(await upload(server, textOf(5), { token, headers: both }), 400, 'digest-mismatch');
  });
});

describe('names', () => {
  const nameOf = async (name: string) => await upload(server, 'x', { token, query: { name } });

  test('are the last part of what was sent, and 400 where nobody should trust them', async () => {
    assert.equal((await nameOf('../../etc/passwd')).body.name, 'passwd');
    assert.equal((await nameOf('C:\\Users\\me\\a b.txt')).body.name, 'a b.txt');
    assert.equal((await nameOf('שלום.txt')).body.name, 'שלום.txt');
    for (const bad of ['..', '...', 'a\0b', 'a\r\nb', 'a/', 'photo\u202egnp.exe', 'é'.repeat(256)])
      assertRefused(await nameOf(bad), 400, 'bad-request');
    assertRefused(await nameOf('n'.repeat(2_000)), 400, 'bad-query');
    assertRefused(await nameOf('n'.repeat(10_000)), 414, 'uri-too-long');
  });

  test('of a form are the same: of the field, or of the part', async () => {
    const send = (filename: string, field?: string) => {
      const form = new FormData();
      if (field !== undefined) form.append('name', field);
      form.append('file', new Blob(['x']), filename);
      return uploadForm(server, form, { token });
    };
    assert.equal((await send('../../etc/passwd')).body.name, 'passwd');
    assert.equal((await send('"quoted".txt')).body.name, '"quoted".txt');
    assert.equal((await send('..', 'field.txt')).body.name, 'field.txt', 'the name of a field comes before that of the part');
    await leavingNothing(async () => {
      for (const bad of ['..', 'a\0b', 'a\r\nb', 'photo\u202egnp.exe', 'n'.repeat(10_000)]) {
        assertRefused(await send(bad), 400, 'bad-request');
        assertRefused(await send('good.txt', bad), 400, 'bad-request');
      }
    });
  });

  test('may be there twice: two uploads of one name at once are both kept', async () => {
    const sent = ['first', 'second'].map((text) => upload(server, text, { token, query: { name: 'twin.txt' } }));
    const [one, other] = await Promise.all(sent);
    assert.ok(one && other);
    assertKept(server, one, Buffer.from('first'));
    assertKept(server, other, Buffer.from('second'));
    assert.notEqual(one.body.id, other.body.id);
  });
});

describe('forms', () => {
  const fieldsOf = ({ name, title, description, roles, visibility }: Answer['body']) => ({ name, title, description, roles, visibility });

  test('have their fields before or behind the file, or in the query', async () => {
    for (const bytes of [textOf(100), textOf(200_000)]) {
      const form = new FormData();
      form.append('title', 'Ein Titel');
      form.append('roles', 'Guide');
      form.append('file', new Blob([bytes], { type: 'text/plain' }), 'part.txt');
      form.append('description', 'two\r\nlines');
      form.append('roles', 'Mentor');
      const file = assertKept(server, await uploadForm(server, form, { token, query: { visibility: 'tenant' } }), bytes);
      assert.deepEqual(fieldsOf(file), {
        ...{ name: 'part.txt', title: 'Ein Titel', description: 'two\r\nlines' },
        ...{ roles: ['Guide', 'Mentor'], visibility: 'tenant' },
      });
    }
  });

  test('are refused, and nothing is kept: without a file, with two, with unknown parts, with a field in two places', async () => {
    const formOf = (...parts: readonly (readonly [string, string | Blob])[]) => {
      const form = new FormData();
      for (const [name, value] of parts) form.append(name, value);
      return form;
    };
    const file = ['file', new Blob([textOf(70_000)])] as const;
    await leavingNothing(async () => {
      for (const form of [
        formOf(),
        formOf(['title', 'no file']),
        formOf(file, file),
        formOf(file, ['colour', 'red']),
        formOf(['colour', 'red'], file),
        formOf(file, ['title', 'one'], ['title', 'two']),
        formOf(file, ['visibility', 'secret']),
        formOf(file, ['visibility', 'tenant']),
      ])
        assertRefused(await uploadForm(server, form, { token, query: { visibility: 'public' } }), 400, 'bad-request');
      assertRefused(await uploadForm(server, formOf(['file', new Blob([])]), { token }), 400, 'empty');
      assertRefused(await uploadForm(server, formOf(file, ['title', 'x'.repeat(100_000)]), { token }), 413, 'too-large');
      assertRefused(await uploadForm(server, formOf(['file', new Blob([textOf(maxFileBytes + 1)])]), { token }), 413, 'too-large');
      const png = new Blob([bytesOf(sample.png())], { type: 'image/jpeg' });
      assertRefused(await uploadForm(server, formOf(['file', png]), { token }), 415, 'unsupported-type');
      const digest = { 'repr-digest': digestOf(textOf(1)) };
      assertRefused(await uploadForm(server, formOf(file), { token, headers: digest }), 400, 'bad-request');
    });
  });

  test('that break off, or whose boundary is broken, are 400', async () => {
    const part = (boundary: string) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nsome text\r\n`;
    const type = 'multipart/form-data; boundary=b';
    await leavingNothing(async () => {
      for (const body of ['', part('b'), `${part('other')}--other--\r\n`, `${part('b')}--b`, `${part('b')}--b\r\nno header`, 'text only'])
        assertRefused(await upload(server, body, { token, type }), 400, 'bad-request');
      assertRefused(await upload(server, `${part('b')}--b--`, { token, type: 'multipart/form-data' }), 400, 'bad-request');
    });
    assertKept(server, await upload(server, `${part('b')}--b--\r\n`, { token, type }), Buffer.from('some text'));
  });
});

describe('refusals reach the client', () => {
  const head = (length: string | number, more = '') =>
    `POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n${more}` +
    (length === '' ? 'Transfer-Encoding: chunked\r\n\r\n' : `Content-Length: ${length}\r\n\r\n`);

  test('of what is too large at once, before a byte of it was sent', async () => {
    const connection = await openConnection(server, 'POST /v1/files');
    connection.write(head(maxFileBytes + 1));
    const [answer] = await connection.answers(1);
    assert.equal(answer?.status, 413);
    assert.equal(answer.body.limit, maxFileBytes);
    connection.close();
  });

  test('also while they send on: too large, of another type, without a token', async () => {
    await leavingNothing(async () => {
      const bytes = textOf(20_000_000);
      assertRefused(await upload(server, bytes, { token }), 413, 'too-large');
      assertRefused(await upload(server, chunked(bytes), { token }), 413, 'too-large');
      assertRefused(await upload(server, bytes, { token: undefined }), 401, 'not-signed-in');
      assertRefused(await upload(server, chunked(bytes), { token, type: 'image/png' }), 415, 'unsupported-type');
    });
  });

  test('to those who wait for 100 Continue instead of it, and then the connection ends', async () => {
    const expect = 'Expect: 100-continue\r\n';
    for (const [text, status] of [
      [head(maxFileBytes + 1, expect), 413],
      [head(10, expect).replace(/Authorization: .*\r\n/, ''), 401],
      [head(70_000, expect).replace('/v1/files', '/v1/files?colour=red'), 400],
      [head(70_000, `${expect}Content-Encoding: gzip\r\n`), 415],
      [head(70_000, `${expect}Repr-Digest: nonsense\r\n`), 400],
    ] as const) {
      const connection = await openConnection(server, 'POST /v1/files');
      connection.write(text);
      const answers = await connection.answers();
      assert.deepEqual(
        answers.map((answer) => answer.status),
        [status],
      );
      assert.match(answers[0]?.head ?? '', /\r\nconnection: close/i);
    }
  });

  test('while what is fine is asked for by 100 Continue, and the connection goes on', async () => {
    for (const bytes of [textOf(10), textOf(100_000)]) {
      const connection = await openConnection(server, 'POST /v1/files');
      connection.write(head(bytes.length, 'Expect: 100-continue\r\n'));
      await sleep(50);
      connection.write(Buffer.from(bytes).toString('latin1'));
      const [go, answer] = await connection.answers(2);
      assert.deepEqual([go?.status, answer?.status], [100, 201]);
      connection.write(head(1));
      connection.write('x');
      assert.equal((await connection.answers(3))[2]?.status, 201);
      connection.close();
    }
  });

  test('of a length that lies: more is no part of the file, fewer is no file', async () => {
    const connection = await openConnection(server, 'POST /v1/files');
    connection.write(`${head(3)}abcdef\r\n\r\n`);
    const answers = await connection.answers();
    assert.deepEqual(
      answers.map(({ status }) => status),
      [201],
    );
    assert.equal(answers[0]?.body.size, 3);
    assert.match(answers[0].head, /\r\nconnection: close/i);
    await leavingNothing(async () => {
      for (const length of [100, 100_000]) {
        const short = await openConnection(server, 'POST /v1/files');
        short.write(`${head(length)}abc`);
        await sleep(50);
        short.close();
      }
    });
  });

  test('nothing is left of clients that vanish: in the head, before the body, in the middle, before the end of a form', async () => {
    const text = Buffer.from(textOf(150_000)).toString('latin1');
    const form = 'Content-Type: multipart/form-data; boundary=b\r\n';
    const part = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n';
    const chunk = `${text.length.toString(16)}\r\n${text}\r\n`;
    await leavingNothing(async () => {
      for (const sent of [
        '',
        'POST /v1/files HT',
        head(200_000).slice(0, -2),
        head(200_000),
        `${head(200_000)}${text.slice(0, 100)}`,
        `${head(200_000)}${text}`,
        `${head('')}${chunk}`,
        `${head('')}${chunk}0\r\n`,
        `${head(200_000, form)}${part}${text}`,
        `${head(text.length + part.length + 9, form)}${part}${text}\r\n--b--`,
        `${head(200_000, form)}${part}${text}\r\n--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nA ti`,
      ]) {
        const connection = await openConnection(server, 'POST /v1/files');
        connection.write(sent);
        await sleep(30);
        connection.close();
      }
    });
    assert.equal((await call(server, 'GET', '/readyz')).status, 200);
  });

  test('nor of many that vanish at once, just behind the head', async () => {
    await leavingNothing(async () => {
      for (let round = 0; round < 5; round += 1) {
        const connections = await Promise.all(Array.from({ length: 20 }, () => openConnection(server, 'POST /v1/files')));
        for (const connection of connections) connection.write(`${head(100_000)}some bytes`);
        await sleep(round);
        for (const connection of connections) connection.close();
      }
    });
    assert.equal((await call(server, 'GET', '/readyz')).status, 200);
  });

  test('who vanishes behind the last byte has its file, whole', async () => {
    const bytes = textOf(100_000);
    const connection = await openConnection(server, 'POST /v1/files?name=vanished.txt');
    connection.write(`${head(bytes.length).replace('/v1/files', '/v1/files?name=vanished.txt')}${Buffer.from(bytes).toString('latin1')}`);
    await sleep(5);
    connection.close();
    await sleep(500);
    const rows = readData(server.dataFolder, (ask) => ask(`select id, sha256 from files where name = 'vanished.txt'`));
    const { whole } = keptBytes(server.dataFolder);
    assert.ok(rows.length <= 1);
    for (const { id, sha256 } of rows) {
      assert.equal(sha256, sha256Of(bytes));
      assert.ok(whole.has(String(id)));
    }
  });

  test('of a session that ends while the file comes in: 401, and nothing is kept', async () => {
    const service = await givenService(server, token, ['files:write']);
    await leavingNothing(async () => {
      const connection = await openConnection(server, 'POST /v1/files');
      connection.write(head(100_000).replace(token, service.token));
      connection.write('x'.repeat(99_999));
      await sleep(100);
      assert.equal((await call(server, 'DELETE', '/v1/sessions/current', { token: service.token })).status, 204);
      connection.write('x');
      const [answer] = await connection.answers(1);
      assert.equal(answer?.status, 401);
      assert.equal(answer.body.type, '/problems/bad-token');
      connection.close();
    });
  });
});
