import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, givenOperator } from '../support/given.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { checksumOf, idOf, metadataOf, resumablePath, type TusClient, tusClient } from '../support/tus.ts';

// The points of tus 1.0.0, section by section.

describe('tus 1.0.0', () => {
  let server: TestServer;
  let token: string;
  let tus: TusClient;

  before(async () => {
    server = await startServer({ env: { ENTREPOT_MAX_FILE_SIZE: '1MiB', ENTREPOT_CORS_ORIGINS: 'https://app.example' } });
    token = await givenOperator(server);
    tus = tusClient(server, token);
  });
  after(() => server.stop());

  const fileOf = async (path: string) => (await call(server, 'GET', `/v1/files/${idOf(path)}`, { token })).body;

  describe('core: HEAD', () => {
    it('tells offset and length, is never cached, and tells offset 0 before anything came', async () => {
      const path = await tus.begin({ 'upload-length': '10' });
      const fresh = await tus.head(path);
      assert.equal(fresh.status, 200);
      assert.equal(fresh.headers.get('upload-offset'), '0');
      assert.equal(fresh.headers.get('upload-length'), '10');
      assert.equal(fresh.headers.get('cache-control'), 'no-store');
      assert.equal(fresh.headers.get('tus-resumable'), '1.0.0');
      await tus.patch(path, 0, 'four');
      assert.equal((await tus.head(path)).headers.get('upload-offset'), '4');
    });

    it('is 404 without Upload-Offset where there is no upload', async () => {
      const { status, headers } = await tus.head(`${resumablePath}/file_01k8t3w0e5f6g7h8j9kamn0pqr`);
      assert.equal(status, 404);
      assert.equal(headers.get('upload-offset'), null);
    });

    it('tells the full offset of a finished upload', async () => {
      const path = await tus.begin({ 'upload-length': '5' });
      await tus.patch(path, 0, 'hello');
      const { status, headers } = await tus.head(path);
      assert.deepEqual([status, headers.get('upload-offset'), headers.get('upload-length')], [200, '5', '5']);
      assert.equal(headers.get('content-location'), `/v1/files/${idOf(path)}`);
    });
  });

  describe('core: PATCH', () => {
    it('appends at the offset, answers the new one, and the last one makes the file', async () => {
      const path = await tus.begin({ 'upload-length': '11', 'upload-metadata': metadataOf({ filename: 'greeting.txt' }) });
      assert.equal((await fileOf(path)).state, 'expected');
      const first = await tus.patch(path, 0, 'hello ');
      assert.deepEqual([first.status, first.headers.get('upload-offset'), first.headers.get('content-location')], [204, '6', null]);
      const last = await tus.patch(path, 6, 'world');
      assert.deepEqual([last.status, last.headers.get('upload-offset')], [204, '11']);
      assert.equal(last.headers.get('content-location'), `/v1/files/${idOf(path)}`);
      const file = await fileOf(path);
      assert.deepEqual([file.state, file.name, file.size], ['stored', 'greeting.txt', 11]);
      assert.equal(file.sha256, 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9');
      const trace = await call(server, 'GET', `/v1/trace/${idOf(path)}`, { token });
      assert.deepEqual(
        trace.body.entries.map(({ what }: { what: string }) => what),
        ['received', 'checked', 'stored'],
      );
    });

    it('of another content type is 415', async () => {
      const path = await tus.begin({ 'upload-length': '5' });
      const { status, body } = await tus.patch(path, 0, 'hello', { 'content-type': 'text/plain' });
      assert.deepEqual([status, body.type], [415, '/problems/unsupported-type']);
      assert.equal((await tus.patch(path, 0, '', { 'content-type': '' })).status, 415);
    });

    it('at another offset is 409 and changes nothing', async () => {
      const path = await tus.begin({ 'upload-length': '10' });
      await tus.patch(path, 0, 'four');
      for (const offset of [0, 3, 5, 10]) {
        const { status, body, headers } = await tus.patch(path, offset, 'x');
        assert.deepEqual([status, body.type, headers.get('upload-offset')], [409, '/problems/conflict', '4']);
      }
      assert.equal((await tus.head(path)).headers.get('upload-offset'), '4');
    });

    it('without Upload-Offset, or with nonsense in it, is 400', async () => {
      const path = await tus.begin({ 'upload-length': '10' });
      for (const offset of ['', '-1', '1.5', 'abc', '99999999999999999999']) {
        const { status, body } = await tus.patch(path, 0, 'x', { 'upload-offset': offset });
        assert.deepEqual([status, body.errors[0].at], [400, '/upload-offset'], offset);
      }
    });

    it('with more than the length is 413, and what was there stays', async () => {
      const path = await tus.begin({ 'upload-length': '5' });
      await tus.patch(path, 0, 'hel');
      const { status, body } = await tus.patch(path, 3, 'lo and more');
      assert.deepEqual([status, body.type], [413, '/problems/too-large']);
      assert.equal((await tus.head(path)).headers.get('upload-offset'), '3');
    });

    it('to an upload that does not exist is 404', async () => {
      assert.equal((await tus.patch(`${resumablePath}/file_none`, 0, 'x')).status, 404);
    });
  });

  describe('core: OPTIONS and versions', () => {
    it('tells what is spoken, to everybody and whatever version they name', async () => {
      for (const headers of [
        {},
        { 'tus-resumable': '0.2.2' },
        { origin: 'https://app.example', 'access-control-request-method': 'PATCH' },
      ]) {
        const { status, headers: told } = await call(server, 'OPTIONS', resumablePath, { headers });
        assert.equal(status, 204);
        assert.equal(told.get('tus-version'), '1.0.0');
        assert.equal(told.get('tus-max-size'), String(2 ** 20));
        assert.equal(told.get('tus-checksum-algorithm'), 'sha1,sha256');
        assert.equal(
          told.get('tus-extension'),
          'creation,creation-with-upload,creation-defer-length,termination,expiration,checksum,concatenation',
        );
      }
    });

    it('lets browsers of allowed origins in: preflights, and the headers that they read', async () => {
      const origin = 'https://app.example';
      const asked = { origin, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'tus-resumable,upload-offset' };
      const preflight = await call(server, 'OPTIONS', `${resumablePath}/file_1`, { headers: asked });
      assert.equal(preflight.headers.get('access-control-allow-origin'), origin);
      assert.match(preflight.headers.get('access-control-allow-methods') ?? '', /PATCH/);
      assert.equal(preflight.headers.get('access-control-allow-headers'), 'tus-resumable,upload-offset');
      const made = await tus.create({ origin, 'upload-length': '1' });
      const exposed = made.headers.get('access-control-expose-headers')?.split(', ') ?? [];
      for (const name of ['Location', 'Upload-Offset', 'Upload-Length', 'Tus-Resumable', 'Upload-Expires', 'Content-Location'])
        assert.ok(exposed.includes(name), name);
    });

    it('refuses another version with 412 and names its own, processing nothing', async () => {
      const path = await tus.begin({ 'upload-length': '5' });
      for (const version of ['', '0.2.2', '1.1.0']) {
        const answers = [
          await tus.create({ 'tus-resumable': version, 'upload-length': '1' }),
          await tus.patch(path, 0, 'hello', { 'tus-resumable': version }),
          await tus.send('DELETE', path, { 'tus-resumable': version }),
          await tus.send('POST', path, { 'tus-resumable': version, 'x-http-method-override': 'DELETE' }),
        ];
        for (const { status, body, headers } of answers) {
          assert.deepEqual([status, body.type], [412, '/problems/unsupported-version']);
          assert.equal(headers.get('tus-version'), '1.0.0');
        }
        assert.equal((await tus.head(path, { 'tus-resumable': version })).status, 412);
      }
      assert.equal((await tus.head(path)).headers.get('upload-offset'), '0');
    });

    it('takes the method from X-HTTP-Method-Override', async () => {
      const path = await tus.begin({ 'upload-length': '5' });
      const override = (method: string, headers = {}, body?: string) =>
        tus.send('POST', path, { 'x-http-method-override': method, ...headers }, body);
      const chunk = { 'content-type': 'application/offset+octet-stream', 'upload-offset': '0' };
      assert.equal((await override('PATCH', chunk, 'hel')).status, 204);
      assert.equal((await override('HEAD')).headers.get('upload-offset'), '3');
      const plain = await tus.send('POST', path);
      assert.deepEqual([plain.status, plain.body.type], [405, '/problems/method-not-allowed']);
      assert.equal((await override('DELETE')).status, 204);
      assert.equal((await tus.head(path)).status, 410);
    });

    it('refuses by X-HTTP-Method-Override as by the method itself', async () => {
      const chunk = { 'x-http-method-override': 'patch', 'content-type': 'application/offset+octet-stream' };
      const patch = (to: string, offset: number, headers = {}, body?: string) =>
        tus.send('POST', to, { ...chunk, 'upload-offset': String(offset), ...headers }, body);
      const path = await tus.begin({ 'upload-defer-length': '1' });
      const refused = [
        [await patch(path, 3, {}, 'hello'), 409, 'conflict'],
        [await patch(path, 0, { 'upload-checksum': checksumOf('sha1', 'other') }, 'hello'), 460, 'checksum-mismatch'],
        [await patch(path, 0, { 'upload-length': '0' }), 400, 'empty'],
        [await patch(`${resumablePath}/file_none`, 0, {}, 'hello'), 404, 'not-found'],
      ] as const;
      for (const [{ status, body }, wanted, kind] of refused) assert.deepEqual([status, body.type], [wanted, `/problems/${kind}`]);
      await tus.send('DELETE', path);
      const gone = await patch(path, 0, {}, 'hello');
      assert.deepEqual([gone.status, gone.body.type], [410, '/problems/gone']);
    });
  });

  describe('creation', () => {
    it('answers 201 with a relative address whose last part is the id of the file, and tells when it expires', async () => {
      const { status, headers } = await tus.create({ 'upload-length': '100' });
      assert.equal(status, 201);
      assert.match(headers.get('location') ?? '', /^\/v1\/files\/resumable\/file_[0-9a-z]{26}$/);
      assert.equal(headers.get('tus-resumable'), '1.0.0');
      const path = headers.get('location') ?? '';
      for (const told of [headers, (await tus.head(path)).headers, (await tus.patch(path, 0, 'hello')).headers]) {
        const expires = told.get('upload-expires') ?? '';
        assert.match(expires, /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/, 'a date of HTTP (RFC 9110 §5.6.7)');
        assert.ok(Date.parse(expires) > Date.now() + 23 * 3_600_000);
      }
    });

    it('wants exactly one of Upload-Length and Upload-Defer-Length', async () => {
      for (const headers of [
        {},
        { 'upload-length': '5', 'upload-defer-length': '1' },
        { 'upload-defer-length': '2' },
        { 'upload-length': '-5' },
        { 'upload-length': 'many' },
      ]) {
        const { status, body } = await tus.create(headers as Record<string, string>);
        assert.deepEqual([status, body.type], [400, '/problems/bad-request'], JSON.stringify(headers));
      }
    });

    it('refuses more than Tus-Max-Size with 413, and a file of no bytes with 400', async () => {
      const large = await tus.create({ 'upload-length': String(2 ** 20 + 1) });
      assert.deepEqual([large.status, large.body.limit], [413, 2 ** 20]);
      const empty = await tus.create({ 'upload-length': '0' });
      assert.deepEqual([empty.status, empty.body.type], [400, '/problems/empty']);
    });

    it('gives the metadata back as it was sent, whatever keys it has', async () => {
      const metadata = `${metadataOf({ filename: 'ä.txt', relativePath: 'a/b' })},is_confidential`;
      const path = await tus.begin({ 'upload-length': '5', 'upload-metadata': metadata });
      assert.equal((await tus.head(path)).headers.get('upload-metadata'), metadata);
      assert.equal((await fileOf(path)).name, 'ä.txt');
    });

    it('takes the fields of a file from the metadata', async () => {
      const fields = { name: 'a.txt', title: 'A', category: 'c', language: 'en', provider: 'p', visibility: 'tenant', roles: 'x, y,z/w' };
      const path = await tus.begin({ 'upload-length': '5', 'upload-metadata': metadataOf({ ...fields, filename: 'other.txt' }) });
      const { roles, ...file } = await fileOf(path);
      const wanted = { name: 'a.txt', title: 'A', category: 'c', language: 'en', provider: 'p', visibility: 'tenant' };
      assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((name) => [name, file[name]])), wanted);
      assert.deepEqual(roles, ['x', 'y', 'z/w']);
      const asList = await tus.begin({ 'upload-length': '5', 'upload-metadata': metadataOf({ roles: '["a,b","c"]' }) });
      assert.deepEqual((await fileOf(asList)).roles, ['a,b', 'c']);
    });

    it('refuses nonsense in the metadata with 400', async () => {
      const nonsense = [
        'filename not-base64!',
        'filename YQ==,filename Yg==',
        ',',
        'filename YQ== more',
        ' ,a',
        `title ${Buffer.from([0xff, 0xfe]).toString('base64')}`,
        metadataOf({ title: 'x'.repeat(256) }),
        metadataOf({ visibility: 'everybody' }),
        metadataOf({ roles: '[1]' }),
        metadataOf({ roles: '["' }),
        'ключ YQ=='.replace(/[^\x20-\x7e]/g, '\u00e9'),
      ];
      for (const metadata of nonsense) {
        const { status, body } = await tus.create({ 'upload-length': '5', 'upload-metadata': metadata });
        assert.deepEqual([status, body.type], [400, '/problems/bad-request'], metadata);
      }
      const folder = await tus.create({ 'upload-length': '5', 'upload-metadata': metadataOf({ folderId: 'fold_none' }) });
      assert.deepEqual([folder.status, folder.body.type], [404, '/problems/not-found']);
    });
  });

  describe('creation-with-upload', () => {
    it('takes the first bytes with the POST, or all of them', async () => {
      const first = await tus.create({ 'upload-length': '11' }, 'hello ');
      assert.deepEqual([first.status, first.headers.get('upload-offset')], [201, '6']);
      const path = first.headers.get('location') ?? '';
      assert.equal((await tus.patch(path, 6, 'world')).status, 204);
      const whole = await tus.create({ 'upload-length': '5' }, 'hello');
      assert.deepEqual([whole.status, whole.headers.get('upload-offset')], [201, '5']);
      assert.equal((await fileOf(whole.headers.get('content-location') ?? '')).state, 'stored');
    });

    it('of another content type is 415, and leaves nothing when it is refused', async () => {
      assert.equal((await tus.create({ 'upload-length': '5', 'content-type': 'text/plain' }, 'hello')).status, 415);
      const more = await tus.create({ 'upload-length': '3' }, 'hello');
      assert.deepEqual([more.status, more.body.type], [413, '/problems/too-large']);
      const wrong = await tus.create({ 'upload-length': '5', 'upload-checksum': checksumOf('sha1', 'other') }, 'hello');
      assert.deepEqual([wrong.status, wrong.body.type], [460, '/problems/checksum-mismatch']);
    });
  });

  describe('creation-defer-length', () => {
    it('tells Upload-Defer-Length until a PATCH brings the length, which stays then', async () => {
      const path = await tus.begin({ 'upload-defer-length': '1' });
      await tus.patch(path, 0, 'hello ');
      const before = (await tus.head(path)).headers;
      assert.deepEqual([before.get('upload-defer-length'), before.get('upload-length'), before.get('upload-offset')], ['1', null, '6']);
      const less = await tus.patch(path, 6, 'w', { 'upload-length': '5' });
      assert.equal(less.status, 400);
      assert.equal((await tus.patch(path, 6, 'wor', { 'upload-length': '11' })).status, 204);
      const after = (await tus.head(path)).headers;
      assert.deepEqual([after.get('upload-defer-length'), after.get('upload-length')], [null, '11']);
      const other = await tus.patch(path, 9, 'ld', { 'upload-length': '12' });
      assert.deepEqual([other.status, other.body.errors[0].at], [400, '/upload-length']);
      const last = await tus.patch(path, 9, 'ld');
      assert.deepEqual([last.status, last.headers.get('content-location')], [204, `/v1/files/${idOf(path)}`]);
    });

    it('may tell the length when all is there already', async () => {
      const path = await tus.begin({ 'upload-defer-length': '1' });
      await tus.patch(path, 0, 'hello');
      const last = await tus.patch(path, 5, '', { 'upload-length': '5' });
      assert.equal(last.status, 204, last.text);
      assert.equal((await fileOf(path)).state, 'stored');
      const large = await tus.begin({ 'upload-defer-length': '1' });
      assert.equal((await tus.patch(large, 0, 'x', { 'upload-length': String(2 ** 21) })).status, 413);
      assert.equal((await tus.patch(large, 0, 'x'.repeat(2 ** 20 + 1))).status, 413);
      const empty = await tus.patch(large, 0, '', { 'upload-length': '0' });
      assert.deepEqual([empty.status, empty.body.type], [400, '/problems/empty']);
    });
  });

  describe('checksum', () => {
    it('takes what has the checksum that was named, by SHA-1 and SHA-256', async () => {
      const path = await tus.begin({ 'upload-length': '10' });
      assert.equal((await tus.patch(path, 0, 'hello', { 'upload-checksum': checksumOf('sha1', 'hello') })).status, 204);
      assert.equal((await tus.patch(path, 5, 'world', { 'upload-checksum': checksumOf('sha256', 'world') })).status, 204);
    });

    it('drops what has another (460), so that it can be sent again', async () => {
      const path = await tus.begin({ 'upload-length': '5' });
      const { status, body } = await tus.patch(path, 0, 'hello', { 'upload-checksum': checksumOf('sha256', 'jello') });
      assert.deepEqual([status, body.type], [460, '/problems/checksum-mismatch']);
      assert.equal((await tus.head(path)).headers.get('upload-offset'), '0');
      assert.equal((await tus.patch(path, 0, 'hello')).status, 204);
    });

    it('of an unknown algorithm or a malformed one is 400', async () => {
      const path = await tus.begin({ 'upload-length': '5' });
      for (const checksum of ['md5 XUFAKrxLKna5cZ2REBfFkg==', 'sha1', 'sha1 abc', `${checksumOf('sha1', 'hello')} x`, 'toString YQ==']) {
        const { status, body } = await tus.patch(path, 0, 'hello', { 'upload-checksum': checksum });
        assert.deepEqual([status, body.errors[0].at], [400, '/upload-checksum'], checksum);
      }
    });
  });

  describe('termination', () => {
    it('answers 204, and 410 from then on; the file that was expected is gone', async () => {
      const path = await tus.begin({ 'upload-length': '10' });
      await tus.patch(path, 0, 'hello');
      assert.equal((await tus.send('DELETE', path)).status, 204);
      assert.equal((await tus.head(path)).status, 410);
      const again = await tus.send('DELETE', path);
      assert.deepEqual([again.status, again.body.type], [410, '/problems/gone']);
      assert.equal((await tus.patch(path, 5, 'world')).status, 410);
      assert.equal((await call(server, 'GET', `/v1/files/${idOf(path)}`, { token })).status, 404);
    });

    it('of a finished upload leaves its file alone', async () => {
      const path = (await tus.create({ 'upload-length': '5' }, 'hello')).headers.get('location') ?? '';
      assert.equal((await tus.send('DELETE', path)).status, 204);
      assert.equal((await tus.head(path)).status, 410);
      assert.equal((await fileOf(path)).state, 'stored');
    });
  });

  describe('concatenation', () => {
    const partOf = async (text: string) =>
      (await tus.create({ 'upload-length': String(text.length), 'upload-concat': 'partial' }, text)).headers.get('location') ?? '';

    it('makes one file of parts in the order in which they are named, by path or URL', async () => {
      const [one, two] = [await partOf('hello '), await partOf('world')];
      assert.equal((await tus.head(one)).headers.get('upload-concat'), 'partial');
      assert.equal((await tus.head(one)).headers.get('upload-offset'), '6');
      const concat = `final;${server.url}${one} ${two}`;
      const made = await tus.create({ 'upload-concat': concat, 'upload-metadata': metadataOf({ filename: 'both.txt' }) });
      assert.equal(made.status, 201, made.text);
      const path = made.headers.get('location') ?? '';
      assert.equal(made.headers.get('content-location'), `/v1/files/${idOf(path)}`);
      const { headers } = await tus.head(path);
      assert.deepEqual([headers.get('upload-concat'), headers.get('upload-length'), headers.get('upload-offset')], [concat, '11', '11']);
      const file = await fileOf(path);
      assert.deepEqual([file.name, file.size, file.state], ['both.txt', 11, 'stored']);
      assert.equal(file.sha256, 'b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9');
      const patched = await tus.patch(path, 11, 'x');
      assert.deepEqual([patched.status, patched.body.type], [403, '/problems/not-allowed']);
      assert.equal((await tus.head(one)).status, 410, 'its parts are used up');
    });

    it('refuses parts that are not whole, not there, or no parts (400)', async () => {
      const half = await tus.begin({ 'upload-length': '10', 'upload-concat': 'partial' });
      await tus.patch(half, 0, 'hello');
      const file = await tus.begin({ 'upload-length': '5' });
      for (const concat of [
        '',
        ';',
        'parts',
        'final',
        'final;',
        `final;${half}`,
        `final;${file}`,
        `final;${resumablePath}/upl_none`,
        'final;/x/y',
      ]) {
        const { status, body } = await tus.create({ 'upload-concat': concat === '' ? ' ' : concat });
        assert.deepEqual([status, body.errors[0].at], [400, '/upload-concat'], concat);
      }
      assert.equal((await tus.head(half)).headers.get('upload-offset'), '5');
    });

    it('lets parts end, and has no file of them', async () => {
      const part = await partOf('hello');
      assert.equal((await call(server, 'GET', `/v1/files/${idOf(part)}`, { token })).status, 404);
      assert.equal((await tus.send('DELETE', part)).status, 204);
      assert.equal((await tus.head(part)).status, 410);
    });
  });

  it('wants a session for everything but OPTIONS, and the scope files:write', async () => {
    const path = await tus.begin({ 'upload-length': '5' });
    const nobody = await call(server, 'HEAD', path, { headers: { 'tus-resumable': '1.0.0' } });
    assert.deepEqual([nobody.status, nobody.headers.get('tus-resumable')], [401, '1.0.0']);
    const session = await call(server, 'POST', '/v1/services', { token, body: { name: 'reader', scopes: ['files:read'] } });
    const { authId, secret } = session.body;
    const reader = await call(server, 'POST', '/v1/sessions', { body: { method: 'secret', authId, secret } });
    assert.equal((await tusClient(server, reader.body.accessToken).head(path)).status, 403);
  });
});
