import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { readData } from '../support/data-file.ts';
import { upload, uploadForm } from '../support/file-calls.ts';
import { call, eventually, givenOperator, givenService } from '../support/given.ts';
import { assertKept, assertNothingLeft, keptBytes, sha256Of } from '../support/kept-bytes.ts';
import * as sample from '../support/sample-files.ts';
import { smallDisks } from '../support/small-disk.ts';
import { operator, startServer, type TestServer } from '../support/start-server.ts';

const run = promisify(execFile);

/** What curl printed: the body, and the status behind it. */
const curl = async (args: readonly string[]) => {
  const { stdout } = await run('curl', ['-sS', '-w', '\n%{http_code}', ...args], { maxBuffer: 10_000_000 });
  const at = stdout.lastIndexOf('\n');
  return { status: Number(stdout.slice(at + 1)), body: JSON.parse(stdout.slice(0, at) || 'null') };
};

describe('sending files with what everybody has', () => {
  let server: TestServer;
  let token: string;
  let folder: string;
  before(async () => {
    server = await startServer();
    token = await givenOperator(server);
    folder = mkdtempSync(join(tmpdir(), 'entrepot-send-'));
  });
  after(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const fileOf = (name: string, bytes: Uint8Array): string => {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  };
  const bearer = () => ['-H', `Authorization: Bearer ${token}`];

  test('curl -F sends a photo with its fields, and its owner reads what is known of it and what became of it', async () => {
    const photo = sample.exifJpeg();
    const path = fileOf('Überfahrt.jpg', photo);
    const fields = [
      '-F',
      'title=The crossing',
      '-F',
      'roles=Mentor/Coach',
      '-F',
      `file=@${path};type=image/jpeg`,
      '-F',
      'visibility=tenant',
    ];
    const { status, body } = await curl([...bearer(), ...fields, `${server.url}/v1/files`]);
    assert.equal(status, 201, JSON.stringify(body));
    assert.equal(body.name, 'Überfahrt.jpg');
    assert.equal(body.type, 'image/jpeg');
    assert.equal(body.sha256, sha256Of(photo));
    assert.deepEqual((await call(server, 'GET', `/v1/files/${body.id}`, { token })).body, body);

    const trace = await call(server, 'GET', `/v1/trace/${body.id}`, { token });
    assert.deepEqual([trace.body.kind, trace.body.state], ['file', 'stored']);
    assert.deepEqual(
      trace.body.entries.map(({ what }: { what: string }) => what),
      ['received', 'checked', 'stored'],
    );
    assert.ok(keptBytes(server.dataFolder).whole.has(body.id));
  });

  test('curl -T sends a file as it is, also without telling its length', async () => {
    const film = sample.mp4({ bytes: 5_000_000 });
    const path = fileOf('film.mp4', film);
    for (const more of [[], ['-H', 'Transfer-Encoding: chunked']]) {
      const { status, body } = await curl([...bearer(), ...more, '-X', 'POST', '-T', path, `${server.url}/v1/files?name=film.mp4`]);
      assert.equal(status, 201, JSON.stringify(body));
      assert.deepEqual([body.type, body.size, body.sha256], ['video/mp4', film.length, sha256Of(film)]);
    }
  });

  test('curl -T of a huge file is told at once why it is not taken, and sends no more', async () => {
    const path = fileOf('huge.bin', sample.png());
    truncateSync(path, 5 * 1024 ** 3); // takes no room on the disk
    const send = (...args: string[]) => curl([...args, '--max-time', '20', '-X', 'POST', '-T', path, `${server.url}/v1/files`]);
    const tooLarge = await send(...bearer());
    assert.deepEqual([tooLarge.status, tooLarge.body.type], [413, '/problems/too-large']);
    truncateSync(path, 3 * 1024 ** 3);
    const asFilm = [...bearer(), '-H', 'Content-Type: video/mp4'];
    const wrongType = await send(...asFilm);
    assert.deepEqual([wrongType.status, wrongType.body.type], [415, '/problems/unsupported-type']);
    const withoutWaiting = await send(...asFilm, '-H', 'Expect:');
    assert.deepEqual([withoutWaiting.status, withoutWaiting.body.type], [415, '/problems/unsupported-type']);
    assert.equal((await send()).status, 401);
    rmSync(path);
  });

  test('what a service sends is its own, and others are told that there is no such file', async () => {
    const service = await givenService(server, token, ['files:write', 'files:read']);
    const other = await givenService(server, token, ['files:write', 'files:read']);
    const { body } = await upload(server, 'a note', { token: service.token, query: { name: 'note.txt' } });
    assert.equal(body.owner, service.id);
    assert.equal((await call(server, 'GET', `/v1/files/${body.id}`, { token: service.token })).status, 200);
    assert.equal((await call(server, 'GET', `/v1/files/${body.id}`, { token: other.token })).status, 404);
  });
});

describe('quota', () => {
  const size = 10_000;
  const bytes = Uint8Array.from(Buffer.alloc(size, 'ten thousand bytes\n'));
  const formOf = () => {
    const form = new FormData();
    form.append('file', new Blob([bytes]), 'part.txt');
    return form;
  };

  /** Fifty uploads at once, each second one as a form; how many were kept. */
  const sendFifty = async (server: TestServer, tokens: readonly string[]): Promise<number> => {
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, number) => {
        const token = tokens[number % tokens.length];
        return number % 2 === 0 ? upload(server, bytes, { token }) : uploadForm(server, formOf(), { token });
      }),
    );
    const kept = answers.filter(({ status }) => status === 201);
    for (const answer of answers) {
      if (answer.status === 201) continue;
      assert.equal(answer.status, 507, answer.text);
      assert.equal(answer.body.type, '/problems/quota-exceeded');
    }
    await assertNothingLeft(server, new Set(kept.map(({ body }) => body.id)));
    return kept.length;
  };

  const assertCounted = (server: TestServer) =>
    readData(server.dataFolder, (rows) => {
      const recount = `select tenantId, ownerId, count(*) as files, sum(size) as bytes from files group by 1, 2
        union all select tenantId, '', count(*), sum(size) from files group by 1`;
      assert.deepEqual(rows('select * from fileUsage order by 1, 2'), rows(`select * from (${recount}) order by 1, 2`));
    });

  test('of a person is exact: of 50 uploads at once as many are kept as fit, the others are 507', async (context) => {
    const server = await startServer({ env: { ENTREPOT_QUOTA_PERSON: String(size * 17 + size - 1) } });
    context.after(() => server.stop());
    const token = await givenOperator(server);
    assert.equal(await sendFifty(server, [token]), 17);
    assertCounted(server);
    assert.equal((await upload(server, bytes.subarray(0, size - 1), { token })).status, 201, 'what still fits is taken');
    assert.equal((await upload(server, 'x', { token })).status, 507);
    const service = await givenService(server, token, ['files:write']);
    assert.equal((await upload(server, bytes, { token: service.token })).status, 201, 'the quota of another is its own');
  });

  test('of a tenant is what its operator says, over all its callers', async (context) => {
    const server = await startServer();
    context.after(() => server.stop());
    const token = await givenOperator(server);
    const { tenantId } = (await call(server, 'GET', '/v1/me', { token })).body;
    const change = await call(server, 'PATCH', `/v1/tenants/${tenantId}`, { token, body: { quotaTenant: size * 23 } });
    assert.equal(change.status, 200, change.text);
    const services = [await givenService(server, token, ['files:write']), await givenService(server, token, ['files:write'])];
    assert.equal(await sendFifty(server, [token, ...services.map((service) => service.token)]), 23);
    assertCounted(server);
    assert.equal((await call(server, 'PATCH', `/v1/tenants/${tenantId}`, { token, body: { quotaTenant: size * 24 } })).status, 200);
    const more = () => upload(server, bytes, { token });
    await eventually(more, ({ status }) => status === 201, 5_000);
    assert.equal((await more()).status, 507);
  });
});

for (const [name, createDisk] of Object.entries(smallDisks)) {
  test(`with ${name} a file is refused with 503 and nothing of it is left; when there is room it is taken`, async (context) => {
    const disk = await createDisk();
    const server = await startServer({ dataFolder: disk.dataFolder, through: disk.through });
    context.after(async () => {
      await server.kill('SIGKILL');
      await disk.remove();
    });
    const token = await givenOperator(server);
    const small = Buffer.from('before\n');
    const before = await upload(server, 'before\n', { token });
    assertKept(server, before, small);
    await disk.fill(server.pid);
    const large = Uint8Array.from(Buffer.alloc(3_000_000, 'a line of text\n'));
    const form = new FormData();
    form.append('file', new Blob([large]), 'large.txt');
    for (const answer of [await upload(server, large, { token }), await uploadForm(server, form, { token })]) {
      assert.equal(answer.status, 503, answer.text);
      assert.equal(answer.body.type, '/problems/unavailable');
      assert.ok(Number(answer.headers.get('retry-after')) >= 1);
    }
    await assertNothingLeft(server, new Set([before.body.id]));
    await disk.free(server.pid);
    const again = await eventually(
      () => upload(server, large, { token }),
      ({ status }) => status === 201,
    );
    assertKept(server, again, large);
    assert.equal((await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...operator } })).status, 201);
  });
}
