import assert from 'node:assert/strict';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Statement, Write } from '../../../database/database.ts';
import { migrations } from '../../../database/migrate.ts';
import { addSignFunctions } from '../../../database/sqlite-functions.ts';
import { buildOnly, queriesOver } from '../../../database/sqlite-queries.ts';
import type { FileRow } from '../../../database/tables.ts';
import { encodeCursor } from '../../../foundation/page.ts';
import { signOf } from '../../../foundation/term-signs.ts';
import { createFileStore, type NewFileRow } from '../file-store.ts';
import { createLedger } from '../ledger-store.ts';
import type { Viewer } from '../viewer.ts';
import { type CatalogueFilter, createCatalogueStore, placeOf, type Sort, sorts } from './catalogue-store.ts';
import { createFileStatsStore } from './file-stats-store.ts';
import { fileSigns } from './order-store.ts';
import { wantedWords, wordsOf } from './search-words.ts';

// Who finds and counts which files: what SQL says is held against a plain model, over files, folders and viewers of every kind.

const asked: string[] = [];
const build = buildOnly();

const openScene = () => {
  const file = new DatabaseSync(':memory:');
  addSignFunctions(file);
  for (const statement of migrations.flatMap(({ statements }) => statements)) file.exec(statement);
  const read = queriesOver(async (sql, parameters) => {
    asked.push(sql);
    return { rows: file.prepare(sql).all(...(parameters as SQLInputValue[])), changes: 0 }; // parameters are made by Kysely from typed rows
  });
  const write = (writes: readonly Write[]) => {
    for (const one of writes) file.prepare(one.sql).run(...((one as Statement).parameters as SQLInputValue[])); // the stores asked for here repeat none
  };
  return {
    file,
    read,
    write,
    store: createFileStore({ build, read }),
    ledger: createLedger({ build }, { stretches: { most: 4, divided: 2 } }),
  };
};

const tenants = ['ten_1', 'ten_2'];
const people = ['per_1', 'per_2', 'per_3'];
const roles = ['A', 'B', 'é "x"'];
const states = ['expected', 'checking', 'stored', 'stored', 'stored', 'rejected', 'trashed'] as const;
/** Folders of each person: one that is locked, one within it, an open one, a locked one within that. */
const folderKinds = ['locked', 'within', 'open', 'inner'] as const;
const folderId = (tenantId: string, ownerId: string, kind: string) => `${tenantId}/${ownerId}/${kind}`;

const someFile = fc.record({
  tenantId: fc.constantFrom(...tenants),
  ownerId: fc.constantFrom(...people),
  state: fc.constantFrom(...states),
  visibility: fc.constantFrom('private' as const, 'tenant' as const, 'public' as const),
  roles: fc.uniqueArray(fc.constantFrom(...roles)),
  category: fc.constantFrom(null, 'x', 'X'),
  provider: fc.constantFrom(null, 'p', 'p"q'),
  type: fc.constantFrom('image/png', 'text/plain', 'imag/e'),
  name: fc.constantFrom('b.txt', 'a.txt', 'A.txt', 'ä 12.txt', 'photo_12.png'),
  size: fc.integer({ min: 1, max: 4 }),
  downloads: fc.integer({ min: 0, max: 3 }),
  // Days at the ends of months and years.
  day: fc.constantFrom(0, 1, 30, 31, 58, 59, 364, 365),
  folder: fc.constantFrom(null, null, ...folderKinds),
});
const someDays = fc.record({ first: fc.constantFrom(undefined, 0, 1, 31, 58), last: fc.constantFrom(undefined, 0, 30, 58, 59, 365, 400) });
type SomeFile = typeof someFile extends fc.Arbitrary<infer File> ? File : never;

const someViewer = fc.record({
  tenantId: fc.constantFrom(...tenants),
  ownerId: fc.constantFrom(...people),
  audiences: fc.uniqueArray(fc.constantFrom(...roles)),
  isAdmin: fc.boolean(),
  unlocksOuter: fc.boolean(),
  unlocksInner: fc.boolean(),
});

const rowOf = (file: SomeFile, number: number): NewFileRow => ({
  id: `file_${number}`,
  tenantId: file.tenantId,
  ownerId: file.ownerId,
  senderId: file.ownerId,
  name: file.name,
  nameKey: file.name,
  title: null,
  description: null,
  category: file.category,
  language: null,
  provider: file.provider,
  rolesJson: JSON.stringify(file.roles),
  folderId: file.folder === null ? null : folderId(file.tenantId, file.ownerId, file.folder),
  visibility: file.visibility,
  type: file.type,
  size: file.size,
  sha256: '',
  state: file.state,
  reason: null,
  downloads: file.downloads,
  createdAt: file.day * 86_400_000 + number,
  updatedAt: 0,
  trashedAt: null,
});

const viewerOf = (some: typeof someViewer extends fc.Arbitrary<infer Some> ? Some : never): Viewer => ({
  tenantId: some.tenantId,
  callerId: some.ownerId,
  ownerId: some.ownerId,
  audiences: some.audiences,
  isAdmin: some.isAdmin,
  unlocked: [
    ...(some.unlocksOuter ? [folderId(some.tenantId, some.ownerId, 'locked')] : []),
    ...(some.unlocksInner ? [folderId(some.tenantId, some.ownerId, 'inner')] : []),
  ],
});

/** The model: who sees what, in plain words. */
const isSeen = (row: NewFileRow, viewer: Viewer): boolean => {
  if (row.tenantId !== viewer.tenantId) return false;
  const isFor: string[] = JSON.parse(row.rolesJson);
  const isOpen =
    row.visibility === 'public' ||
    (row.visibility === 'tenant' && (isFor.length === 0 || isFor.some((role) => viewer.audiences.includes(role))));
  return viewer.isAdmin || row.ownerId === viewer.ownerId || (row.state === 'stored' && isOpen);
};
const isHidden = ({ tenantId, ownerId, folderId: folder }: NewFileRow, { unlocked }: Viewer): boolean => {
  const lockOf: Record<string, string> = { locked: 'locked', within: 'locked', inner: 'inner' };
  const lock = folder === null ? undefined : lockOf[folder.split('/').at(-1) ?? ''];
  return lock !== undefined && !unlocked.includes(folderId(tenantId, ownerId, lock));
};
const compareText = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other));

const makeFolders = (file: DatabaseSync) => {
  const insert = file.prepare('INSERT INTO "folders" VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)');
  for (const tenantId of tenants)
    for (const ownerId of people)
      for (const kind of folderKinds) {
        const parent = { locked: null, within: 'locked', open: null, inner: 'open' }[kind];
        const lockHash = kind === 'locked' || kind === 'inner' ? 'hash' : null;
        insert.run(
          folderId(tenantId, ownerId, kind),
          tenantId,
          ownerId,
          parent && folderId(tenantId, ownerId, parent),
          kind,
          kind,
          lockHash,
        );
      }
};

test('lists, pages and counts are those of the files that one may see, in every order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(someFile, { minLength: 1, maxLength: 25 }),
      fc.array(someViewer, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(...sorts),
      // Sorted; walked file by file; walked stretch by stretch; each where it is the best.
      fc.constantFrom(
        { mostSorted: 100, mostPromising: 0.5 },
        { mostSorted: -1, mostPromising: 0 },
        { mostSorted: -1, mostPromising: 1 },
        { mostSorted: 2, mostPromising: 0.5 },
      ),
      fc.record({
        states: fc.constantFrom<FileRow['state'][]>(['stored', 'checking'], ['trashed'], ['expected']),
        isOwn: fc.boolean(),
        category: fc.constantFrom(undefined, undefined, 'x'),
        provider: fc.constantFrom(undefined, undefined, 'p"q'),
        visibility: fc.constantFrom(undefined, undefined, 'private' as const, 'tenant' as const),
        role: fc.constantFrom(undefined, undefined, 'é "x"'),
        type: fc.constantFrom(undefined, undefined, 'image/*', 'text/plain'),
        folder: fc.constantFrom(undefined, undefined, 'root'),
        words: fc.constantFrom(undefined, undefined, wantedWords('12'), wantedWords('txt a')),
      }),
      someDays,
      async (files, viewers, sort, limits, filter, days) => {
        const { file, read, write, store, ledger } = openScene();
        makeFolders(file);
        const rows = files.map(rowOf);
        // Each is written as something else first, so that changes are part of it.
        for (const [index, row] of rows.entries()) {
          const before = rowOf(
            { ...(files[(index + 1) % files.length] as SomeFile), state: row.state, tenantId: row.tenantId, ownerId: row.ownerId },
            index,
          );
          const first = {
            ...row,
            ...{ visibility: before.visibility, rolesJson: before.rolesJson, category: before.category, name: before.name },
          };
          write([
            store.insertFile(first),
            ...ledger.enter(row.id),
            ...ledger.around(row.id, [store.updateFields(row)]),
            ...ledger.download(row.id, 1),
          ]);
        }
        const kept = rows.map((row) => ({ ...row, downloads: row.downloads + 1 }));
        const catalogue = createCatalogueStore({ read }, limits);
        const stats = createFileStatsStore({ read, build });
        for (const viewer of viewers.map(viewerOf)) {
          const visible = kept.filter((row) => isSeen(row, viewer) && !isHidden(row, viewer));
          const wanted = visible.filter((row) => isWanted(row, viewer, filter));
          const listed = await allPages(catalogue, viewer, filter, sort);
          assert.deepEqual(
            listed,
            wanted.toSorted(inOrder(sort)).map(({ id }) => id),
          );

          // Some are added up, some are noted still.
          const noted = await stats.findNoted(3);
          if (noted !== undefined) write(stats.addNoted(noted.seq));
          const counted = await stats.countFiles(viewer, days);
          const within = visible.filter(
            ({ state, createdAt }) =>
              state === 'stored' && createdAt >= (days.first ?? 0) * 86_400_000 && createdAt < ((days.last ?? 999) + 1) * 86_400_000,
          );
          const sum = (key: (row: NewFileRow) => boolean) => {
            const found = within.filter(key);
            const of = (name: 'size' | 'downloads') => found.reduce((total, row) => total + row[name], 0);
            return { files: found.length, bytes: of('size'), downloads: of('downloads') };
          };
          const told = (dimension: string, key?: string) =>
            counted
              .filter((count) => count.dimension === dimension && (key === undefined || count.key === key))
              .reduce(
                (all, { files: n, bytes, downloads }) => ({
                  files: all.files + n,
                  bytes: all.bytes + bytes,
                  downloads: all.downloads + downloads,
                }),
                {
                  files: 0,
                  bytes: 0,
                  downloads: 0,
                },
              );
          assert.deepEqual(
            told('total'),
            sum(() => true),
          );
          for (const category of ['x', 'X'])
            assert.deepEqual(
              told('category', category),
              sum((row) => row.category === category),
            );
          for (const role of roles)
            assert.deepEqual(
              told('role', role),
              sum((row) => JSON.parse(row.rolesJson).includes(role)),
            );
        }
        for (const { id } of rows) write(ledger.leave(id));
        write(stats.addNoted(Number.MAX_SAFE_INTEGER));
        assert.deepEqual(file.prepare('SELECT * FROM "fileStats"').all(), [], 'of what is gone nothing is left');
        for (const table of ['fileSearch', 'fileOrders']) assert.equal(file.prepare(`SELECT count(*) AS "n" FROM "${table}"`).get()?.n, 0);
        file.close();
      },
    ),
    { numRuns: 100 },
  );
});

const isWanted = (row: NewFileRow, viewer: Viewer, filter: CatalogueFilter): boolean => {
  const { states: wantedStates, isOwn, category, provider, visibility, role, type, folder, words } = filter;
  const found = wordsOf(row).split(' ');
  return (
    wantedStates.includes(row.state) &&
    (!isOwn || row.ownerId === viewer.ownerId) &&
    (category === undefined || row.category === category) &&
    (provider === undefined || row.provider === provider) &&
    (visibility === undefined || row.visibility === visibility) &&
    (role === undefined || JSON.parse(row.rolesJson).includes(role)) &&
    (type === undefined || (type === 'image/*' ? row.type.startsWith('image/') : row.type === type)) &&
    (folder === undefined || row.folderId === null) &&
    (words === undefined || (words.whole.every((word) => found.includes(word)) && found.some((word) => word.startsWith(words.beginning))))
  );
};

const numberOf = ({ id }: NewFileRow): number => Number(id.slice('file_'.length));

const inOrder =
  (sort: Sort) =>
  (one: NewFileRow, other: NewFileRow): number => {
    const byKey = sort.endsWith('name') ? compareText(one.nameKey, other.nameKey) : sort.endsWith('size') ? one.size - other.size : 0;
    return (byKey || numberOf(one) - numberOf(other)) * (sort.startsWith('-') ? -1 : 1);
  };

const allPages = async (
  catalogue: ReturnType<typeof createCatalogueStore>,
  viewer: Viewer,
  filter: CatalogueFilter,
  sort: Sort,
): Promise<string[]> => {
  const found: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const rows = await catalogue.listFiles(viewer, filter, sort, { limit: 3, ...(cursor === undefined ? {} : { cursor }) });
    const shown = rows.slice(0, 3);
    found.push(...shown.map(({ id }) => id));
    const last = shown.at(-1);
    if (rows.length <= 3 || last === undefined) return found;
    cursor = encodeCursor(placeOf(sort, last));
  }
};

test('names are words of letters and words of digits; accents and case do not count', () => {
  const words = (name: string) => wordsOf({ name, title: null, description: null }).trim().split(' ');
  assert.deepEqual(words('IMG_1234.JPG'), ['img', '1234', 'jpg']);
  assert.deepEqual(words('Straße-Über.Cafe\u0301'), ['strasse', 'uber', 'cafe']);
  assert.deepEqual(words('हिन्दी'), ['हिन्दी'], 'signs that belong to letters stay');
  assert.deepEqual(words('photo東京2026'), ['photo', '東', '京', '2026']);
  assert.equal(wordsOf({ name: '…', title: null, description: null }), '');
});

test('signs tell each visibility from the others, of which there are only three', () => {
  const signs = ['private', 'tenant', 'public'].map((visibility) => signOf(fileSigns, `=v${visibility}`).join());
  assert.equal(new Set(signs).size, 3);
});
