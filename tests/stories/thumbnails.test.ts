import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import sharp from 'sharp';
import { fetchBytes } from '../support/file-calls.ts';
import { call, givenOperator, givenService, type Json } from '../support/given.ts';
import { givenFile, lockAway } from '../support/given-files.ts';
import { brokenPng, exifJpeg, imageBomb, png, zip } from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

describe('thumbnails', () => {
  let server: TestServer;
  let owner: string;

  before(async () => {
    server = await startServer();
    owner = await givenOperator(server);
  });
  after(() => server.stop());

  const thumbnailOf = ({ id }: Json, query = '', headers: Readonly<Record<string, string>> = {}) =>
    fetchBytes(server, `/v1/files/${id}/thumbnail${query}`, { token: owner, headers });
  const keptBlobs = () =>
    readdirSync(join(server.dataFolder, 'blobs'), { recursive: true, encoding: 'utf8' }).filter((path) => /-t\d+$/.test(path));

  it('of a picture are small pictures, in four sizes, kept once they are made', async () => {
    const file = await givenFile(server, owner, png({ width: 1600, height: 900 }), { name: 'harbour.png' }, 'image/png');
    assert.equal(file.thumbnailUrl, `${server.url}/v1/files/${file.id}/thumbnail`);
    for (const size of [undefined, 128, 256, 512, 1024]) {
      const { status, bytes, headers } = await thumbnailOf(file, size === undefined ? '' : `?size=${size}`);
      assert.equal(status, 200);
      const { width, height, format } = await sharp(bytes).metadata();
      assert.deepEqual([format, width, height], ['webp', size ?? 256, Math.round(((size ?? 256) * 9) / 16)]);
      assert.equal(headers.get('content-type'), 'image/webp');
      assert.equal(headers.get('content-disposition'), 'inline; filename="harbour.webp"');
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
      assert.match(headers.get('cache-control') ?? '', /^private/);
      const again = await thumbnailOf(file, size === undefined ? '' : `?size=${size}`);
      assert.ok(again.bytes.equals(bytes));
      assert.equal(again.headers.get('etag'), headers.get('etag'));
    }
    assert.equal(keptBlobs().filter((path) => path.includes(file.id)).length, 4);
    assert.equal((await thumbnailOf(file, '?size=99')).status, 400);
    const etag = (await thumbnailOf(file)).headers.get('etag') ?? '';
    assert.equal((await thumbnailOf(file, '', { 'if-none-match': etag })).status, 304);
    assert.equal((await thumbnailOf(file, '', { 'if-match': '"x"' })).kind, 'precondition-failed');
    assert.equal((await thumbnailOf(file, '', { range: 'bytes=999999-' })).kind, 'bad-range');
  });

  it('asked for by many at once are made once', async () => {
    const file = await givenFile(server, owner, png({ width: 640, height: 480 }), {}, 'image/png');
    const answers = await Promise.all(Array.from({ length: 20 }, () => thumbnailOf(file, '?size=128')));
    assert.ok(answers.every(({ status, bytes }) => status === 200 && bytes.equals(answers[0]?.bytes ?? Buffer.alloc(0))));
  });

  it('stand upright as the camera meant it, and tell nothing of place and camera', async () => {
    const file = await givenFile(server, owner, exifJpeg(), { name: 'photo.jpg' }, 'image/jpeg');
    const { bytes } = await thumbnailOf(file);
    const { width, height, exif, icc, xmp, orientation } = await sharp(bytes).metadata();
    assert.deepEqual([width, height], [8, 12]);
    assert.deepEqual([exif, icc, xmp, orientation], [undefined, undefined, undefined, undefined]);
  });

  it('of anything but images there are none: an archive is not even opened', async () => {
    for (const [bytes, type] of [
      ['text', 'text/plain'],
      [zip(), 'application/zip'],
    ] as const) {
      const file = await givenFile(server, owner, bytes, {}, type);
      assert.equal(file.thumbnailUrl, undefined);
      const { status, kind } = await thumbnailOf(file);
      assert.deepEqual([status, kind], [415, 'unsupported-type']);
    }
  });

  it('of a broken picture, or one that would fill the memory, are refused, also the second time, and others go on', async () => {
    for (const bytes of [brokenPng(), imageBomb()]) {
      const file = await givenFile(server, owner, bytes, {}, 'image/png');
      for (const size of [256, 256, 512]) {
        const { status, kind } = await thumbnailOf(file, `?size=${size}`);
        assert.deepEqual([status, kind], [422, 'broken-image']);
      }
      assert.equal((await fetchBytes(server, `/v1/files/${file.id}/content`, { token: owner })).status, 200);
    }
    const good = await givenFile(server, owner, png(), {}, 'image/png');
    assert.equal((await thumbnailOf(good)).status, 200);
  });

  it('are for who may have the bytes, and hidden by a lock', async () => {
    const file = await givenFile(server, owner, png(), {}, 'image/png');
    assert.equal((await thumbnailOf(file)).status, 200);
    const { token } = await givenService(server, owner, ['files:read', 'files:write']);
    assert.equal((await fetchBytes(server, `/v1/files/${file.id}/thumbnail`, { token })).kind, 'not-found');
    const other = await givenFile(server, token, png(), {}, 'image/png');
    assert.equal((await thumbnailOf(other)).kind, 'not-allowed');
    await lockAway(server, owner, file.id);
    assert.equal((await thumbnailOf(file)).kind, 'locked');
  });

  it('are no downloads', async () => {
    const file = await givenFile(server, owner, png(), {}, 'image/png');
    await thumbnailOf(file);
    const { body } = await call(server, 'GET', `/v1/files/accesses?file=${file.id}`, { token: owner });
    assert.deepEqual(body.items, []);
  });
});
