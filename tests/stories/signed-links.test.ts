import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetchBytes } from '../support/file-calls.ts';
import { call, givenOperator, givenService, type Json } from '../support/given.ts';
import { givenFile, lockAway } from '../support/given-files.ts';
import { givenPerson } from '../support/given-people.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

describe('a signed link', () => {
  let server: TestServer;
  let owner: string;
  let stranger: string;

  before(async () => {
    server = await startServer({ env: { ENTREPOT_LOG_LEVEL: 'debug' } });
    owner = await givenOperator(server);
    stranger = (await givenService(server, owner, ['files:read'])).token;
  });
  after(() => server.stop());

  const makeLink = (file: Json, body: Json = {}, token = owner) => call(server, 'POST', `/v1/files/${file.id}/links`, { token, body });
  const givenLink = async (file: Json, body: Json = {}): Promise<string> => {
    const made = await makeLink(file, body);
    assert.equal(made.status, 201, made.text);
    return made.body.url;
  };
  const changed = (link: string, change: (url: URL) => void): string => {
    const url = new URL(link);
    change(url);
    return url.href;
  };

  it('lets whoever has it fetch the bytes, in parts and as headers too, without signing in', async () => {
    const file = await givenFile(server, owner, '0123456789', { name: 'Grüße.txt' });
    const { body } = await makeLink(file, { expiresIn: 600 });
    const leftMs = Date.parse(body.expiresAt) - Date.now();
    assert.ok(leftMs > 590_000 && leftMs <= 601_000, body.expiresAt);
    assert.ok(body.url.startsWith(`${server.url}/l/${file.id}/Gr%C3%BC%C3%9Fe.txt?`));
    const whole = await fetchBytes(server, body.url);
    assert.deepEqual([whole.status, whole.bytes.toString()], [200, '0123456789']);
    assert.match(whole.headers.get('content-disposition') ?? '', /^inline;/);
    assert.equal(whole.headers.get('cross-origin-resource-policy'), 'cross-origin', 'pages elsewhere may show it');
    const [, maxAge] = /^private, max-age=(\d+)$/.exec(whole.headers.get('cache-control') ?? '') ?? [];
    assert.ok(Number(maxAge) > 590 && Number(maxAge) <= 601, 'it may be kept as long as it is good');
    const part = await fetchBytes(server, body.url, { headers: { range: 'bytes=-3' } });
    assert.deepEqual([part.status, part.bytes.toString()], [206, '789']);
    assert.equal((await fetchBytes(server, body.url, { method: 'HEAD' })).headers.get('content-length'), '10');
    assert.equal((await fetchBytes(server, body.url, { headers: { 'if-none-match': `"${file.sha256}"` } })).status, 304);
    assert.equal((await fetchBytes(server, body.url, { headers: { 'if-match': '"x"' } })).kind, 'precondition-failed');
    assert.equal((await fetchBytes(server, body.url, { headers: { range: 'bytes=99-' } })).kind, 'bad-range');
  });

  it('is good for an hour unless its maker says otherwise, and for a week at the most', async () => {
    const file = await givenFile(server, owner, 'an hour');
    const leftMs = Date.parse((await makeLink(file)).body.expiresAt) - Date.now();
    assert.ok(leftMs > 3_590_000 && leftMs <= 3_601_000);
    assert.equal((await makeLink(file, { expiresIn: 7 * 86_400 })).status, 201);
    assert.equal((await makeLink(file, { expiresIn: 7 * 86_400 + 1 })).status, 400);
    assert.equal((await makeLink(file, { expiresIn: 0 })).status, 400);
    assert.equal((await makeLink(file, { disposition: 'executed' })).status, 400);
    const withoutBody = await call(server, 'POST', `/v1/files/${file.id}/links`, { token: owner });
    assert.equal(withoutBody.status, 201, withoutBody.text);
  });

  it('saves the file where its maker wants that', async () => {
    const file = await givenFile(server, owner, 'saved');
    const { headers } = await fetchBytes(server, await givenLink(file, { disposition: 'attachment' }));
    assert.match(headers.get('content-disposition') ?? '', /^attachment;/);
  });

  it('is worth nothing when anything in it was changed: file, end, disposition, key or signature', async () => {
    const file = await givenFile(server, owner, 'mine');
    const another = await givenFile(server, owner, 'not for the holder');
    const link = await givenLink(file, { expiresIn: 60 });
    const query = (name: string, value: string) => changed(link, (url) => url.searchParams.set(name, value));
    const expires = Number(new URL(link).searchParams.get('expires'));
    const signature = new URL(link).searchParams.get('signature') ?? '';
    const tampered = [
      link.replace(file.id, another.id),
      link.replace(file.id, 'file_01k8t3w0e5f6g7h8j9kamn0pqr'),
      query('expires', String(expires + 1)),
      query('expires', `0${expires}`.slice(0, 10)),
      query('expires', `0${expires}`),
      query('expires', 'never'),
      query('disposition', 'attachment'),
      query('disposition', 'x'),
      query('by', 'per_01k8t3w0e5f6g7h8j9kamn0pqr'),
      query('key', '0'),
      query('key', '999999'),
      query('key', `0${new URL(link).searchParams.get('key')}`),
      query('key', '../../etc/passwd'),
      query('signature', `${signature.slice(0, -2)}AA`),
      query('signature', ''),
      query('signature', signature.slice(0, 20)),
      ...['expires', 'disposition', 'by', 'key', 'signature'].map((name) => changed(link, (url) => url.searchParams.delete(name))),
    ];
    for (const one of tampered) {
      const { status, kind, bytes } = await fetchBytes(server, one);
      assert.deepEqual([status, kind], [403, 'bad-link'], `${one}: ${bytes}`);
    }
    for (const more of ['&unlocked=yes', '&utm_source=mail', `&expires=${expires}`])
      assert.deepEqual((await fetchBytes(server, link + more)).kind, 'bad-query', more);
    assert.equal((await fetchBytes(server, link)).status, 200);
    const renamed = await fetchBytes(server, link.replace('note.txt', 'another-name.txt'));
    assert.equal(renamed.status, 200, 'the name is for people');
  });

  it('ends: 410 from then on', async () => {
    const file = await givenFile(server, owner, 'short');
    const link = await givenLink(file, { expiresIn: 1 });
    assert.equal((await fetchBytes(server, link)).status, 200);
    await sleep(2_100);
    const { status, kind } = await fetchBytes(server, link);
    assert.deepEqual([status, kind], [410, 'gone']);
  });

  it('does not outlive the file, and opens no locked folder', async () => {
    const file = await givenFile(server, owner, 'put away');
    const link = await givenLink(file);
    await lockAway(server, owner, file.id);
    assert.equal((await fetchBytes(server, link)).kind, 'locked');
    assert.equal((await makeLink(file)).status, 423);
    const gone = await givenFile(server, owner, 'thrown away');
    const dead = await givenLink(gone);
    await call(server, 'DELETE', `/v1/files/${gone.id}`, { token: owner });
    assert.equal((await fetchBytes(server, dead)).kind, 'not-found');
    assert.equal((await makeLink(gone)).status, 404);
  });

  it('is made by whoever may read the bytes, and by nobody else', async () => {
    const file = await givenFile(server, owner, 'private');
    assert.equal((await makeLink(file, {}, stranger)).status, 404);
    const open = await givenFile(server, owner, 'for the tenant', { visibility: 'tenant' });
    assert.equal((await makeLink(open, {}, stranger)).status, 201);
  });

  it('is worth as much as its maker may read: nothing when the file, or the maker, has changed', async () => {
    const coach = await givenPerson(server, owner, { roles: ['Coach'] });
    const change = (file: Json, body: Json) => call(server, 'PATCH', `/v1/files/${file.id}`, { token: owner, body });
    const openFile = await givenFile(server, owner, 'for coaches', { visibility: 'tenant', roles: 'Coach' });
    const { body } = await makeLink(openFile, {}, coach.token);
    const kind = async () => (await fetchBytes(server, body.url)).kind;
    assert.equal(await kind(), undefined);

    await change(openFile, { visibility: 'private' });
    assert.equal(await kind(), 'not-found');
    await change(openFile, { visibility: 'tenant', roles: ['Mentor'] });
    assert.equal(await kind(), 'not-found');
    const person = `/v1/tenant/people/${coach.id}`;
    await call(server, 'PATCH', person, { token: owner, body: { roles: ['Mentor'] } });
    assert.equal(await kind(), undefined);
    await change(openFile, { roles: [] });
    assert.equal(await kind(), undefined);
    await call(server, 'DELETE', person, { token: owner });
    assert.equal(await kind(), 'not-found');

    const own = await givenFile(server, owner, 'mine', { visibility: 'tenant' });
    const ownLink = await givenLink(own);
    await change(own, { visibility: 'private' });
    assert.equal((await fetchBytes(server, ownLink)).status, 200, 'what its owner gave out stays good');
  });

  it('is noted as fetched by link, by nobody known, and never stands in the log', async () => {
    const file = await givenFile(server, owner, 'noted');
    const link = await givenLink(file);
    await fetchBytes(server, link, { headers: { 'user-agent': 'a browser' } });
    const { body } = await call(server, 'GET', `/v1/files/accesses?file=${file.id}`, { token: owner });
    const [{ at, ...access }] = body.items;
    assert.ok(Date.now() - Date.parse(at) < 10_000);
    assert.deepEqual(access, { fileId: file.id, name: 'note.txt', how: 'link', address: '127.0.0.1', userAgent: 'a browser', bytes: 5 });
    assert.ok(server.output().includes('/l/:fileId/:name'));
    assert.ok(!server.output().includes(new URL(link).searchParams.get('signature') ?? '?'));
  });

  it('stays good when the server starts again, and leads where the world reaches it', async () => {
    const env = { ENTREPOT_PUBLIC_URL: 'https://files.example.org' };
    const first = await startServer({ env });
    const token = await givenOperator(first);
    const file = await givenFile(first, token, 'lasting');
    const { body } = await call(first, 'POST', `/v1/files/${file.id}/links`, { token, body: {} });
    assert.ok(body.url.startsWith('https://files.example.org/l/'));
    const { pathname, search } = new URL(body.url);
    await first.kill('SIGKILL');
    const second = await startServer({ env, dataFolder: first.dataFolder });
    try {
      assert.equal((await fetchBytes(second, pathname + search)).bytes.toString(), 'lasting');
    } finally {
      await second.stop();
    }
  });
});
