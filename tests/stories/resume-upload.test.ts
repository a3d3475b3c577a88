import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, it, test } from 'node:test';
import { Upload } from 'tus-js-client';
import { call, eventually, givenOperator } from '../support/given.ts';
import { sha256Of, sha256OnDisk } from '../support/kept-bytes.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { idOf, metadataOf, resumablePath, type TusClient, textOf, tusClient } from '../support/tus.ts';

const mebi = 2 ** 20;

describe('an upload that is cut off goes on where it stopped', () => {
  let server: TestServer;
  let token: string;
  let tus: TusClient;

  before(async () => {
    server = await startServer({ env: { ENTREPOT_QUOTA_PERSON: '100MiB' } });
    token = await givenOperator(server);
    tus = tusClient(server, token);
  });
  after(() => server.stop());

  const fileOf = async (path: string) => (await call(server, 'GET', `/v1/files/${idOf(path)}`, { token })).body;

  /** Runs tus-js-client until it is done, or until `isEnough` of what it has sent; resolves with the address of the upload. */
  const upload = (bytes: Buffer, options: Partial<ConstructorParameters<typeof Upload>[1]> = {}, isEnough = (_sent: number) => false) =>
    new Promise<string>((resolve, reject) => {
      const client = new Upload(bytes, {
        endpoint: `${server.url}${resumablePath}`,
        headers: { authorization: `Bearer ${token}` },
        metadata: { filename: 'long.txt', filetype: 'text/plain', title: 'A long text' },
        chunkSize: 4 * mebi,
        retryDelays: [100, 500, 1_000, 2_000],
        onError: reject,
        onSuccess: () => resolve(client.url ?? ''),
        onProgress: (sent) => {
          if (isEnough(sent)) void client.abort().then(() => resolve(client.url ?? ''));
        },
        ...options,
      });
      client.start();
    });

  it('20 MB by tus-js-client in chunks, cut in the middle of one, are the same bytes in the end', async () => {
    const bytes = textOf(20_000_000);
    const url = await upload(bytes, {}, (sent) => sent > 9 * mebi);
    const offset = Number((await tus.head(new URL(url).pathname)).headers.get('upload-offset'));
    assert.ok(offset >= 8 * mebi && offset < bytes.length, `offset ${offset}`);
    assert.equal((await fileOf(url)).state, 'expected');

    assert.equal(await upload(bytes, { uploadUrl: url }), url);
    const file = await fileOf(url);
    assert.deepEqual([file.state, file.size, file.sha256, file.title], ['stored', bytes.length, sha256Of(bytes), 'A long text']);
    assert.equal(sha256OnDisk(server, file.id), sha256Of(bytes));
  });

  it('several parts at a time, put together', async () => {
    const bytes = textOf(9_000_000);
    const url = await upload(bytes, { parallelUploads: 3, chunkSize: Number.POSITIVE_INFINITY });
    const file = await fileOf(url);
    assert.deepEqual([file.state, file.sha256, file.name], ['stored', sha256Of(bytes), 'long.txt']);
    assert.equal(sha256OnDisk(server, file.id), sha256Of(bytes));
  });

  it('a length that is known only in the end, and the first bytes with the creation', async () => {
    const bytes = textOf(3_000_000);
    const deferred = await upload(bytes, { uploadLengthDeferred: true, chunkSize: mebi });
    assert.equal((await fileOf(deferred)).sha256, sha256Of(bytes));
    const early = await upload(bytes, { uploadDataDuringCreation: true });
    assert.equal((await fileOf(early)).sha256, sha256Of(bytes));
  });

  /** A PATCH that sends these bytes and then nothing more, while more were promised. */
  const openPatch = async (path: string, offset: number, bytes: Buffer, promised: number) => {
    const sending = httpRequest(`${server.url}${path}`, {
      method: 'PATCH',
      headers: {
        authorization: `Bearer ${token}`,
        'tus-resumable': '1.0.0',
        'content-type': 'application/offset+octet-stream',
        'upload-offset': String(offset),
        'content-length': String(promised),
      },
    });
    sending.on('error', () => undefined); // it is cut off
    await new Promise((resolve) => sending.write(bytes, resolve));
    return sending;
  };
  const offsetOf = async (path: string) => Number((await tus.head(path)).headers.get('upload-offset'));

  it('what arrived before the client vanished is kept', async () => {
    const bytes = textOf(3 * mebi);
    const path = await tus.begin({ 'upload-length': String(bytes.length) });
    const sending = await openPatch(path, 0, bytes.subarray(0, 2 * mebi), bytes.length);
    await eventually(
      () => offsetOf(path),
      (offset) => offset >= mebi,
    );
    sending.destroy();
    // Whoever goes on while the end of the connection is not noticed is told to wait, and then may.
    const done = await eventually(
      async () => {
        const offset = await offsetOf(path);
        return await tus.patch(path, offset, bytes.subarray(offset));
      },
      ({ status }) => status === 204,
    );
    assert.equal(done.headers.get('content-location'), `/v1/files/${idOf(path)}`);
    assert.equal((await fileOf(path)).sha256, sha256Of(bytes));
  });

  it('while one sends, another one is told to wait, and nothing is corrupted', async () => {
    const bytes = textOf(2 * mebi);
    const path = await tus.begin({ 'upload-length': String(bytes.length) });
    const answers = await Promise.all(Array.from({ length: 8 }, () => tus.patch(path, 0, bytes)));
    const statuses = answers.map(({ status }) => status).sort();
    assert.equal(statuses[0], 204, 'one of them wins');
    assert.ok(
      statuses.slice(1).every((status) => status === 423 || status === 409),
      statuses.join(),
    );
    assert.equal(sha256OnDisk(server, idOf(path)), sha256Of(bytes));

    const slow = await tus.begin({ 'upload-length': String(bytes.length) });
    const sending = await openPatch(slow, 0, bytes.subarray(0, mebi), bytes.length);
    const offset = await eventually(
      () => offsetOf(slow),
      (there) => there > 0,
    );
    const other = await tus.patch(slow, offset, bytes.subarray(offset));
    assert.equal(other.status, 423, other.text);
    assert.deepEqual([other.body.type, other.headers.get('retry-after')], ['/problems/locked', '1']);
    sending.destroy();
  });

  it('a connection that has fallen silent makes way for the client that came back', async () => {
    const bytes = textOf(2 * mebi);
    const path = await tus.begin({ 'upload-length': String(bytes.length) });
    const silent = await openPatch(path, 0, bytes.subarray(0, mebi), bytes.length);
    await eventually(
      () => offsetOf(path),
      (there) => there > 0,
    );
    const back = await eventually(
      async () => {
        const offset = await offsetOf(path);
        return await tus.patch(path, offset, bytes.subarray(offset));
      },
      ({ status }) => status === 204,
      20_000,
    );
    assert.ok(back.headers.get('content-location'));
    silent.destroy();
    assert.equal(sha256OnDisk(server, idOf(path)), sha256Of(bytes));
  });

  it('into a folder that is locked meanwhile waits until it is unlocked', async () => {
    const password = 'only for me';
    const folder = (await call(server, 'POST', '/v1/folders', { token, body: { name: 'Vault' } })).body;
    const metadata = { 'upload-metadata': metadataOf({ filename: 'secret.txt', folderId: folder.id }) };
    const path = await tus.begin({ 'upload-length': '10', ...metadata });
    await tus.patch(path, 0, 'hello');
    assert.equal((await call(server, 'PUT', `/v1/folders/${folder.id}/lock`, { token, body: { password } })).status, 204);
    const overridden = { 'x-http-method-override': 'PATCH', 'content-type': 'application/offset+octet-stream', 'upload-offset': '5' };
    const refused = [
      await tus.patch(path, 5, 'world'),
      await tus.send('DELETE', path),
      await tus.send('POST', path, overridden, 'world'),
      await tus.create({ 'upload-length': '5', ...metadata }),
    ];
    for (const { status, body } of refused) assert.deepEqual([status, body.type], [423, '/problems/locked']);
    assert.equal((await tus.head(path)).status, 423);
    const { folderToken } = (await call(server, 'POST', `/v1/folders/${folder.id}/unlock`, { token, body: { password } })).body;
    const last = await tus.patch(path, 5, 'world', { 'x-folder-token': folderToken });
    assert.equal(last.headers.get('content-location'), `/v1/files/${idOf(path)}`, last.text);
    assert.equal((await call(server, 'GET', `/v1/files/${idOf(path)}`, { token })).status, 423);
  });

  it('is nobody else’s', async () => {
    const path = await tus.begin({ 'upload-length': '5' });
    const person = { username: 'somebody', password: 'nobody will guess this one' };
    await call(server, 'POST', '/v1/people', { body: person });
    const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...person } });
    const stranger = tusClient(server, session.body.accessToken);
    assert.equal((await stranger.head(path)).status, 404);
    assert.equal((await stranger.patch(path, 0, 'hello')).status, 404);
    assert.equal((await stranger.send('DELETE', path)).status, 404);
    const part = await stranger.begin({ 'upload-length': '5', 'upload-concat': 'partial' });
    await stranger.patch(part, 0, 'hello');
    assert.equal((await tus.create({ 'upload-concat': `final;${part}` })).status, 400);
  });
});

describe('the room of an upload', () => {
  let server: TestServer;
  let tus: TusClient;
  let token: string;

  before(async () => {
    server = await startServer({ env: { ENTREPOT_QUOTA_PERSON: '1000' } });
    token = await givenOperator(server);
    tus = tusClient(server, token);
  });
  after(() => server.stop());

  it('is held from its beginning, exactly, and given back when it ends', async () => {
    const begun = await Promise.all(Array.from({ length: 20 }, () => tus.create({ 'upload-length': '300' })));
    const made = begun.filter(({ status }) => status === 201);
    assert.equal(made.length, 3);
    assert.ok(begun.every(({ status, body }) => status === 201 || (status === 507 && body.type === '/problems/quota-exceeded')));
    for (const { headers } of made) assert.equal((await tus.send('DELETE', headers.get('location') ?? '')).status, 204);
    const whole = await tus.create({ 'upload-length': '1000' }, 'x'.repeat(1000));
    assert.equal(whole.status, 201, whole.text);
    assert.equal((await tus.create({ 'upload-length': '1' })).status, 507);
    await eventually(
      async () => server.output(),
      (output) => output.includes('"problem":"quota-exceeded"'),
    );
    assert.ok(!server.output().includes('request.unavailable'), 'a full quota is no fault of the server');
  });

  it('of parts counts, too, and so does what grows without a length', async () => {
    const person = { username: 'other', password: 'nobody will guess this one' };
    await call(server, 'POST', '/v1/people', { body: person });
    const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...person } });
    const other = tusClient(server, session.body.accessToken);
    const parts = await Promise.all(Array.from({ length: 10 }, () => other.create({ 'upload-length': '400', 'upload-concat': 'partial' })));
    const made = parts.filter(({ status }) => status === 201).map(({ headers }) => headers.get('location') ?? '');
    assert.equal(made.length, 2);
    for (const path of made) await other.patch(path, 0, 'p'.repeat(400));
    const final = await other.create({ 'upload-concat': `final;${made.join(' ')}` });
    assert.equal(final.status, 201, final.text);
    const growing = await other.begin({ 'upload-defer-length': '1' });
    assert.equal((await other.patch(growing, 0, 'g'.repeat(150))).status, 204);
    const over = await other.patch(growing, 150, 'g'.repeat(51));
    assert.deepEqual([over.status, over.body.type], [507, '/problems/quota-exceeded']);
    const overridden = { 'x-http-method-override': 'PATCH', 'content-type': 'application/offset+octet-stream', 'upload-offset': '150' };
    assert.equal((await other.send('POST', growing, overridden, 'g'.repeat(51))).status, 507);
    assert.equal((await other.patch(growing, 150, 'g'.repeat(50), { 'upload-length': '200' })).status, 204);
    const left = await readdir(join(server.dataFolder, 'blobs', 'pieces'));
    assert.deepEqual(left, [], 'no pieces are left');
  });
});

test('behind a proxy that serves us below a path, addresses have it', async (context) => {
  const server = await startServer({ env: { ENTREPOT_PUBLIC_URL: 'https://world.example/store/' } });
  context.after(() => server.stop());
  const tus = tusClient(server, await givenOperator(server));
  const { headers } = await tus.create({ 'upload-length': '5' }, 'hello');
  assert.match(headers.get('location') ?? '', /^\/store\/v1\/files\/resumable\/file_/);
  assert.match(headers.get('content-location') ?? '', /^\/store\/v1\/files\/file_/);
});
