import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Write } from '../../../database/database.ts';
import { migrations } from '../../../database/migrate.ts';
import { addSignFunctions } from '../../../database/sqlite-functions.ts';
import { buildOnly, queriesOver } from '../../../database/sqlite-queries.ts';
import { encodeCursor } from '../../../foundation/page.ts';
import { createFileStore } from '../file-store.ts';
import { createLedger } from '../ledger-store.ts';
import type { Viewer } from '../viewer.ts';
import { type CatalogueFilter, createCatalogueStore, type Sort } from './catalogue-store.ts';
import { createFileStatsStore } from './file-stats-store.ts';

// The planner is asked as it is in a running server: with the schema as it is made, and without statistics.

const file = new DatabaseSync(':memory:');
addSignFunctions(file);
for (const statement of migrations.flatMap(({ statements }) => statements)) file.exec(statement);

const asked: string[] = [];
let found = 0;
let promising = 0;
const read = queriesOver(async (sql) => {
  asked.push(sql);
  return { rows: sql.includes('count(*)') ? [{ count: found, positions: '[]', all: 100, promising }] : [], changes: 0 };
});
const build = buildOnly();
const catalogue = createCatalogueStore({ read });
const store = createFileStore({ build, read });
const stats = createFileStatsStore({ read, build });
const ledger = createLedger({ build });

const viewer: Viewer = { tenantId: 't', callerId: 'p', ownerId: 'p', audiences: ['A'], isAdmin: false, unlocked: ['f'] };

const planOf = (sql: string): string => {
  const places = Array.from({ length: sql.split('?').length - 1 }, () => 1);
  const lines = file.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...places);
  return lines.map(({ detail }) => String(detail)).join('\n');
};

const plansOf = async (act: () => unknown): Promise<string[]> => {
  asked.length = 0;
  await act();
  return asked.map(planOf);
};

const filters: Partial<CatalogueFilter>[] = [
  {},
  { isOwn: true },
  { category: 'c', provider: 'p', language: 'l', role: 'r', type: 'image/*', visibility: 'private' },
  { folder: 'f' },
  { folder: 'root' },
  { states: ['trashed'] },
];
const viewers = [viewer, { ...viewer, isAdmin: true }];
const list = (filter: Partial<CatalogueFilter>, sort: Sort, by: Viewer, cursor?: readonly (string | number)[]) => () =>
  catalogue.listFiles(by, { states: ['stored', 'checking'], isOwn: false, ...filter }, sort, {
    limit: 50,
    ...(cursor === undefined ? {} : { cursor: encodeCursor(cursor) }),
  });

test('the newest files are read from the index of terms in its order, whatever is filtered', async () => {
  for (const filter of filters)
    for (const by of viewers)
      for (const sort of ['createdAt', '-createdAt'] as const)
        for (const cursor of [undefined, [sort, 7]]) {
          const [plan = ''] = await plansOf(list(filter, sort, by, cursor));
          assert.match(plan, /^SCAN fileSearch VIRTUAL TABLE INDEX .*\nSEARCH files USING INTEGER PRIMARY KEY/);
          assert.doesNotMatch(plan, /TEMP B-TREE FOR ORDER BY|SCAN files/);
        }
});

test('few files are sorted; of many the stretches are gone through in the order of the sort', async () => {
  for (const filter of filters)
    for (const by of viewers)
      for (const [sort, key] of [
        ['name', 'a'],
        ['-name', 'a'],
        ['size', 1],
        ['-size', 1],
      ] as const)
        for (const cursor of [undefined, [sort, key, 7]]) {
          found = 10;
          const [, sorted = ''] = await plansOf(list(filter, sort, by, cursor));
          assert.match(sorted, /^SEARCH files USING INTEGER PRIMARY KEY \(rowid=\?\)/);
          assert.doesNotMatch(sorted, /SCAN files/);
          found = 1_000_000;
          promising = 10;
          const [, , byStretch = ''] = await plansOf(list(filter, sort, by, cursor));
          const stretches = /^SEARCH stretch USING INDEX sqlite_autoindex_fileStretches_1 \(isBySize=\?.*\n/;
          const entries = 'SEARCH entry USING PRIMARY KEY (isBySize=? AND (key,position)>(?,?) AND (key,position)<(?,?))';
          assert.match(byStretch, stretches);
          const rows = 'SEARCH files USING INTEGER PRIMARY KEY (rowid=?)';
          assert.deepEqual(byStretch.replace(stretches, '').split('\n').slice(0, 2), [entries, rows]);
          promising = 90;
          const [, , byFile = ''] = await plansOf(list(filter, sort, by, cursor));
          assert.match(byFile, /^SEARCH entry USING PRIMARY KEY \(isBySize=\?.*\nSEARCH files USING INTEGER PRIMARY KEY \(rowid=\?\)/);
          for (const plan of [byStretch, byFile]) assert.doesNotMatch(plan, /TEMP B-TREE FOR ORDER BY/);
        }
});

test('no statement of a change or of the counts looks at all files', async () => {
  const writes: Write[] = [...ledger.enter('f'), ...ledger.leave('f'), ...ledger.download('f', 1), ...stats.addNoted(1)];
  const reads = await plansOf(async () => {
    await store.findFile(viewer, 'f');
    await stats.countFiles(viewer, {});
    await stats.countFiles({ ...viewer, isAdmin: true }, { first: 1, last: 2 });
  });
  for (const plan of [...reads, ...writes.map(({ sql }) => planOf(sql))])
    assert.doesNotMatch(
      plan,
      /SCAN (files|fileStats|fileUsage|fileOrders|fileStretches|entry|stretch|large)\b(?! USING INDEX (fileStatsEmpty|fileStretchesLarge))/,
      plan,
    );
});
