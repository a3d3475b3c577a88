import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openBlobStore } from '../../src/blobs/open-blob-store.ts';
import { createClock } from '../../src/foundation/clock.ts';
import { call, eventually, givenOperator, givenTarget, type Json } from '../support/given.ts';
import { givenPerson, type Person } from '../support/given-people.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { noteRefusal } from '../support/refusals-seen.ts';
import { png, utf8Text } from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const [oldKey, newKey] = ['an old key of the store'.replaceAll(' ', '-'), 'a-new-key-of-the-store'];
const env = { ENTREPOT_HOOK_KEYS: `${oldKey},${newKey}`, ENTREPOT_MAX_FILE_SIZE: '1MiB', ENTREPOT_QUOTA_PERSON: '100000' };
const secret = 'open sesame street';
const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('direct uploads', () => {
  let server: TestServer;
  let receiver: Receiver;
  let admin: string;
  let ann: Person;

  before(async () => {
    receiver = await startReceiver({ answer: () => ({ status: 200 }) });
    server = await startServer({ env });
    admin = await givenOperator(server);
    ann = await givenPerson(server, admin);
  });
  after(() => Promise.all([server.stop(), receiver.stop()]));

  const ask = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    call(server, method, path, { token: ann.token, headers, ...(body === undefined ? {} : { body }) });
  const begin = async (bytes: Uint8Array, wish: Json = {}): Promise<Json> => {
    const body = { name: 'direct.png', size: bytes.length, type: 'image/png', ...wish };
    const answer = await ask('POST', '/v1/files/direct', body);
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
  };
  const put = async (url: string, bytes: Uint8Array, headers: Record<string, string> = {}) => {
    const response = await fetch(url, { method: 'PUT', headers, body: Buffer.from(bytes) });
    const text = await response.text();
    noteRefusal('PUT', new URL(url).pathname, response.status, text);
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : (JSON.parse(text) as Json) };
  };
  const kindOf = ({ status, body }: { status: number; body: Json }) => [status, body?.type];
  const fileOf = async (id: string): Promise<Json> => (await ask('GET', `/v1/files/${id}`)).body;
  const notify = (key: string, token: string | undefined = newKey) =>
    call(server, 'POST', '/v1/hooks/object-created', {
      token,
      body: { Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'media' }, object: { key, size: 1 } } }] },
    });

  it('are declared, sent to a signed address without a token, and stored', async () => {
    const bytes = png();
    const { file, upload } = await begin(bytes, { title: 'The harbour', roles: ['Coach'], sha256: sha256Of(bytes).toUpperCase() });
    assert.deepEqual(
      [file.state, file.size, file.type, file.title, file.roles],
      ['expected', bytes.length, 'image/png', 'The harbour', ['Coach']],
    );
    assert.equal(upload.method, 'PUT');
    assert.deepEqual(upload.headers, { 'content-type': 'image/png' });
    assert.ok(upload.url.startsWith(`${server.url}/v1/files/direct/${file.id}?`));
    const restMs = Date.parse(upload.expiresAt) - Date.now();
    assert.ok(restMs > 59 * 60_000 && restMs <= 60 * 60_000 + 1_000);
    assert.equal((await fileOf(file.id)).state, 'expected');
    assert.equal((await ask('GET', `/v1/files/${file.id}/content`)).status, 404);

    const sent = await put(upload.url, bytes, upload.headers);
    assert.deepEqual([sent.status, sent.headers.get('etag')], [200, `"${sha256Of(bytes)}"`]);
    const stored = await fileOf(file.id);
    assert.deepEqual([stored.state, stored.sha256], ['stored', sha256Of(bytes)]);
    assert.equal((await ask('GET', `/v1/files/${file.id}/content`)).status, 200);
    const { entries } = (await ask('GET', `/v1/trace/${file.id}`)).body;
    assert.deepEqual(
      entries.map(({ what }: Json) => what),
      ['received', 'checked', 'stored'],
    );
  });

  it('show their signed address once, also where the request is sent again', async () => {
    const key = { 'idempotency-key': crypto.randomUUID() };
    const body = { name: 'once.txt', size: 12, type: 'text/plain' };
    const first = await ask('POST', '/v1/files/direct', body, key);
    const again = await ask('POST', '/v1/files/direct', body, key);
    assert.deepEqual([...kindOf(again), again.body.id], [409, '/problems/already-created', first.body.file.id]);
    assert.ok(!again.text.includes('signature'));
  });

  it('are taken once: the same bytes again change nothing, others are refused, of two at a time one waits', async () => {
    const bytes = png({ width: 40 });
    const { file, upload } = await begin(bytes);
    const both = await Promise.all([put(upload.url, bytes), put(upload.url, bytes)]);
    for (const answer of both) assert.ok(answer.status === 200 || answer.status === 409, JSON.stringify(answer.body));
    assert.ok(both.some(({ status }) => status === 200));
    assert.equal((await put(upload.url, bytes)).status, 200);
    assert.deepEqual(kindOf(await put(upload.url, png({ width: 41 }))), [409, '/problems/conflict']);
    assert.equal((await fileOf(file.id)).sha256, sha256Of(bytes));
  });

  it('are rejected where the bytes are not what was declared, and targets are told', async () => {
    const target = await givenTarget(server, admin, {
      ...{ kind: 'webhook', types: ['file.rejected'], config: { url: new URL('/facts', receiver.url).href } },
    });
    const bytes = png();
    const cases: [Json, Uint8Array, unknown[]][] = [
      [{ size: bytes.length + 1 }, bytes, [400, '/problems/bad-request']],
      [{ size: bytes.length - 1 }, bytes, [400, '/problems/bad-request']],
      [{ sha256: sha256Of(utf8Text()) }, bytes, [400, '/problems/digest-mismatch']],
      [{ size: utf8Text().length }, utf8Text(), [415, '/problems/unsupported-type']],
      [{}, new Uint8Array(0), [400, '/problems/bad-request']],
    ];
    for (const [wish, sent, expected] of cases) {
      const { file, upload } = await begin(bytes, wish);
      assert.deepEqual(kindOf(await put(upload.url, sent)), expected);
      const { state, reason } = await fileOf(file.id);
      assert.deepEqual([state, typeof reason], ['rejected', 'string']);
      assert.deepEqual(kindOf(await put(upload.url, bytes)), [410, '/problems/gone'], 'it is over');
      await receiver.waitFor((all) => all.some(({ body }) => body.includes(file.id) && body.includes('file.rejected')));
      assert.equal((await ask('GET', `/v1/files/${file.id}/content`)).status, 404);
    }
    await call(server, 'DELETE', `/v1/targets/${target.id}`, { token: admin });
  });

  it('that break off change nothing, and are sent again', async () => {
    const bytes = Buffer.concat([png(), Buffer.alloc(80_000)]);
    const { file, upload } = await begin(bytes);
    const { pathname, search, port } = new URL(upload.url);
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`PUT ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    socket.write(bytes.subarray(0, 40_000));
    await sleep(200);
    assert.deepEqual(kindOf(await put(upload.url, bytes)), [409, '/problems/conflict'], 'while they come in');
    socket.destroy();
    await eventually(
      () => put(upload.url, bytes),
      ({ status }) => status === 200,
    );
    assert.equal((await fileOf(file.id)).state, 'stored');
  });

  it('go to the address as it was given, and not for ever', async () => {
    const bytes = png();
    const { file, upload } = await begin(bytes);
    const changed = new URL(upload.url);
    changed.searchParams.set('expires', String(Number(changed.searchParams.get('expires')) + 1));
    const badLink = [403, '/problems/bad-link'];
    assert.deepEqual(kindOf(await put(changed.href, bytes)), badLink);
    for (const unlocked of ['yes', 'no', '']) assert.deepEqual(kindOf(await put(`${upload.url}&unlocked=${unlocked}`, bytes)), badLink);
    assert.deepEqual(kindOf(await put(upload.url.replace('expires=', 'expires=0'), bytes)), badLink);
    assert.deepEqual(kindOf(await put(`${upload.url}&by=me`, bytes)), [400, '/problems/bad-query']);
    assert.deepEqual(kindOf(await put(upload.url.split('?')[0] ?? '', bytes)), badLink);
    const other = await begin(bytes);
    assert.deepEqual(kindOf(await put(upload.url.replace(file.id, other.file.id), bytes)), badLink);
    await ask('DELETE', `/v1/files/${file.id}?permanent=true`);
    assert.deepEqual(kindOf(await put(upload.url, bytes)), [404, '/problems/not-found']);
  });

  it('are refused before a byte is sent where that is known', async () => {
    const wrong = async (wish: Json) =>
      kindOf(await ask('POST', '/v1/files/direct', { name: 'x.png', size: 10, type: 'image/png', ...wish }));
    assert.deepEqual(await wrong({ size: 0 }), [400, '/problems/empty']);
    assert.deepEqual(await wrong({ size: 2 * 1024 * 1024 }), [413, '/problems/too-large']);
    assert.deepEqual(await wrong({ type: 'application/x-msdownload' }), [415, '/problems/unsupported-type']);
    assert.deepEqual(await wrong({ folderId: 'fold_none' }), [404, '/problems/not-found']);
    assert.deepEqual(await wrong({ title: 'a\u0000b' }), [400, '/problems/bad-request']);
    assert.deepEqual(await wrong({ colour: 'red' }), [400, '/problems/bad-body']);
  });

  it('hold the room that they will take, however many begin at once', async () => {
    const bob = await givenPerson(server, admin);
    const beginnings = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        call(server, 'POST', '/v1/files/direct', { token: bob.token, body: { name: `${index}.png`, size: 30_000, type: 'image/png' } }),
      ),
    );
    const statuses = beginnings.map(({ status }) => status);
    assert.deepEqual([statuses.filter((status) => status === 201).length, statuses.filter((status) => status === 507).length], [3, 9]);
  });

  it('into a folder that is locked meanwhile are refused, those that had unlocked it are taken', async () => {
    const folder = await ask('POST', '/v1/folders', { name: 'vault' });
    const folderId = folder.body.id;
    const bytes = png();
    const before = await begin(bytes, { folderId });
    assert.equal((await ask('PUT', `/v1/folders/${folderId}/lock`, { password: secret })).status, 204);
    assert.deepEqual(kindOf(await put(before.upload.url, bytes)), [423, '/problems/locked']);
    const wish = { name: 'in.png', size: bytes.length, type: 'image/png', folderId };
    assert.deepEqual(kindOf(await ask('POST', '/v1/files/direct', wish)), [423, '/problems/locked']);
    const { folderToken } = (await ask('POST', `/v1/folders/${folderId}/unlock`, { password: secret })).body;
    const { body } = await ask('POST', '/v1/files/direct', wish, { 'x-folder-token': folderToken });
    assert.equal((await put(body.upload.url, bytes)).status, 200);
  });

  it('the store’s notification needs one of the keys', async () => {
    const none = await call(server, 'POST', '/v1/hooks/object-created', { body: { Records: [] } });
    assert.deepEqual(kindOf(none), [401, '/problems/not-signed-in']);
    assert.equal(none.headers.get('www-authenticate'), 'Bearer');
    assert.equal((await notify('x', 'another key of a store')).status, 401);
    assert.equal((await notify('x', admin)).status, 401, 'a session is no key');
    for (const key of [oldKey, newKey]) assert.equal((await notify('x', key)).status, 204);
    assert.deepEqual(kindOf(await call(server, 'POST', '/v1/hooks/object-created', { token: newKey, body: {} })), [
      400,
      '/problems/bad-body',
    ]);
  });

  it('bytes that came into the store by another way become a file when the store tells of them, or are rejected', async () => {
    const bytes = png();
    const [good, other, small] = [
      await begin(bytes),
      await begin(bytes, { sha256: sha256Of(utf8Text()) }),
      await begin(utf8Text(), { size: 5 }),
    ];
    const { dataFolder } = server;
    await server.kill('SIGTERM');
    const blobs = await openBlobStore({ url: `folder:${join(dataFolder, 'blobs')}`, clock: createClock() });
    for (const { file } of [good, other]) await blobs.put(file.id, bytes);
    await blobs.put(small.file.id, utf8Text());
    server = await startServer({ dataFolder, env });
    for (const { file } of [good, other, small]) assert.equal((await notify(`in/${file.id}`)).status, 204);
    const states = await Promise.all([good, other, small].map(async ({ file }) => (await fileOf(file.id)).state));
    assert.deepEqual(states, ['stored', 'rejected', 'rejected']);
    assert.equal((await fileOf(good.file.id)).sha256, sha256Of(bytes));
  });

  it('notifications that come early, late, twice or for something else change nothing', async () => {
    const bytes = png();
    const { file, upload } = await begin(bytes);
    const foreign = (await ask('POST', '/v1/files?name=own.txt', 'own bytes', { 'content-type': 'text/plain' })).body;
    const keys = [`in/${file.id}`, 'photo.png', 'file_00000000000000000000000000', `${foreign.id}`, `../${file.id}/`, ''];
    for (const key of keys) assert.equal((await notify(encodeURIComponent(key))).status, 204, key);
    assert.equal((await fileOf(file.id)).state, 'expected', 'the bytes are not there yet');
    assert.equal((await put(upload.url, bytes)).status, 200);
    const stored = await fileOf(file.id);
    for (const key of [...keys, ...keys]) assert.equal((await notify(key)).status, 204, key);
    assert.deepEqual(await fileOf(file.id), stored);
    assert.equal((await fileOf(foreign.id)).state, 'stored');
    const { entries } = (await ask('GET', `/v1/trace/${file.id}`)).body;
    assert.equal(entries.filter(({ what }: Json) => what === 'stored').length, 1);
  });
});
