import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fetchBytes, sendBytes, upload } from '../support/file-calls.ts';
import { call, eventually, type Json } from '../support/given.ts';
import * as samples from '../support/sample-files.ts';
import { operator, startServer, type TestServer } from '../support/start-server.ts';

// Story C: a public file host behind a CDN. Only what comes through the edge is let in; what is published has a lasting address.

const edgeKeys = ['edge-key-of-this-year-0001', 'edge-key-of-next-year-0002'];
const hookKey = 'hook-key-of-the-store-0001';

describe('a public file host behind an edge', () => {
  let server: TestServer;
  let token: string;
  const edge = { 'x-edge-key': edgeKeys[0] ?? '' };
  const get = (path: string) => call(server, 'GET', path, { token, headers: edge });
  const post = (path: string, body: unknown) => call(server, 'POST', path, { token, body, headers: edge });

  before(async () => {
    server = await startServer({ env: { ENTREPOT_EDGE_KEYS: edgeKeys.join(','), ENTREPOT_HOOK_KEYS: hookKey } });
    const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...operator }, headers: edge });
    assert.equal(session.status, 201, session.text);
    token = session.body.accessToken;
  });
  after(() => server.stop());

  let picture: Json;

  it('who does not come through the edge is sent away, whatever it knows', async () => {
    const answer = await upload(server, samples.png(), { token });
    assert.deepEqual([answer.status, answer.body.type], [403, '/problems/not-through-edge']);
  });

  it('a file without a name is uploaded and has a public address at once', async () => {
    const sent = await upload(server, samples.png(), { token, query: { visibility: 'public' }, headers: edge });
    assert.equal(sent.status, 201, sent.text);
    picture = sent.body;
    const got = await fetchBytes(server, new URL(picture.url).pathname, { headers: edge });
    assert.deepEqual([got.status, got.headers.get('content-type')], [200, 'image/png']);
    assert.match(got.headers.get('cache-control') ?? '', /public.*max-age=31536000.*immutable/);
    assert.equal(got.headers.get('etag'), `"${picture.sha256}"`);
  });

  it('the key of the edge is rotated without a moment in which nobody is let in', async () => {
    const path = new URL(picture.url).pathname;
    for (const key of edgeKeys) assert.equal((await fetchBytes(server, path, { headers: { 'x-edge-key': key } })).status, 200);
  });

  it('a page that somebody published is never run by a browser', async () => {
    const sent = await upload(server, samples.html(), {
      ...{ token, query: { name: 'page.html', visibility: 'public' }, headers: edge, type: 'text/html' },
    });
    assert.equal(sent.status, 201, sent.text);
    const { headers } = await fetchBytes(server, new URL(sent.body.url).pathname, { headers: edge });
    assert.match(headers.get('content-disposition') ?? '', /^attachment/);
    assert.match(headers.get('content-security-policy') ?? '', /sandbox/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
  });

  it('what is taken back is gone from its address', async () => {
    const changed = await call(server, 'PATCH', `/v1/files/${picture.id}`, { token, headers: edge, body: { visibility: 'private' } });
    assert.deepEqual([changed.status, changed.body.url], [200, undefined]);
    assert.equal((await fetchBytes(server, new URL(picture.url).pathname, { headers: edge })).status, 404);
    const words = (await get(`/v1/trace/${picture.id}`)).body.entries.map(({ what }: Json) => what);
    assert.ok(words.includes('unpublished'), words.join(' '));
  });

  const direct = async (bytes: Uint8Array, declared: object) => {
    const made = await post('/v1/files/direct', { name: 'direct.png', size: bytes.length, type: 'image/png', ...declared });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.body.file.state, 'expected');
    const { method, url, headers } = made.body.upload;
    const sent = await sendBytes(server, method, new URL(url).pathname + new URL(url).search, bytes, {
      headers: { ...headers, ...edge },
    });
    return { id: made.body.file.id as string, sent };
  };

  it('bytes go straight to the store; its notification may come late, twice, or for something else', async () => {
    const { id, sent } = await direct(samples.png(), {});
    assert.ok(sent.status < 300, sent.text);
    const stored = await eventually(
      () => get(`/v1/files/${id}`),
      ({ body }) => body.state === 'stored',
    );
    const notify = (key: string, authorization = `Bearer ${hookKey}`) =>
      call(server, 'POST', '/v1/hooks/object-created', {
        headers: { ...edge, authorization },
        body: { Records: [{ eventName: 'ObjectCreated:Put', s3: { bucket: { name: 'b' }, object: { key, size: 1 } } }] },
      });
    for (const key of [id, id, 'somebody/elses.png']) assert.equal((await notify(key)).status, 204);
    assert.equal((await notify(id, 'Bearer wrong')).status, 401);
    const now = await get(`/v1/files/${id}`);
    assert.deepEqual(now.body, stored.body);
  });

  it('bytes that are not what was declared are rejected, and the list says why', async () => {
    const { id, sent } = await direct(samples.pdf(), {});
    assert.ok(sent.status >= 400, String(sent.status));
    const { body } = await get('/v1/files?state=rejected');
    const rejected = body.items.find((file: Json) => file.id === id);
    assert.ok(rejected.reason.length > 0);
  });

  it('one lists what one has uploaded', async () => {
    const { body } = await get('/v1/files?owner=me&sort=name');
    assert.ok(body.items.length >= 3);
    assert.ok(body.items.every(({ owner }: Json) => owner === picture.owner));
  });
});
