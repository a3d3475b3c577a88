import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readData } from '../support/data-file.ts';
import { fetchBytes } from '../support/file-calls.ts';
import { call, eventually, givenOperator, givenService, givenTarget, type Json } from '../support/given.ts';
import { givenFile, lockAway } from '../support/given-files.ts';
import { startReceiver } from '../support/receiver.ts';
import { gifWithScript, html, mp4, pdfWithHtml, png, svg, utf8Text, zip } from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

describe('files are fetched', () => {
  let server: TestServer;
  let owner: string;
  let other: string;

  before(async () => {
    server = await startServer({ env: { ENTREPOT_FILE_TYPES: '*/*' } });
    owner = await givenOperator(server);
    other = (await givenService(server, owner, ['files:read', 'files:write'])).token;
  });
  after(() => server.stop());

  const contentOf = ({ id }: Json, options: Parameters<typeof fetchBytes>[2] = { token: owner }) =>
    fetchBytes(server, `/v1/files/${id}/content`, options);
  const downloadsOf = async ({ id }: Json): Promise<number> => {
    const { body } = await call(server, 'GET', `/v1/files/accesses?file=${id}`, { token: owner });
    return body.items.length;
  };

  it('what comes out is what went in, byte by byte', async () => {
    for (const [bytes, type, served] of [
      [utf8Text(), 'text/plain', 'text/plain; charset=utf-8'],
      [png(), 'image/png', 'image/png'],
      [mp4({ bytes: 3_000_000 }), 'video/mp4', 'video/mp4'],
    ] as const) {
      const file = await givenFile(server, owner, bytes, {}, type);
      const { status, bytes: back, headers } = await contentOf(file);
      assert.equal(status, 200);
      assert.ok(back.equals(bytes));
      assert.equal(headers.get('etag'), `"${createHash('sha256').update(bytes).digest('hex')}"`);
      assert.deepEqual([file.type, headers.get('content-type')], [type, served]);
      assert.equal(headers.get('cache-control'), 'private, no-cache');
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
    }
  });

  it('in parts, again only when changed, and as headers alone', async () => {
    const file = await givenFile(server, owner, '0123456789');
    const part = await contentOf(file, { token: owner, headers: { range: 'bytes=2-4' } });
    assert.deepEqual([part.status, part.bytes.toString(), part.headers.get('content-range')], [206, '234', 'bytes 2-4/10']);
    const beyond = await contentOf(file, { token: owner, headers: { range: 'bytes=10-' } });
    assert.deepEqual([beyond.status, beyond.kind, beyond.headers.get('content-range')], [416, 'bad-range', 'bytes */10']);
    const known = await contentOf(file, { token: owner, headers: { 'if-none-match': `"${file.sha256}"` } });
    assert.deepEqual([known.status, known.bytes.length], [304, 0]);
    const failed = await contentOf(file, { token: owner, headers: { 'if-match': '"another"' } });
    assert.deepEqual([failed.status, failed.kind], [412, 'precondition-failed']);
    const head = await contentOf(file, { token: owner, method: 'HEAD' });
    assert.deepEqual([head.status, head.headers.get('content-length'), head.bytes.length], [200, '10', 0]);
  });

  it('a download is one GET from the first byte on: HEAD, 304 and later parts do not count', async () => {
    const file = await givenFile(server, owner, '0123456789');
    await contentOf(file);
    await contentOf(file, { token: owner, headers: { range: 'bytes=0-1' } });
    await contentOf(file, { token: owner, headers: { range: 'bytes=4-5,0-1' } }); // sent as one, they lie so near
    await contentOf(file, { token: owner, headers: { range: 'bytes=2-' } });
    await contentOf(file, { token: owner, headers: { range: 'bytes=90-' } });
    await contentOf(file, { token: owner, headers: { 'if-none-match': '*' } });
    await contentOf(file, { token: owner, method: 'HEAD' });
    assert.equal(await downloadsOf(file), 3);
    const counted = readData(server.dataFolder, (rows) => rows(`select downloads from files where id = '${file.id}'`));
    assert.equal(counted[0]?.downloads, 3);
    const { body: trace } = await call(server, 'GET', `/v1/trace/${file.id}`, { token: owner });
    const fetched = trace.entries.filter(({ what }: Json) => what === 'fetched');
    assert.deepEqual(
      fetched.map(({ where, detail }: Json) => [where, detail]),
      [10, 2, 6].map((bytes) => ['127.0.0.1', { how: 'content', bytes }]),
    );
    assert.equal(trace.state, 'stored');
  });

  it('is told to targets with how and by whom', async () => {
    const receiver = await startReceiver();
    try {
      await givenTarget(server, owner, { kind: 'webhook', types: ['file.fetched'], config: { url: receiver.url } });
      const { body: me } = await call(server, 'GET', '/v1/me', { token: owner });
      const file = await givenFile(server, owner, 'told', { name: 'told.txt', title: 'Told' });
      await contentOf(file);
      await receiver.waitFor((list) => list.length > 0);
      const { type, data } = JSON.parse(receiver.received[0]?.body ?? '');
      assert.deepEqual([type, data.body], ['file.fetched', { ...file, how: 'content', by: me.id }]);
      const { body: trace } = await call(server, 'GET', `/v1/trace/${file.id}`, { token: owner });
      assert.equal(trace.entries.at(-1).who, me.id);
    } finally {
      await receiver.stop();
    }
  });

  it('by name: the newest of your own', async () => {
    await givenFile(server, owner, 'older', { name: 'Grüße 1.txt' });
    const newer = await givenFile(server, owner, 'newer', { name: 'Grüße 1.txt' });
    await givenFile(server, other, 'of somebody else', { name: 'Grüße 1.txt' });
    for (const name of ['Grüße 1.txt', 'Grüße 1.txt'.normalize('NFD')]) {
      const found = await fetchBytes(server, `/v1/files/by-name/${encodeURIComponent(name)}/content`, { token: owner });
      assert.deepEqual([found.status, found.bytes.toString()], [200, 'newer']);
      assert.equal(found.headers.get('content-location'), `/v1/files/${newer.id}/content`);
      assert.equal(found.headers.get('content-disposition'), `inline; filename="Gr__e 1.txt"; filename*=UTF-8''Gr%C3%BC%C3%9Fe%201.txt`);
    }
    const none = await fetchBytes(server, '/v1/files/by-name/nothing.txt/content', { token: owner });
    assert.deepEqual([none.status, none.kind], [404, 'not-found']);
    const changed = await fetchBytes(server, `/v1/files/by-name/${encodeURIComponent('Grüße 1.txt')}/content`, {
      token: owner,
      headers: { 'if-match': '"x"' },
    });
    assert.equal(changed.kind, 'precondition-failed');
    const beyond = await fetchBytes(server, `/v1/files/by-name/${encodeURIComponent('Grüße 1.txt')}/content`, {
      token: owner,
      headers: { range: 'bytes=99-' },
    });
    assert.equal(beyond.kind, 'bad-range');
  });

  it('nothing that could run in a browser is shown: pages, drawings, and pictures that are scripts as well', async () => {
    const cases: readonly (readonly [Buffer, string, string, string])[] = [
      [html(), 'page.html', 'text/html', 'attachment'],
      [svg(), 'drawing.svg', 'image/svg+xml', 'attachment'],
      [zip(), 'archive.zip', 'application/zip', 'attachment'],
      [gifWithScript(), 'picture.gif', 'image/gif', 'inline'],
      [pdfWithHtml(), 'paper.pdf', 'application/pdf', 'inline'],
    ];
    for (const [bytes, name, type, disposition] of cases) {
      const file = await givenFile(server, owner, bytes, { name }, type);
      const { headers } = await contentOf(file);
      assert.equal(headers.get('content-type')?.split(';')[0], type);
      assert.ok(headers.get('content-disposition')?.startsWith(`${disposition};`), `${name}: ${headers.get('content-disposition')}`);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      if (type !== 'application/pdf') assert.match(headers.get('content-security-policy') ?? '', /sandbox/);
      const asked = await fetchBytes(server, `/v1/files/${file.id}/content?disposition=attachment`, { token: owner });
      assert.match(asked.headers.get('content-disposition') ?? '', /^attachment;/);
      const wished = await fetchBytes(server, `/v1/files/${file.id}/content?disposition=inline`, { token: owner });
      assert.ok(wished.headers.get('content-disposition')?.startsWith(`${disposition};`));
    }
  });

  it('a private file is nobody else’s: an admin sees its row and not its bytes', async () => {
    const file = await givenFile(server, other, 'of the service');
    const refused = await contentOf(file);
    assert.deepEqual([refused.status, refused.kind], [403, 'not-allowed']);
    const own = await givenFile(server, owner, 'of the operator');
    assert.equal((await contentOf(own, { token: other })).status, 404);
    const shared = await givenFile(server, owner, 'for the tenant', { visibility: 'tenant' });
    assert.equal((await contentOf(shared, { token: other })).bytes.toString(), 'for the tenant');
  });

  it('what is locked away is 423 for its owner, by id and by name, and nothing for others', async () => {
    const file = await givenFile(server, owner, 'secret', { name: 'locked.txt', visibility: 'tenant' });
    await lockAway(server, owner, file.id);
    assert.deepEqual((await contentOf(file)).kind, 'locked');
    assert.deepEqual((await contentOf(file, { token: other })).kind, 'not-found');
    assert.deepEqual((await fetchBytes(server, '/v1/files/by-name/locked.txt/content', { token: owner })).kind, 'locked');
  });

  it('from an unlocked folder targets are told ids only, and who fetched it is seen with the token alone', async () => {
    const receiver = await startReceiver();
    try {
      const { body: folder } = await call(server, 'POST', '/v1/folders', { token: owner, body: { name: 'vault' } });
      const file = await givenFile(server, owner, 'kept secret', { name: 'in-the-vault.txt', folderId: folder.id });
      const lock = { token: owner, body: { password: 'open sesame, please' } };
      assert.equal((await call(server, 'PUT', `/v1/folders/${folder.id}/lock`, lock)).status, 204);
      const unlocked = await call(server, 'POST', `/v1/folders/${folder.id}/unlock`, lock);
      assert.equal(unlocked.status, 200, unlocked.text);
      const headers = { 'x-folder-token': unlocked.body.folderToken };
      await givenTarget(server, owner, { kind: 'webhook', types: ['file.fetched'], config: { url: receiver.url } });
      assert.equal((await contentOf(file, { token: owner, headers })).bytes.toString(), 'kept secret');
      await receiver.waitFor((list) => list.length > 0);
      const sent = receiver.received[0]?.body ?? '';
      assert.ok(sent.includes(file.id) && !sent.includes('in-the-vault'), sent);
      assert.equal(await downloadsOf(file), 0);
      const { body } = await call(server, 'GET', `/v1/files/accesses?file=${file.id}`, { token: owner, headers });
      assert.equal(body.items.length, 1);
    } finally {
      await receiver.stop();
    }
  });

  it('what is in the trash has no content', async () => {
    const file = await givenFile(server, owner, 'trashed');
    await call(server, 'DELETE', `/v1/files/${file.id}`, { token: owner });
    assert.deepEqual((await contentOf(file)).kind, 'not-found');
  });

  it('bytes that are lost are told loudly and never answered with something else', async () => {
    const file = await givenFile(server, owner, 'lost soon');
    const blobs = join(server.dataFolder, 'blobs');
    const [path] = readdirSync(blobs, { recursive: true, encoding: 'utf8' }).filter((one) => one.endsWith(file.id));
    assert.ok(path !== undefined && existsSync(join(blobs, path)));
    rmSync(join(blobs, path));
    const answer = await contentOf(file);
    assert.deepEqual([answer.status, answer.kind], [500, 'internal']);
    await eventually(
      async () => server.output(),
      (output) => output.includes('"file.bytes-missing"') && output.includes(file.id),
    );
    assert.equal(await downloadsOf(file), 0);
  });

  it('downloads are known after a stop in good order', async () => {
    const elsewhere = await startServer();
    const token = await givenOperator(elsewhere);
    const file = await givenFile(elsewhere, token, 'counted');
    await fetchBytes(elsewhere, `/v1/files/${file.id}/content`, { token });
    assert.equal(await elsewhere.kill('SIGTERM'), 0);
    const again = await startServer({ dataFolder: elsewhere.dataFolder });
    try {
      const { body } = await call(again, 'GET', `/v1/files/accesses?file=${file.id}`, { token: await givenOperator(again) });
      assert.equal(body.items.length, 1);
    } finally {
      await again.stop();
    }
  });
});
