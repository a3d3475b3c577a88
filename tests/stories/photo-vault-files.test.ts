import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fetchBytes, upload } from '../support/file-calls.ts';
import { call, eventually, type Json } from '../support/given.ts';
import { givenFile } from '../support/given-files.ts';
import * as samples from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// Story B: a photo vault. A phone sends bytes and fetches them by name; what is in the vault is its owner's alone.

const password = 'correct horse battery staple';

interface Owner {
  readonly id: string;
  readonly token: string;
  readonly phone: string;
}

describe('a photo vault for phones', () => {
  let server: TestServer;
  let grace: Owner;
  let ada: Owner;

  const givenOwner = async (username: string): Promise<Owner> => {
    const made = await call(server, 'POST', '/v1/people', { body: { username, password } });
    assert.equal(made.status, 201, made.text);
    const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', username, password } });
    const token: string = session.body.accessToken;
    const deviceId = `phone of ${username}`;
    const pairing = await call(server, 'POST', '/v1/devices/pairings', { token, body: { deviceId } });
    const device = await call(server, 'POST', '/v1/sessions', { body: { method: 'pin', deviceId, pin: pairing.body.pin } });
    assert.equal(device.status, 201, device.text);
    return { id: made.body.id, token, phone: device.body.accessToken };
  };

  before(async () => {
    // Only pictures, and none over 64 KiB.
    server = await startServer({ env: { ENTREPOT_FILE_TYPES: 'image/jpeg,image/png', ENTREPOT_MAX_FILE_SIZE: '64KiB' } });
    grace = await givenOwner('grace');
    ada = await givenOwner('ada');
  });
  after(() => server.stop());

  const byName = (token: string, name = 'IMG_0001.JPG') => fetchBytes(server, `/v1/files/by-name/${name}/content`, { token });

  it('a phone sends a photograph as it is, and it belongs to its person', async () => {
    const photo = await givenFile(server, grace.phone, samples.exifJpeg(), { name: 'IMG_0001.JPG' });
    assert.deepEqual([photo.owner, photo.type, photo.visibility], [grace.id, 'image/jpeg', 'private']);
    assert.equal((await call(server, 'GET', `/v1/files/${photo.id}`, { token: grace.token })).status, 200);
  });

  it('photographs of two people with one name are never confused', async () => {
    await givenFile(server, ada.phone, samples.png({ width: 31, height: 17 }), { name: 'IMG_0001.JPG' });
    assert.deepEqual((await byName(grace.phone)).bytes, samples.exifJpeg());
    assert.deepEqual((await byName(ada.phone)).bytes, samples.png({ width: 31, height: 17 }));
    assert.equal((await byName(grace.phone, 'IMG_0002.JPG')).status, 404);
  });

  it('of two with one name the newest is fetched by it, and both are kept', async () => {
    await givenFile(server, grace.phone, samples.png({ width: 5, height: 5 }), { name: 'IMG_0001.JPG' });
    assert.deepEqual((await byName(grace.token)).bytes, samples.png({ width: 5, height: 5 }));
    assert.equal((await call(server, 'GET', '/v1/files', { token: grace.token })).body.items.length, 2);
  });

  it('other formats and larger ones are refused', async () => {
    const send = (bytes: Uint8Array) => upload(server, bytes, { token: grace.phone });
    assert.equal((await send(samples.pdf())).status, 415);
    const large = await send(Buffer.concat([samples.png(), Buffer.alloc(65 * 1024)]));
    assert.deepEqual([large.status, large.body.type, large.body.limit], [413, '/problems/too-large', 64 * 1024]);
  });

  it('a folder with a lock hides its photographs on every road until it is unlocked', async () => {
    const { token } = grace;
    const folder = await call(server, 'POST', '/v1/folders', { token, body: { name: 'Private' } });
    assert.equal(folder.status, 201, folder.text);
    const folderId: string = folder.body.id;
    const hidden = await givenFile(server, grace.phone, samples.png({ width: 7, height: 7 }), { name: 'hidden.png', folderId });
    const link = (await call(server, 'POST', `/v1/files/${hidden.id}/links`, { token, body: {} })).body.url;
    const share = (await call(server, 'POST', '/v1/shares', { token, body: { fileId: hidden.id } })).body.url;
    assert.equal((await fetchBytes(server, link)).status, 200);

    const lock = { password: 'only for me' };
    assert.equal((await call(server, 'PUT', `/v1/folders/${folderId}/lock`, { token, body: lock })).status, 204);
    const list = await call(server, 'GET', '/v1/files', { token });
    assert.ok(!list.body.items.some(({ id }: Json) => id === hidden.id));
    assert.ok(!(await call(server, 'GET', '/v1/files?q=hidden', { token })).body.items.some(({ id }: Json) => id === hidden.id));
    const shareToken = share.split('/').at(-1);
    for (const [method, path] of [
      ['GET', `/v1/files/${hidden.id}`],
      ['GET', `/v1/files/${hidden.id}/content`],
      ['GET', `/v1/files/${hidden.id}/thumbnail`],
      ['GET', '/v1/files/by-name/hidden.png/content'],
      ['GET', `/v1/files?folder=${folderId}`],
      ['GET', `/v1/trace/${hidden.id}`],
      ['POST', `/v1/shares/${shareToken}/open`],
    ] as const) {
      const { status, text } = await call(server, method, path, { token, ...(method === 'POST' ? { body: {} } : {}) });
      assert.equal(status, 423, `${path}: ${text}`);
    }
    assert.equal((await fetchBytes(server, link)).status, 423);
    const into = await upload(server, samples.png(), { token: grace.phone, query: { folderId } });
    assert.equal(into.status, 423);
    assert.equal((await call(server, 'GET', `/v1/files/${hidden.id}`, { token: ada.token })).status, 404);

    const opened = await call(server, 'POST', `/v1/folders/${folderId}/unlock`, { token, body: lock });
    assert.equal(opened.status, 200, opened.text);
    const headers = { 'x-folder-token': opened.body.folderToken };
    assert.equal((await fetchBytes(server, `/v1/files/${hidden.id}/content`, { token, headers })).status, 200);
    assert.equal((await call(server, 'GET', `/v1/trace/${hidden.id}`, { token, headers })).status, 200);
    assert.equal((await call(server, 'DELETE', `/v1/folders/${folderId}/lock`, { token, body: lock })).status, 204);
    assert.equal((await fetchBytes(server, link)).status, 200);
  });

  it('a share with a password and one download lets one friend fetch it, once', async () => {
    const { token } = grace;
    const photo = await givenFile(server, grace.phone, samples.png({ width: 9, height: 9 }), { name: 'shared.png' });
    const body = { fileId: photo.id, password: 'tell nobody', maxDownloads: 1 };
    const made = await call(server, 'POST', '/v1/shares', { token, body });
    assert.equal(made.status, 201, made.text);
    const shareToken: string = made.body.url.split('/').at(-1);
    const open = (given: object) => call(server, 'POST', `/v1/shares/${shareToken}/open`, { body: given });
    assert.equal((await open({ password: 'wrong guess' })).status, 403);
    const opened = await open({ password: 'tell nobody' });
    assert.equal(opened.status, 200, opened.text);
    assert.deepEqual(opened.body.items, [{ id: photo.id, name: 'shared.png', type: 'image/png', size: photo.size }]);
    const headers = { 'x-share-token': opened.body.shareToken };
    const path = `/v1/shares/${shareToken}/files/${photo.id}/content`;
    assert.equal((await fetchBytes(server, path, { headers })).status, 200);
    assert.equal((await fetchBytes(server, path, { headers })).status, 410);
    assert.equal((await open({ password: 'tell nobody' })).status, 410);
  });

  it('a photograph is deleted, taken back, and deleted for good', async () => {
    const { token } = grace;
    const photo = await givenFile(server, grace.phone, samples.png({ width: 11, height: 11 }), { name: 'gone.png' });
    const path = `/v1/files/${photo.id}`;
    assert.equal((await call(server, 'DELETE', path, { token })).status, 204);
    assert.equal((await fetchBytes(server, `${path}/content`, { token })).status, 404);
    assert.equal((await call(server, 'POST', `${path}/restore`, { token })).status, 200);
    assert.equal((await fetchBytes(server, `${path}/content`, { token })).status, 200);
    assert.equal((await call(server, 'DELETE', `${path}?permanent=true`, { token })).status, 204);
    assert.equal((await call(server, 'GET', path, { token })).status, 404);
    const trace = await call(server, 'GET', `/v1/trace/${photo.id}`, { token });
    assert.deepEqual([trace.status, trace.body.state], [200, 'deleted']);
  });

  it('with the account everything goes: rows, bytes and links, and nobody else loses anything', async () => {
    const { token } = grace;
    const photo = (await call(server, 'GET', '/v1/files', { token })).body.items[0];
    const link = (await call(server, 'POST', `/v1/files/${photo.id}/links`, { token, body: {} })).body.url;
    assert.equal((await call(server, 'DELETE', '/v1/me', { token, body: { password } })).status, 204);
    assert.equal((await byName(grace.phone)).status, 401);
    await eventually(
      () => fetchBytes(server, link),
      ({ status }) => status === 404,
    );
    assert.equal((await byName(ada.phone)).status, 200);
  });
});
