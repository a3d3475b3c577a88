import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { readData } from '../support/data-file.ts';
import { fetchBytes } from '../support/file-calls.ts';
import { call, eventually, givenOperator, type Json } from '../support/given.ts';
import { givenFile, lockAway } from '../support/given-files.ts';
import { givenPerson, password } from '../support/given-people.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

describe('who fetched what', () => {
  let server: TestServer;
  let admin: string;
  let ada: Json;
  let ben: Json;

  const fetchAs = ({ token }: Json, { id }: Json) =>
    fetchBytes(server, `/v1/files/${id}/content`, { token, headers: { 'user-agent': 'test/1' } });
  const accesses = async (token: string, query = '') => {
    const answer = await call(server, 'GET', `/v1/files/accesses${query}`, { token });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };
  const names = ({ items }: Json): string[] => items.map(({ name }: Json) => name);

  before(async () => {
    server = await startServer();
    admin = await givenOperator(server);
    [ada, ben] = await Promise.all([givenPerson(server, admin), givenPerson(server, admin, { roles: ['Mentor/Coach'] })]);
  });
  after(() => server.stop());

  it('is seen by the owner at once, with person, address and program', async () => {
    const file = await givenFile(server, ada.token, 'for all', { name: 'lesson.txt', visibility: 'tenant' });
    await fetchAs(ben, file);
    const [{ at, ...access }] = (await accesses(ada.token)).items;
    assert.ok(Math.abs(Date.now() - Date.parse(at)) < 10_000);
    assert.deepEqual(access, {
      ...{ fileId: file.id, name: 'lesson.txt', person: ben.id, how: 'content' },
      ...{ address: '127.0.0.1', userAgent: 'test/1', bytes: 7 },
    });
    assert.deepEqual((await accesses(ben.token)).items, [], 'whoever fetches sees nothing of the files of others');
  });

  it('is found by file, person, provider, language, role and time, newest first, in pages', async () => {
    const given = (name: string, fields: Readonly<Record<string, string>>) =>
      givenFile(server, ada.token, name, { name, visibility: 'tenant', ...fields });
    const french = await given('french', { provider: 'acme', language: 'fr', roles: 'Mentor/Coach' });
    const german = await given('german', { provider: 'bolt', language: 'de' });
    const from = new Date().toISOString();
    for (const [who, file] of [
      [ben, french],
      [ben, german],
      [ada, french],
    ] as const)
      assert.equal((await fetchAs(who, file)).status, 200);
    const to = new Date(Date.now() + 1_000).toISOString();
    assert.deepEqual(names(await accesses(ada.token, `?from=${from}`)), ['french', 'german', 'french']);
    for (const token of [ada.token, admin]) {
      assert.deepEqual(names(await accesses(token, `?file=${german.id}`)), ['german']);
      assert.deepEqual(names(await accesses(token, `?from=${from}&person=${ben.id}`)), ['german', 'french']);
      assert.deepEqual(names(await accesses(token, '?provider=acme')), ['french', 'french']);
      assert.deepEqual(names(await accesses(token, '?language=de')), ['german']);
      assert.deepEqual(names(await accesses(token, '?role=Mentor/Coach')), ['french', 'french']);
      assert.deepEqual(names(await accesses(token, `?role=Mentor/Coach&person=${ada.id}`)), ['french']);
      assert.deepEqual(names(await accesses(token, '?role=Teacher')), []);
      assert.deepEqual(names(await accesses(token, `?to=${from}&provider=acme`)), []);
      assert.deepEqual(names(await accesses(token, `?from=${from}&to=${to}`)).length, 3);
      for (const filter of [`from=${from}`, 'role=Mentor/Coach']) {
        const seen: string[] = [];
        for (let cursor = ''; ; ) {
          const page = await accesses(token, `?limit=1&${filter}${cursor}`);
          seen.push(...names(page));
          if (page.nextCursor === undefined) break;
          cursor = `&cursor=${page.nextCursor}`;
        }
        assert.deepEqual(seen, names(await accesses(token, `?${filter}`)));
      }
    }
    const garbled = await call(server, 'GET', '/v1/files/accesses?cursor=x', { token: ada.token });
    assert.deepEqual([garbled.status, garbled.body.type], [400, '/problems/bad-cursor']);
    assert.equal((await call(server, 'GET', '/v1/files/accesses?from=yesterday', { token: ada.token })).status, 400);
  });

  it('stays known as it was when the file is changed or gone', async () => {
    const file = await givenFile(server, ada.token, 'before', { name: 'before', provider: 'gone-soon' });
    await fetchAs(ada, file);
    await accesses(ada.token);
    await call(server, 'PATCH', `/v1/files/${file.id}`, { token: ada.token, body: { name: 'after', provider: 'x' } });
    assert.deepEqual(names(await accesses(ada.token, '?provider=gone-soon')), ['before']);
    await call(server, 'DELETE', `/v1/files/${file.id}?permanent=true`, { token: ada.token });
    assert.deepEqual(names(await accesses(ada.token, '?provider=gone-soon')), ['before']);
  });

  it('is hidden while the file is locked away, for its owner and for admins', async () => {
    const file = await givenFile(server, ada.token, 'private', { name: 'private' });
    await fetchAs(ada, file);
    assert.deepEqual(names(await accesses(ada.token, `?file=${file.id}`)), ['private']);
    await lockAway(server, ada.token, file.id);
    for (const token of [ada.token, admin]) assert.deepEqual(names(await accesses(token, `?file=${file.id}`)), []);
  });

  it('goes with the account: what others fetched of its files is gone, of what it fetched only its id stays', async () => {
    const leaving = await givenPerson(server, admin);
    const own = await givenFile(server, leaving.token, 'mine', { name: 'mine', visibility: 'tenant', roles: 'Mentor/Coach' });
    const others = await givenFile(server, ada.token, 'of ada', { name: 'of ada', visibility: 'tenant' });
    await fetchAs(ben, own);
    await fetchAs(leaving, others);
    await accesses(admin);
    assert.equal((await call(server, 'DELETE', '/v1/me', { token: leaving.token, body: { password } })).status, 204);
    const left = await eventually(
      () => accesses(admin, `?person=${leaving.id}`),
      ({ items }) => items.length > 0 && items.every(({ address }: Json) => address === undefined),
    );
    assert.deepEqual(names(left), ['of ada']);
    assert.equal(left.items[0].userAgent, undefined);
    const { body: trace } = await call(server, 'GET', `/v1/trace/${others.id}`, { token: ada.token });
    const { what, who, where, detail } = trace.entries.at(-1);
    assert.deepEqual({ what, who, where, detail }, { what: 'fetched', who: leaving.id, where: undefined, detail: undefined });
    assert.equal(trace.entries[0].where, '127.0.0.1', 'what others did is told as before');
    await eventually(
      () => accesses(admin, `?file=${own.id}`),
      ({ items }) => items.length === 0,
    );
    const roles = readData(server.dataFolder, (rows) => rows('select * from accessRoles where accessId not in (select id from accesses)'));
    assert.deepEqual(roles, []);
  });
});
