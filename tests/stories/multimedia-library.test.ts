import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fetchBytes, formOf, uploadForm } from '../support/file-calls.ts';
import { call, eventually, givenOperator, givenTarget, type Json } from '../support/given.ts';
import { givenFile } from '../support/given-files.ts';
import { givenPerson, password } from '../support/given-people.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import * as samples from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// Story A: the multimedia library of a learning platform, from the first upload to the charts.

describe('the multimedia library of a learning platform', () => {
  let server: TestServer;
  let target: Receiver;
  let adminToken: string;
  const people: Record<string, { id: string; token: string }> = {};
  const files: Record<string, Json> = {};

  before(async () => {
    target = await startReceiver();
    server = await startServer();
    adminToken = await givenOperator(server);
    await givenTarget(server, adminToken, { kind: 'webhook', types: ['file.*', 'share.*'], config: { url: target.url } });
    for (const [username, roles] of [
      ['teacher', []],
      ['coach', ['Mentor/Coach']],
      ['pupil', ['Pupil']],
    ] as const) {
      people[username] = await givenPerson(server, adminToken, { username, roles });
    }
  });
  after(async () => {
    await server.stop();
    await target.stop();
  });

  const tokenOf = (name: string): string => people[name]?.token ?? assert.fail(name);
  const get = (path: string, name: string) => call(server, 'GET', path, { token: tokenOf(name) });
  const namesOf = (answer: Json): string[] => answer.body.items.map(({ name }: Json) => name);

  it('a teacher uploads real media by a form, with all that is to be known of them', async () => {
    const lessons = [
      { key: 'film', bytes: samples.mp4(), type: 'video/mp4', name: 'lesson.mp4', fields: { category: 'films', language: 'en' } },
      { key: 'photo', bytes: samples.exifJpeg(), type: 'image/jpeg', name: 'photo.jpg', fields: { category: 'photos', language: 'de' } },
      { key: 'drawing', bytes: samples.png(), type: 'image/png', name: 'drawing.png', fields: { category: 'photos', language: 'en' } },
      { key: 'reader', bytes: samples.pdf(), type: 'application/pdf', name: 'reader.pdf', fields: { category: 'texts', language: 'en' } },
      { key: 'notes', bytes: samples.utf8Text(), type: 'text/plain', name: 'Größen.txt', fields: { category: 'texts', language: 'de' } },
    ];
    for (const { key, bytes, type, name, fields } of lessons) {
      const all = {
        ...fields,
        title: `About ${key}`,
        description: 'For the lesson on harbours',
        provider: 'Open School',
        visibility: 'tenant',
      };
      const answer = await uploadForm(server, formOf(all, { name, type, bytes }), { token: tokenOf('teacher') });
      assert.equal(answer.status, 201, answer.text);
      assert.deepEqual([answer.body.type, answer.body.size, answer.body.name], [type, bytes.length, name]);
      files[key] = answer.body;
    }
    const letter = await uploadForm(
      server,
      formOf(
        { roles: ['Mentor/Coach', 'Teacher'], visibility: 'tenant', provider: 'Ministry', category: 'letters' },
        { name: 'letter.docx', bytes: samples.docx() },
      ),
      { token: tokenOf('teacher') },
    );
    assert.equal(letter.status, 201, letter.text);
    assert.deepEqual(letter.body.roles.sort(), ['Mentor/Coach', 'Teacher']);
    files.letter = letter.body;
  });

  it('what is not what it says is refused bit by bit, and nothing of it is kept', async () => {
    for (const [bytes, type] of [
      [samples.forgedMp4(), 'video/mp4'],
      [samples.png(), 'video/mp4'],
      [samples.executable(), 'application/pdf'],
      [samples.executable(), ''],
    ] as const) {
      const answer = await uploadForm(server, formOf({}, { name: 'lie.bin', type, bytes }), { token: tokenOf('teacher') });
      assert.deepEqual([answer.status, answer.body.type], [415, '/problems/unsupported-type']);
    }
    assert.ok(!namesOf(await get('/v1/files', 'teacher')).includes('lie.bin'));
  });

  it('each sees what is meant for it, page by page', async () => {
    assert.equal((await get('/v1/files', 'teacher')).body.items.length, 6);
    assert.ok(namesOf(await get('/v1/files', 'coach')).includes('letter.docx'));
    assert.ok(!namesOf(await get('/v1/files', 'pupil')).includes('letter.docx'));
    assert.equal((await get(`/v1/files/${files.letter?.id}`, 'pupil')).status, 404);
    const first = await get('/v1/files?limit=3', 'pupil');
    const second = await get(`/v1/files?limit=3&cursor=${first.body.nextCursor}`, 'pupil');
    assert.deepEqual([...namesOf(first), ...namesOf(second)].length, 5);
    assert.equal(second.body.nextCursor, undefined);
  });

  it('finds by words, category, language and type', async () => {
    assert.deepEqual(namesOf(await get('/v1/files?q=drawing', 'pupil')), ['drawing.png']);
    assert.deepEqual(namesOf(await get('/v1/files?category=texts&language=de', 'pupil')), ['Größen.txt']);
    assert.deepEqual(namesOf(await get('/v1/files?type=video/mp4', 'pupil')), ['lesson.mp4']);
    assert.deepEqual(namesOf(await get('/v1/files?role=Mentor/Coach', 'coach')), ['letter.docx']);
  });

  it('a film is fetched by a signed link, from its middle too, and nobody changes the link', async () => {
    const made = await call(server, 'POST', `/v1/files/${files.film?.id}/links`, { token: tokenOf('pupil'), body: { expiresIn: 600 } });
    assert.equal(made.status, 201, made.text);
    const whole = await fetchBytes(server, made.body.url);
    assert.deepEqual([whole.status, whole.headers.get('content-type')], [200, 'video/mp4']);
    assert.deepEqual(whole.bytes, samples.mp4());
    const part = await fetchBytes(server, made.body.url, { headers: { range: 'bytes=4-7' } });
    assert.deepEqual([part.status, part.bytes.toString()], [206, 'ftyp']);
    const forged = await fetchBytes(server, made.body.url.replace(files.film?.id, files.letter?.id));
    assert.equal(forged.status, 403);
  });

  it('who fetched what can be seen, by provider, language and role', async () => {
    const content = await fetchBytes(server, `/v1/files/${files.letter?.id}/content`, { token: tokenOf('coach') });
    assert.equal(content.status, 200);
    const ofMinistry = await get('/v1/files/accesses?provider=Ministry', 'teacher');
    assert.deepEqual(
      ofMinistry.body.items.map(({ fileId, person, how }: Json) => [fileId, person, how]),
      [[files.letter?.id, people.coach?.id, 'content']],
    );
    assert.equal((await get('/v1/files/accesses?role=Mentor/Coach', 'teacher')).body.items.length, 1);
    const english = await get('/v1/files/accesses?language=en', 'teacher');
    assert.ok(english.body.items.every(({ how }: Json) => how === 'link') && english.body.items.length === 1);
    assert.deepEqual((await get('/v1/files/accesses', 'pupil')).body.items, []);
    const admin = await call(server, 'GET', `/v1/files/accesses?person=${people.coach?.id}`, { token: adminToken });
    assert.equal(admin.body.items.length, 1);
  });

  it('one call feeds the charts', async () => {
    const stats = await eventually(
      () => get('/v1/files/stats', 'teacher'),
      ({ body }) => body.totals.downloads === 2,
    );
    assert.equal(stats.body.totals.files, 6);
    const keysOf = (list: Json[]) => Object.fromEntries(list.map(({ key, files: count }) => [key, count]));
    assert.deepEqual(keysOf(stats.body.byCategory), { films: 1, photos: 2, texts: 2, letters: 1 });
    assert.deepEqual(keysOf(stats.body.byLanguage), { en: 3, de: 2 });
    assert.deepEqual(keysOf(stats.body.byProvider), { 'Open School': 5, Ministry: 1 });
    assert.deepEqual(keysOf(stats.body.byRole), { 'Mentor/Coach': 1, Teacher: 1 });
    assert.deepEqual(keysOf(stats.body.byMonth), { [files.film?.createdAt.slice(0, 7)]: 6 });
    assert.equal(keysOf((await get('/v1/files/stats', 'pupil')).body.byType)['image/png'], 1);
  });

  it('a photograph has a thumbnail, upright and without what the camera wrote', async () => {
    const { status, headers, bytes } = await fetchBytes(server, `/v1/files/${files.photo?.id}/thumbnail?size=128`, {
      token: tokenOf('pupil'),
    });
    assert.deepEqual([status, headers.get('content-type')], [200, 'image/webp']);
    assert.ok(!bytes.includes('Exif'));
    assert.equal((await fetchBytes(server, `/v1/files/${files.film?.id}/thumbnail`, { token: tokenOf('pupil') })).status, 415);
  });

  it('the administrator sees a private file, not its bytes; other tenants see nothing at all', async () => {
    const secret = await givenFile(server, tokenOf('teacher'), samples.utf8Text(), { name: 'diary.txt' });
    assert.equal((await call(server, 'GET', `/v1/files/${secret.id}`, { token: adminToken })).status, 200);
    assert.equal((await fetchBytes(server, `/v1/files/${secret.id}/content`, { token: adminToken })).status, 403);
    assert.equal((await get(`/v1/files/${secret.id}`, 'coach')).status, 404);

    const admin = { username: 'elsewhere', password };
    const tenant = await call(server, 'POST', '/v1/tenants', { token: adminToken, body: { name: 'Another school', admin } });
    assert.equal(tenant.status, 201, tenant.text);
    const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...admin } });
    const token: string = session.body.accessToken;
    for (const path of [`/v1/files/${files.film?.id}`, `/v1/files/${files.film?.id}/content`, `/v1/trace/${files.film?.id}`]) {
      assert.equal((await call(server, 'GET', path, { token })).status, 404, path);
    }
    assert.deepEqual((await call(server, 'GET', '/v1/files', { token })).body.items, []);
  });

  it('the trace of a file goes from its upload to who fetched it', async () => {
    const { body } = await eventually(
      () => get(`/v1/trace/${files.letter?.id}`, 'teacher'),
      (answer) => answer.body.entries.some(({ what }: Json) => what === 'fetched'),
    );
    assert.equal(body.state, 'stored');
    assert.deepEqual(
      body.entries.map(({ what }: Json) => what),
      ['received', 'checked', 'stored', 'fetched'],
    );
    assert.equal((await get(`/v1/trace/${files.letter?.id}`, 'coach')).status, 404);
  });

  it('the platform was told of everything that was stored and fetched', async () => {
    const typesSeen = () => target.received.map(({ json }) => (json as Json).type);
    await target.waitFor(() => typesSeen().filter((type) => type === 'file.fetched').length >= 2);
    const stored = target.received.map(({ json }) => json as Json).filter(({ type }) => type === 'file.stored');
    assert.equal(stored.length, 7);
    const film = stored.find(({ data }) => data.body?.id === files.film?.id);
    assert.deepEqual([film.data.body.name, film.data.body.sha256], ['lesson.mp4', files.film?.sha256]);
  });
});
