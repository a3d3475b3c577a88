import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import type { Database, Statement } from '../../../database/database.ts';
import { openDatabase } from '../../../database/open-database.ts';
import { queriesOver } from '../../../database/sqlite-queries.ts';
import type { AccessRow } from '../../../database/tables.ts';
import { createClock } from '../../../foundation/clock.ts';
import { createIds } from '../../../foundation/ids.ts';
import { type AccessFilter, createAccessStore } from './access-store.ts';

describe('accesses', () => {
  let folder: string;
  let database: Database;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-accesses-'));
    database = await openDatabase({ url: `sqlite:${join(folder, 'accesses.db')}`, clock: createClock() });
  });
  after(async () => {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  const viewer = { tenantId: 't', callerId: 'c', ownerId: 'o', audiences: [], unlocked: [], isAdmin: false };

  /** What the list asks of the database. */
  const statementOf = async (isAdmin: boolean, filter: AccessFilter): Promise<Statement> => {
    const asked: Statement[] = [];
    const read = queriesOver(async (sql, parameters) => {
      asked.push({ sql, parameters });
      return { rows: [], changes: 0 };
    });
    await createAccessStore({ ...database, read }).listAccesses({ ...viewer, isAdmin }, filter, { limit: 51, after: 'acc_z' });
    const [statement] = asked;
    assert.ok(statement);
    return statement;
  };

  const wanted: readonly (readonly [AccessFilter, RegExp])[] = [
    [{}, /accesses USING INDEX accessesOf(Tenant|Owner) \(\w+=\? AND id<\?\)/],
    [{ from: 1, to: 2 }, /accesses USING INDEX accessesOf(Tenant|Owner) \(\w+=\? AND id>\? AND id<\?\)/],
    [{ file: 'f' }, /accesses USING INDEX accessesOfFile \(fileId=\? AND id<\?\)/],
    [{ person: 'p' }, /accesses USING INDEX accessesOfPerson \(personId=\? AND id<\?\)/],
    [{ provider: 'p' }, /accesses USING INDEX accessesOf\w+ByProvider \(\w+=\? AND provider=\? AND id<\?\)/],
    [{ language: 'l' }, /accesses USING INDEX accessesOf\w+ByLanguage \(\w+=\? AND language=\? AND id<\?\)/],
    [{ role: 'r', from: 1 }, /accessRoles USING (PRIMARY KEY|COVERING INDEX \w+) \(\w+=\? AND role=\? AND accessId>\? AND accessId<\?\)/],
  ];
  for (const [filter, pattern] of wanted) {
    it(`by ${Object.keys(filter).join(' and ') || 'nothing'} are found by an index, newest first, without sorting`, async () => {
      const file = new DatabaseSync(join(folder, 'accesses.db'), { readOnly: true });
      try {
        for (const isAdmin of [false, true]) {
          const { sql, parameters } = await statementOf(isAdmin, filter);
          const values = parameters as string[]; // the viewer and the filter
          const [first = '', ...steps] = file
            .prepare(`explain query plan ${sql}`)
            .all(...values)
            .map(({ detail }) => String(detail));
          assert.match(first, pattern);
          assert.ok(!steps.some((step) => /USE TEMP B-TREE FOR ORDER BY|SCAN accesses/.test(step)), steps.join('\n'));
        }
      } finally {
        file.close();
      }
    });
  }

  it('are removed with what hangs on them, and the rest stays', async () => {
    const store = createAccessStore(database);
    let at = 1_000;
    const ids = createIds(() => at);
    const rows = Array.from({ length: 10 }, (_, index): AccessRow => {
      at += 1_000;
      return {
        ...{ id: ids.next('access'), tenantId: 't', ownerId: 'o', fileId: 'f', folderId: null, name: 'n', personId: 'p', how: 'content' },
        ...{ address: 'a', userAgent: null, bytes: 1, provider: null, language: null, at },
        rolesJson: index % 2 === 0 ? '["one","two"]' : '[]',
      };
    });
    await database.write(store.insertAccesses(rows));
    const before = rows[4]?.at ?? 0;
    assert.equal(await store.removeOld(before, 3), 3);
    assert.equal(await store.removeOld(before, 3), 1);
    const left = await store.listAccesses(viewer, {}, { limit: 50, after: undefined });
    assert.deepEqual(
      left.map(({ id }) => id),
      rows
        .slice(4)
        .map(({ id }) => id)
        .reverse(),
    );
    const roles = await database.read.selectFrom('accessRoles').select('accessId').execute();
    assert.equal(roles.length, 6);
    const found = await store.findToScrub('p', 4);
    assert.equal(found.length, 4);
    await database.write([store.scrub(found.map(({ id }) => id))]);
    assert.equal((await store.findToScrub('p', 4)).length, 2);
  });
});
