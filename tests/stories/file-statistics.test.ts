import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { after, before, suite, test } from 'node:test';
import { call, givenOperator, type Json } from '../support/given.ts';
import { givenNote } from '../support/given-files.ts';
import { givenPerson } from '../support/given-people.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

suite('counting files', () => {
  let server: TestServer;
  let admin: string;

  before(async () => {
    server = await startServer();
    admin = await givenOperator(server);
  });
  after(() => server.stop());

  const statsOf = async (token: string, query = ''): Promise<Json> => {
    const answer = await call(server, 'GET', `/v1/files/stats?${query}`, { token });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };

  test('files are counted by provider, category, language, role, type and month, over what one may see', async () => {
    const owner = await givenPerson(server, admin, { roles: ['B'] });
    const reader = await givenPerson(server, admin, { roles: ['A'] });
    const nobody = await givenPerson(server, admin);
    await givenNote(
      server,
      owner.token,
      { provider: 'p', category: 'c', language: 'de', roles: ['A', 'B'], visibility: 'tenant' },
      '12345',
    );
    await givenNote(server, owner.token, { provider: 'p', roles: ['A'], visibility: 'tenant' }, '123');
    await givenNote(server, owner.token, { category: 'c', visibility: 'private' }, '1');
    await givenNote(server, owner.token, { language: 'de', visibility: 'public' }, '12');
    const month = new Date().toISOString().slice(0, 7);
    const count = (key: string, files: number, bytes: number) => ({ key, files, bytes, downloads: 0 });

    const whole = {
      totals: { files: 4, bytes: 11, downloads: 0 },
      byProvider: [count('p', 2, 8)],
      byCategory: [count('c', 2, 6)],
      byLanguage: [count('de', 2, 7)],
      byRole: [count('A', 2, 8), count('B', 1, 5)],
      byType: [count('text/plain', 4, 11)],
      byMonth: [count(month, 4, 11)],
    };
    assert.deepEqual(await statsOf(owner.token), whole);
    assert.deepEqual(await statsOf(admin), whole, 'an admin counts private ones, too');
    assert.deepEqual((await statsOf(reader.token)).totals, { files: 3, bytes: 10, downloads: 0 });
    assert.deepEqual((await statsOf(reader.token)).byCategory, [count('c', 1, 5)]);
    assert.deepEqual((await statsOf(nobody.token)).totals, { files: 1, bytes: 2, downloads: 0 });
  });

  test('whole days are counted', async () => {
    const { token } = await givenPerson(server, admin);
    await givenNote(server, token, { category: 'dated' });
    const now = Date.now();
    const at = (ms: number) => encodeURIComponent(new Date(ms).toISOString());
    const day = 86_400_000;
    const midnight = now - (now % day);
    const filesIn = async (query: string) => (await statsOf(token, query)).byCategory.some(({ key }: Json) => key === 'dated');
    assert.ok(await filesIn(`from=${at(midnight)}&to=${at(midnight + day)}`));
    assert.ok(await filesIn(`from=${at(midnight + day - 1)}`), 'the day of the beginning');
    assert.ok(await filesIn(`to=${at(midnight + 1)}`), 'the day in which the end lies');
    assert.ok(!(await filesIn(`to=${at(midnight)}`)), 'the end itself is not within');
    assert.ok(!(await filesIn(`from=${at(midnight + day)}`)));
    assert.ok(await filesIn(`from=${encodeURIComponent(new Date(midnight).toISOString().replace('Z', '+00:00'))}`));
    assert.equal((await call(server, 'GET', '/v1/files/stats?from=yesterday', { token })).status, 400);
  });

  test('the counts are those of the rows after many changes at the same time', async () => {
    const people = await Promise.all([[], ['A'], ['B', 'A']].map((roles) => givenPerson(server, admin, { roles })));
    const visibilities = ['private', 'tenant', 'public'];
    const pick = <Item>(items: readonly Item[], seed: number): Item => items[seed % items.length] as Item; // there are some
    const fieldsOf = (seed: number) => ({
      visibility: pick(visibilities, seed),
      category: pick(['x', 'y', 'z'], seed * 7),
      provider: pick(['p', 'q'], seed * 3),
      roles: pick([['A'], ['B'], ['A', 'B']], seed * 5),
    });
    const files = await Promise.all(
      Array.from({ length: 60 }, async (_, seed) => {
        const { token } = pick(people, seed);
        return { token, ...(await givenNote(server, token, fieldsOf(seed), 'x'.repeat(1 + seed))) };
      }),
    );
    await Promise.all(
      Array.from({ length: 150 }, async (_, seed) => {
        const { id, token } = pick(files, seed * 11);
        const { visibility, category, provider, roles } = fieldsOf(seed * 13 + 1);
        const body = pick<Json>([{ visibility }, { category }, { provider, roles }, { roles: null, category: null }], seed);
        const { status, text } = await call(server, 'PATCH', `/v1/files/${id}`, { token, body });
        assert.equal(status, 200, text);
      }),
    );

    const database = new DatabaseSync(`${server.dataFolder}/entrepot.db`, { readOnly: true });
    const rows = database.prepare(`SELECT * FROM "files" WHERE "state" = 'stored'`).all() as Json[]; // as the schema has them
    database.close();
    const { body: me } = await call(server, 'GET', '/v1/me', { token: admin });
    const viewers = [
      { id: me.id, token: admin, sees: () => true },
      ...people.map((person, index) => {
        const audiences = pick([[], ['A'], ['B', 'A']], index) as string[];
        const isOpen = ({ visibility, rolesJson }: Json) => {
          const roles: string[] = JSON.parse(rolesJson);
          return (
            visibility === 'public' || (visibility === 'tenant' && (roles.length === 0 || roles.some((role) => audiences.includes(role))))
          );
        };
        return { ...person, sees: (row: Json) => row.ownerId === person.id || isOpen(row) };
      }),
    ];
    for (const { token, sees } of viewers) {
      const stats = await statsOf(token);
      const seen = rows.filter(sees);
      const sum = (list: readonly Json[]) => ({
        files: list.length,
        bytes: list.reduce((bytes, { size }) => bytes + size, 0),
        downloads: 0,
      });
      assert.deepEqual(stats.totals, sum(seen));
      const check = (counted: Json, keysOf: (row: Json) => (string | null)[]) => {
        const keys = new Set(seen.flatMap(keysOf).filter((key) => key !== null));
        const wanted = [...keys].map((key) => ({ key, ...sum(seen.filter((row) => keysOf(row).includes(key))) }));
        const inOrder = (list: Json) => list.toSorted((one: Json, other: Json) => (one.key < other.key ? -1 : 1));
        assert.deepEqual(inOrder(counted), inOrder(wanted));
      };
      check(stats.byProvider, ({ provider }) => [provider]);
      check(stats.byCategory, ({ category }) => [category]);
      check(stats.byType, ({ type }) => [type]);
      check(stats.byRole, ({ rolesJson }) => JSON.parse(rolesJson));
    }
  });
});
