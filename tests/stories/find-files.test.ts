import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import { call, givenOperator, type Json } from '../support/given.ts';
import { givenNote, namesOf } from '../support/given-files.ts';
import { givenPerson } from '../support/given-people.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// Story A: a library in which people find what is meant for them.

suite('finding files', () => {
  let server: TestServer;
  let admin: string;

  before(async () => {
    server = await startServer();
    admin = await givenOperator(server);
  });
  after(() => server.stop());

  const patch = (token: string, id: string, body: unknown) => call(server, 'PATCH', `/v1/files/${id}`, { token, body });
  const sorted = (names: readonly string[]) => names.toSorted();

  test('everybody finds its own files, those of the tenant that are meant for it, and public ones', async () => {
    const owner = await givenPerson(server, admin);
    const coach = await givenPerson(server, admin, { roles: ['Mentor/Coach'] });
    const other = await givenPerson(server, admin);
    const category = 'sight';
    await givenNote(server, owner.token, { name: 'mine.txt', category });
    await givenNote(server, owner.token, { name: 'ours.txt', category, visibility: 'tenant' });
    await givenNote(server, owner.token, { name: 'coaches.txt', category, visibility: 'tenant', roles: ['Mentor/Coach', 'Teacher'] });
    await givenNote(server, owner.token, { name: 'all.txt', category, visibility: 'public', roles: ['Teacher'] });

    const seenBy = async (token: string) => sorted(await namesOf(server, token, 'category=sight'));
    const everything = ['all.txt', 'coaches.txt', 'mine.txt', 'ours.txt'];
    assert.deepEqual(await seenBy(owner.token), everything);
    assert.deepEqual(await seenBy(admin), everything, 'an admin sees what there is');
    assert.deepEqual(await seenBy(coach.token), ['all.txt', 'coaches.txt', 'ours.txt']);
    assert.deepEqual(await seenBy(other.token), ['all.txt', 'ours.txt']);
    assert.deepEqual(await namesOf(server, coach.token, 'category=sight&owner=me'), []);

    const tenant = await call(server, 'POST', '/v1/tenants', {
      token: admin,
      body: { name: 'Elsewhere', admin: { username: 'elsewhere', password: 'nobody will guess this one' } },
    });
    assert.equal(tenant.status, 201, tenant.text);
    const session = await call(server, 'POST', '/v1/sessions', {
      body: { method: 'password', username: 'elsewhere', password: 'nobody will guess this one' },
    });
    assert.deepEqual(await namesOf(server, session.body.accessToken, ''), [], 'another tenant has none of it');
  });

  test('each filter finds what it names, and all of them together', async () => {
    const { token } = await givenPerson(server, admin);
    const fields = { category: 'photos / été', language: 'de', provider: '"archive" AND x', roles: ['A=b', 'C'], visibility: 'tenant' };
    await givenNote(server, token, { name: 'wanted.txt', ...fields });
    for (const [name, value] of Object.entries({
      category: 'photos',
      language: 'en',
      provider: 'archive',
      roles: ['C'],
      visibility: 'public',
    }))
      await givenNote(server, token, { ...fields, name: `other-${name}.txt`, [name]: value });
    const filters: Readonly<Record<string, string>> = {
      category: fields.category,
      language: fields.language,
      provider: fields.provider,
      role: 'A=b',
      visibility: 'tenant',
    };
    for (const [name, value] of Object.entries(filters)) {
      const found = await namesOf(server, token, String(new URLSearchParams({ owner: 'me', [name]: value })));
      assert.equal(found.length, 5, `${name} leaves one out: ${found}`);
    }
    assert.deepEqual(await namesOf(server, token, String(new URLSearchParams({ owner: 'me', ...filters }))), ['wanted.txt']);
    assert.equal((await namesOf(server, token, 'owner=me&type=text/plain')).length, 6);
    assert.equal((await namesOf(server, token, 'owner=me&type=text/*')).length, 6);
    assert.equal((await namesOf(server, token, 'owner=me&type=image/*')).length, 0);
    assert.equal((await namesOf(server, token, 'owner=me&folder=root')).length, 6);
    assert.equal((await namesOf(server, token, 'owner=me&state=stored')).length, 6);
    assert.equal((await namesOf(server, token, 'owner=me&state=trashed')).length, 0);
  });

  test('words are found in name, title and description, however they are written', async () => {
    const { token } = await givenPerson(server, admin);
    await givenNote(server, token, { name: 'IMG_1234.jpg.txt', title: 'Über den Dächern', description: 'Straße bei Nacht\nim Hafen' });
    await givenNote(server, token, { name: 'Cafe\u0301.txt', title: 'ΟΔΟΣ' });
    await givenNote(server, token, { name: '東京タワー2026.txt' });
    const find = async (q: string) => {
      const names = await namesOf(server, token, String(new URLSearchParams({ owner: 'me', q, sort: 'name' })));
      return names.map((name) => name.normalize('NFC'));
    };
    for (const q of ['1234', 'img', 'IMG_1234.jpg', 'uber', 'ÜBER dach', 'strasse nacht', 'haf', 'img über hafen', 'nacht 12'])
      assert.deepEqual(await find(q), ['IMG_1234.jpg.txt'], q);
    for (const q of ['café', 'CAFE', 'cafe\u0301 txt', 'οδος', 'οδοσ']) assert.deepEqual(await find(q), ['Café.txt'], q);
    for (const q of ['東京', 'タワー', '2026 京']) assert.deepEqual(await find(q), ['東京タワー2026.txt'], q);
    for (const q of ['img nothing', '!?', '"', '34', 'im nachts', 'terms:img', 'img NOT x']) assert.deepEqual(await find(q), [], q);
    for (const q of ['img*', '"img"', 'img OR 1234', '-img', 'img)', '=o', 'NEAR(img']) {
      const answer = await call(server, 'GET', `/v1/files?${new URLSearchParams({ q })}`, { token });
      assert.equal(answer.status, 200, `what people type is no language: ${q}`);
    }
    assert.equal((await find('txt')).length, 3);
  });

  test('a name is kept as it was sent, composed', async () => {
    const { token } = await givenPerson(server, admin);
    const { id } = await givenNote(server, token, { name: 'A\u030angstro\u0308m \u{1f600}.txt' });
    const { body } = await call(server, 'GET', `/v1/files/${id}`, { token });
    assert.equal(body.name.normalize('NFC'), 'Ångström 😀.txt');
    assert.deepEqual(await namesOf(server, token, `owner=me&q=${encodeURIComponent('ångström')}`), [body.name]);
  });

  test('every order goes through all files, page by page, and back', async () => {
    const { token } = await givenPerson(server, admin);
    const names = ['b.txt', 'a.txt', 'B.txt', 'ä.txt', 'c.txt', 'a.txt', '😀.txt'];
    for (const [index, name] of names.entries()) await givenNote(server, token, { name }, 'x'.repeat(1 + ((index * 5) % 4)));
    const through = async (sort: string): Promise<Json[]> => {
      const items: Json[] = [];
      for (let path: string | undefined = `/v1/files?owner=me&limit=2&sort=${sort}`; path !== undefined; ) {
        const { status, body, headers, text } = await call(server, 'GET', path, { token });
        assert.equal(status, 200, text);
        items.push(...body.items);
        path = /^<([^>]+)>; rel="next"$/.exec(headers.get('link') ?? '')?.[1];
      }
      assert.equal(new Set(items.map(({ id }) => id)).size, names.length, sort);
      return items;
    };
    const upwards: Record<string, (one: Json, other: Json) => number> = {
      createdAt: (one, other) => (one.createdAt < other.createdAt ? -1 : one.createdAt > other.createdAt ? 1 : 0),
      name: (one, other) => Buffer.compare(Buffer.from(one.name), Buffer.from(other.name)),
      size: (one, other) => one.size - other.size,
    };
    for (const [sort, compare] of Object.entries(upwards)) {
      const up = await through(sort);
      for (const [index, item] of up.slice(1).entries()) assert.ok(compare(up[index], item) <= 0, `${sort}: ${JSON.stringify(up)}`);
      const down = await through(`-${sort}`);
      assert.deepEqual(
        down.map(({ id }) => id),
        up.map(({ id }) => id).toReversed(),
      );
    }
    const usual = await call(server, 'GET', '/v1/files?owner=me', { token });
    assert.equal(usual.body.items[0].name, '😀.txt', 'newest first');

    const { body } = await call(server, 'GET', '/v1/files?owner=me&limit=2&sort=name', { token });
    for (const path of [
      `sort=size&cursor=${body.nextCursor}`,
      `sort=-name&cursor=${body.nextCursor}`,
      'cursor=x',
      'sort=name&cursor=W10',
    ]) {
      const answer = await call(server, 'GET', `/v1/files?owner=me&${path}`, { token });
      assert.equal(answer.status, 400);
      assert.match(answer.body.type, /bad-cursor$/);
    }
  });

  test('what the owner changes is found by its new words and values, and by the old ones no more', async () => {
    const { token, id: ownerId } = await givenPerson(server, admin);
    const file = await givenNote(server, token, { name: 'draft.txt', title: 'Morning', category: 'old', roles: ['A'], provider: 'p' });
    const changed = await patch(token, file.id, {
      name: '../final.txt',
      title: 'Evening',
      description: 'Two\nlines',
      category: null,
      roles: ['B', 'B'],
      visibility: 'public',
    });
    assert.equal(changed.status, 200, changed.text);
    const { updatedAt, url, title, description, provider, category, roles } = changed.body;
    assert.deepEqual(
      { title, description, provider, category, roles },
      { title: 'Evening', description: 'Two\nlines', provider: 'p', category: undefined, roles: ['B'] },
    );
    assert.match(url, new RegExp(`/p/${file.id}/`));
    assert.ok(updatedAt >= file.updatedAt);
    assert.deepEqual((await call(server, 'GET', `/v1/files/${file.id}`, { token })).body, changed.body);
    for (const [query, count] of [
      ['q=evening', 1],
      ['q=morning', 0],
      ['q=draft', 0],
      ['category=old', 0],
      ['role=A', 0],
      ['role=B', 1],
      ['visibility=private', 0],
      ['visibility=public&provider=p', 1],
    ] as const)
      assert.equal((await namesOf(server, token, `owner=me&${query}`)).length, count, query);

    assert.equal((await patch(token, file.id, { visibility: null, roles: null })).body.visibility, 'private');
    const { body } = await call(server, 'GET', `/v1/trace/${file.id}`, { token: admin });
    const told = body.entries.slice(-4).map(({ what, who, detail }: Json) => ({ what, who, detail }));
    assert.deepEqual(told, [
      { what: 'changed', who: ownerId, detail: { fields: ['name', 'title', 'description', 'category', 'roles'] } },
      { what: 'published', who: ownerId, detail: undefined },
      { what: 'changed', who: ownerId, detail: { fields: ['roles'] } },
      { what: 'unpublished', who: ownerId, detail: undefined },
    ]);
  });

  test('a change that is not right changes nothing, and only the owner makes one', async () => {
    const owner = await givenPerson(server, admin);
    const other = await givenPerson(server, admin);
    const viewer = await givenPerson(server, admin, { role: 'viewer' });
    const file = await givenNote(server, owner.token, { name: 'still.txt' });
    const shown = await givenNote(server, owner.token, { name: 'shown.txt', visibility: 'tenant' });
    const refused = async (token: string, id: string, body: unknown) => {
      const answer = await patch(token, id, body);
      return [answer.status, answer.body.type.split('/').at(-1)];
    };
    assert.deepEqual(await refused(owner.token, file.id, { name: null }), [400, 'bad-body']);
    assert.deepEqual(await refused(owner.token, file.id, { size: 1 }), [400, 'bad-body']);
    assert.deepEqual(await refused(owner.token, file.id, { visibility: 'everybody' }), [400, 'bad-body']);
    assert.deepEqual(await refused(owner.token, file.id, { title: 'a\u0000b' }), [400, 'bad-request']);
    assert.deepEqual(await refused(owner.token, file.id, { folderId: 'fold_nowhere' }), [404, 'not-found']);
    assert.deepEqual(await refused(admin, file.id, { title: 'x' }), [403, 'not-allowed']);
    assert.deepEqual(await refused(other.token, file.id, { title: 'x' }), [404, 'not-found']);
    assert.deepEqual(await refused(other.token, shown.id, { title: 'x' }), [403, 'not-allowed']);
    assert.deepEqual(await refused(viewer.token, shown.id, { title: 'x' }), [403, 'not-allowed']);
    assert.deepEqual(await refused(owner.token, 'file_nothing', { title: 'x' }), [404, 'not-found']);
    const { body } = await call(server, 'GET', `/v1/files/${file.id}`, { token: owner.token });
    assert.deepEqual(body, file);

    const folder = await call(server, 'GET', '/v1/files?folder=fold_nowhere', { token: owner.token });
    assert.equal(folder.status, 404);
    for (const query of ['sort=colour', 'state=gone', 'owner=you', 'q=', 'unknown=1'])
      assert.equal((await call(server, 'GET', `/v1/files?${query}`, { token: owner.token })).status, 400, query);
  });

  test('changes of different fields at the same time all count', async () => {
    const { token } = await givenPerson(server, admin);
    const file = await givenNote(server, token, { name: 'busy.txt' });
    const changes = { title: 'T', description: 'D', category: 'C', language: 'en', provider: 'P', roles: ['R'] };
    const answers = await Promise.all(Object.entries(changes).map(([name, value]) => patch(token, file.id, { [name]: value })));
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
    const { body } = await call(server, 'GET', `/v1/files/${file.id}`, { token });
    for (const [name, value] of Object.entries(changes)) assert.deepEqual(body[name], value);
  });

  test('a locked folder hides what is in it, and what is not stored any more is not changed', async () => {
    const owner = await givenPerson(server, admin);
    const category = 'hidden';
    const inside = await givenNote(server, owner.token, { name: 'inside.txt', category, visibility: 'public' });
    const gone = await givenNote(server, owner.token, { name: 'gone.txt', category });
    // As the routes of folders and of the trash leave it.
    const file = new DatabaseSync(`${server.dataFolder}/entrepot.db`);
    file.exec('PRAGMA busy_timeout = 5000');
    file
      .prepare(
        'INSERT INTO "folders" SELECT \'fold_1\', "tenantId", "ownerId", NULL, \'f\', \'f\', \'hash\', 0, 0 FROM "files" WHERE "id" = ?',
      )
      .run(inside.id);
    file.prepare('UPDATE "files" SET "folderId" = \'fold_1\' WHERE "id" = ?').run(inside.id);
    file.prepare('UPDATE "files" SET "state" = \'trashed\' WHERE "id" = ?').run(gone.id);
    file.close();

    for (const token of [owner.token, admin]) assert.deepEqual(await namesOf(server, token, 'category=hidden'), []);
    const refused = async (method: string, path: string, token = owner.token) => {
      const { status, body } = await call(server, method, path, { token, ...(method === 'PATCH' ? { body: { title: 'x' } } : {}) });
      return [status, body.type.split('/').at(-1)];
    };
    assert.deepEqual(await refused('GET', '/v1/files?folder=fold_1'), [423, 'locked']);
    assert.deepEqual(await refused('GET', '/v1/files?folder=fold_1', admin), [404, 'not-found'], 'a folder is of its owner alone');
    assert.deepEqual(await refused('PATCH', `/v1/files/${inside.id}`), [423, 'locked']);
    assert.deepEqual(await refused('PATCH', `/v1/files/${gone.id}`), [409, 'conflict']);
  });
});
