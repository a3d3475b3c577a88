import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readData } from '../support/data-file.ts';
import { formOf, upload, uploadForm } from '../support/file-calls.ts';
import { call, eventually, givenOperator } from '../support/given.ts';
import { assertNothingLeft, keptBytes } from '../support/kept-bytes.ts';
import { openConnection } from '../support/raw-http.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// Clients send again where no answer came; an Idempotency-Key sees to it that this makes no second file.

describe('an upload with an Idempotency-Key', () => {
  let server: TestServer;
  let token: string;

  before(async () => {
    server = await startServer({ env: { ENTREPOT_QUOTA_PERSON: '4000000' } });
    token = await givenOperator(server);
  });
  after(() => server.stop());

  const headers = (key: string) => ({ 'idempotency-key': key });
  const countRows = () => readData(server.dataFolder, (rows) => Number(rows('select count(*) as amount from files')[0]?.amount));
  /** Short bodies come whole, longer ones as streams. */
  const texts = ['a short text', 'a long text '.repeat(10_000)];

  it('makes one file, however often it is sent, and gives the same answer', async () => {
    for (const [index, text] of texts.entries()) {
      const send = () => upload(server, text, { token, query: { name: 'once.txt' }, headers: headers(`raw-${index}`) });
      const first = await send();
      assert.equal(first.status, 201, first.text);
      const before = countRows();
      const kept = new Set(keptBytes(server.dataFolder).whole.keys());
      const again = await send();
      assert.deepEqual([again.status, again.body, again.headers.get('idempotency-replayed')], [201, first.body, 'true']);
      assert.equal(countRows(), before);
      await assertNothingLeft(server, kept);
      const other = await upload(server, text, { token, query: { name: 'once.txt' }, headers: headers(`raw-${index}-other`) });
      assert.notEqual(other.body.id, first.body.id);
    }
  });

  it('is known by its file and its fields in a form, whose boundary is another one each time', async () => {
    const send = (title: string) => {
      const form = formOf({ title, roles: ['a', 'b'] }, { name: 'form.txt', type: 'text/plain', bytes: Buffer.from(texts[0] ?? '') });
      return uploadForm(server, form, { token, headers: headers('form') });
    };
    const first = await send('one');
    const again = await send('one');
    assert.deepEqual([first.status, again.status, again.body], [201, 201, first.body]);
    const other = await send('two');
    assert.deepEqual([other.status, other.body.type], [422, '/problems/key-reused']);
  });

  it('with other bytes or other fields under the key is 422, and nothing of it is kept', async () => {
    const send = (text: string, name: string) => upload(server, text, { token, query: { name }, headers: headers('mine') });
    assert.equal((await send('these bytes', 'one.txt')).status, 201);
    const [rows, kept] = [countRows(), new Set(keptBytes(server.dataFolder).whole.keys())];
    for (const answer of [await send('other bytes', 'one.txt'), await send('these bytes', 'two.txt')]) {
      assert.deepEqual([answer.status, answer.body.type], [422, '/problems/key-reused']);
    }
    assert.equal(countRows(), rows);
    await assertNothingLeft(server, kept);
  });

  it('is 409 while the first one still comes in, and makes one file of many that come at once', async () => {
    const connection = await openConnection(server, 'POST /v1/files');
    const head = [
      'POST /v1/files HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${token}`,
      'Idempotency-Key: slow',
      'Content-Length: 300000',
    ];
    connection.write(`${head.join('\r\n')}\r\n\r\n${'x'.repeat(250_000)}`);
    await eventually(
      async () => keptBytes(server.dataFolder).unfinished.length,
      (count) => count > 0,
    );
    const second = await upload(server, 'x'.repeat(300_000), { token, headers: headers('slow') });
    assert.deepEqual([second.status, second.body.type, second.headers.get('retry-after')], [409, '/problems/in-progress', '1']);
    connection.write('x'.repeat(50_000));
    const [answer] = await connection.answers(1);
    assert.equal(answer?.status, 201);
    connection.close();

    const rows = countRows();
    const answers = await Promise.all(Array.from({ length: 10 }, () => upload(server, 'of ten', { token, headers: headers('ten') })));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [201, 409]);
    assert.equal(countRows(), rows + 1);
  });

  it('that was refused, or broke off, leaves the key free', async () => {
    assert.equal((await upload(server, '', { token, headers: headers('free') })).status, 400);
    const connection = await openConnection(server, 'POST /v1/files');
    const head = [
      'POST /v1/files HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${token}`,
      'Idempotency-Key: free',
      'Content-Length: 100000',
    ];
    connection.write(`${head.join('\r\n')}\r\n\r\n${'x'.repeat(50_000)}`);
    connection.close();
    const answer = await eventually(
      () => upload(server, 'now', { token, headers: headers('free') }),
      ({ status }) => status !== 409,
    );
    assert.equal(answer.status, 201, answer.text);
  });

  it('gets its first answer also when there is no room left for a second file', async () => {
    const { id } = (await call(server, 'GET', '/v1/me', { token })).body;
    const taken = readData(server.dataFolder, (rows) => Number(rows(`select bytes from fileUsage where ownerId = '${id}'`)[0]?.bytes));
    const send = (key: string) => upload(server, 'y'.repeat(4_000_000 - taken), { token, headers: headers(key) });
    const first = await send('last room');
    assert.equal(first.status, 201, first.text);
    assert.equal((await send('another')).status, 507);
    assert.deepEqual((await send('last room')).body, first.body);
  });
});
