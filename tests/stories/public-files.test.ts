import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fetchBytes } from '../support/file-calls.ts';
import { call, givenOperator } from '../support/given.ts';
import { givenFile, lockAway } from '../support/given-files.ts';
import { html, png } from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// Story C: a public file host.

describe('a public file', () => {
  let server: TestServer;
  let owner: string;

  before(async () => {
    server = await startServer();
    owner = await givenOperator(server);
  });
  after(() => server.stop());

  it('is for everybody, on every site, and in caches for ever', async () => {
    const file = await givenFile(server, owner, png(), { name: 'Straße & Café?.png', visibility: 'public' }, 'image/png');
    assert.ok(file.url.startsWith(`${server.url}/p/${file.id}/`), file.url);
    const { status, bytes, headers } = await fetchBytes(server, file.url, { headers: { origin: 'https://elsewhere.example.org' } });
    assert.equal(status, 200);
    assert.ok(bytes.equals(png()));
    assert.equal(headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(headers.get('cross-origin-resource-policy'), 'cross-origin');
    assert.equal(headers.get('access-control-allow-origin'), '*');
    assert.equal(headers.get('etag'), `"${file.sha256}"`);
    assert.equal(headers.get('content-type'), 'image/png');
    assert.equal((await fetchBytes(server, file.url, { headers: { 'if-none-match': `"${file.sha256}"` } })).status, 304);
    assert.equal((await fetchBytes(server, file.url, { headers: { range: 'bytes=0-7' } })).status, 206);
    assert.equal((await fetchBytes(server, file.url, { method: 'HEAD' })).status, 200);
    assert.equal((await fetchBytes(server, file.url, { headers: { 'if-match': '"x"' } })).kind, 'precondition-failed');
    assert.equal((await fetchBytes(server, file.url, { headers: { range: 'bytes=9999-' } })).kind, 'bad-range');
  });

  it('is at one address only, so that nobody fills caches with it', async () => {
    const file = await givenFile(server, owner, 'one address', { name: 'one.txt', visibility: 'public' });
    assert.equal((await fetchBytes(server, `/p/${file.id}/another.txt`)).kind, 'not-found');
    assert.equal((await fetchBytes(server, `${file.url}?version=2`)).status, 400);
  });

  it('that is a page does nothing in our name', async () => {
    const env = { ENTREPOT_FILE_TYPES: 'text/*' };
    const lenient = await startServer({ env });
    try {
      const token = await givenOperator(lenient);
      const file = await givenFile(lenient, token, html(), { name: 'page.html', visibility: 'public' }, 'text/html');
      const { headers } = await fetchBytes(lenient, file.url);
      assert.match(headers.get('content-disposition') ?? '', /^attachment;/);
      assert.match(headers.get('content-security-policy') ?? '', /sandbox/);
      assert.equal(headers.get('x-content-type-options'), 'nosniff');
    } finally {
      await lenient.stop();
    }
  });

  it('is not found any more when it is taken back or thrown away, and locked away it is locked', async () => {
    const given = () => givenFile(server, owner, 'taken back', { name: 'taken.txt', visibility: 'public' });
    const back = await given();
    await call(server, 'PATCH', `/v1/files/${back.id}`, { token: owner, body: { visibility: 'private' } });
    const answer = await fetchBytes(server, back.url);
    assert.deepEqual([answer.kind, answer.headers.get('cache-control')], ['not-found', 'no-store']);
    const trashed = await given();
    await call(server, 'DELETE', `/v1/files/${trashed.id}`, { token: owner });
    assert.equal((await fetchBytes(server, trashed.url)).kind, 'not-found');
    const locked = await given();
    await lockAway(server, owner, locked.id);
    assert.equal((await fetchBytes(server, locked.url)).kind, 'locked');
    assert.equal((await fetchBytes(server, '/p/file_01k8t3w0e5f6g7h8j9kamn0pqr/x')).kind, 'not-found');
  });

  it('that is not public is not found here, whoever asks', async () => {
    const file = await givenFile(server, owner, 'private', { name: 'private.txt' });
    assert.equal(file.url, undefined);
    assert.equal((await fetchBytes(server, `/p/${file.id}/private.txt`, { token: owner })).kind, 'not-found');
  });

  it('is counted, by whom is not known', async () => {
    const file = await givenFile(server, owner, 'counted', { visibility: 'public' });
    for (let index = 0; index < 5; index += 1) await fetchBytes(server, file.url);
    const { body } = await call(server, 'GET', `/v1/files/accesses?file=${file.id}`, { token: owner });
    assert.deepEqual(
      body.items.map(({ how, person }: { how: string; person?: string }) => [how, person]),
      Array.from({ length: 5 }, () => ['public', undefined]),
    );
  });
});
