import { DatabaseSync } from 'node:sqlite';
import { type RawBuilder, sql } from 'kysely';
import type { Statement } from '../../src/database/database.ts';
import { addSignFunctions } from '../../src/database/sqlite-functions.ts';
import { buildOnly } from '../../src/database/sqlite-queries.ts';
import { createFileStatsStore, notingChanges } from '../../src/modules/files/catalogue/file-stats-store.ts';
import { dividingStretches, insertingEntries } from '../../src/modules/files/catalogue/order-store.ts';
import { termsOfRow } from '../../src/modules/files/catalogue/search-index-store.ts';

// Fills the database of a server that does not run with files as people would have left them: most of a few usual values, some of rare
// ones. Rows alone, no bytes. Only for measuring: everything else goes through the API.

/** Values that few files have, for measuring what is hard to find. */
export const rare = { category: 'rare', unique: 'unique', provider: 'tiny' } as const;

export interface SeededFiles {
  readonly tenantId: string;
  readonly amount: number;
  /** Who gets a hundred of a million files, and who gets forty thousand. */
  readonly few: string;
  readonly many: string;
}

/**
 * So many files of the tenant. Three in five belong to one of ten thousand people, the others to ten; half of them are private, a fifth is
 * public; a thousandth has the category `rare`, 1 in 50,000 `unique`, 1 in 2,000 the provider `tiny`. Takes about half a minute for a million.
 */
export const seedFiles = (file: string, { tenantId, amount, few, many }: SeededFiles): void => {
  const database = new DatabaseSync(file);
  const build = buildOnly();
  addSignFunctions(database);
  try {
    database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -262144; PRAGMA journal_mode = MEMORY; BEGIN IMMEDIATE');
    const from = 1 + Number(database.prepare('SELECT coalesce(max("position"), 0) AS "last" FROM "files"').get()?.last);
    database
      .prepare(
        `WITH RECURSIVE "numbers" (n) AS (SELECT CAST(? AS INTEGER) UNION ALL SELECT n + 1 FROM "numbers" WHERE n < ?),
        "named" AS (SELECT n, CASE n % 3 WHEN 0 THEN 'IMG_' WHEN 1 THEN 'report_' ELSE 'Video_' END AS "stem", (n * 7919) % 1000003 AS "tail",
          CASE n % 2 WHEN 0 THEN 'jpg' ELSE 'pdf' END AS "ending", CASE WHEN n % 7 < 2 THEN 'The harbour at night ' || (n % 977) END AS "title" FROM "numbers")
        INSERT INTO "files" ("position", "id", "tenantId", "ownerId", "senderId", "name", "nameKey", "title", "category", "language", "provider",
          "rolesJson", "visibility", "type", "size", "sha256", "state", "downloads", "createdAt", "updatedAt", "trashedAt", "words")
        SELECT n, 'file_' || printf('%026d', n), ?, CASE WHEN n % 10000 = 4321 THEN ? WHEN n % 100 >= 60 AND n % 10 = 9 THEN ?
            ELSE printf('per_%026d', CASE WHEN n % 100 < 60 THEN n % 10000 ELSE n % 10 END) END, 'svc_seed',
          "stem" || "tail" || '.' || "ending", "stem" || "tail" || '.' || "ending", "title",
          CASE WHEN n % 1000 = 7 THEN '${rare.category}' WHEN n % 50000 = 9 THEN '${rare.unique}' ELSE 'category ' || ("tail" / 7 % 12) END,
          CASE WHEN n % 4 > 0 THEN 'l' || (n * 17 % 7) END, CASE WHEN n % 2000 = 3 THEN '${rare.provider}' ELSE 'provider ' || (n * 13 % 25) END,
          CASE WHEN n % 5 = 0 THEN '["Mentor/Coach"]' WHEN n % 7 = 0 THEN '["Mentor/Coach","Teacher"]' ELSE '[]' END,
          CASE WHEN n % 10 < 5 THEN 'private' WHEN n % 10 < 8 THEN 'tenant' ELSE 'public' END,
          CASE n % 4 WHEN 0 THEN 'image/jpeg' WHEN 1 THEN 'video/mp4' WHEN 2 THEN 'application/pdf' ELSE 'text/plain' END,
          (n * 7919) % 10000019, printf('%064x', n), CASE WHEN n % 500 = 0 THEN 'trashed' ELSE 'stored' END, n % 9, 1700000000000 + n * 30000,
          1700000000000 + n * 30000, CASE WHEN n % 500 = 0 THEN 1700000000000 + n * 30000 END,
          ' ' || replace(lower("stem"), '_', '') || ' ' || "tail" || ' ' || "ending" || coalesce(replace(lower(' ' || "title"), '  ', ' '), '') || ' '
        FROM "named"`,
      )
      .run(from, from + amount - 1, tenantId, few, many);
    const terms = build
      .selectFrom('files')
      .select(['position', termsOfRow.as('terms')])
      .where('position', '>=', from)
      .orderBy('position')
      .compile();
    database.prepare(`INSERT INTO "fileSearch" ("rowid", "terms") ${terms.sql}`).run(...(terms.parameters as number[]));
    const run = (query: RawBuilder<unknown>) => {
      const { sql: text, parameters } = query.compile(build);
      database.prepare(text).run(...(parameters as number[]));
    };
    // In parts: what a statement hands to JavaScript is freed with the statement.
    for (let first = from; first < from + amount; first += 50_000)
      run(insertingEntries(sql<boolean>`"files"."position" between ${first} and ${first + 49_999}`));
    run(dividingStretches(sql<boolean>`1 = 1`));
    const noted = notingChanges(sql<boolean>`"files"."position" >= ${from}`, 1, 0).compile(build);
    database.prepare(noted.sql).run(...(noted.parameters as number[]));
    const counts = createFileStatsStore({ build, read: build }).addNoted(Number.MAX_SAFE_INTEGER) as Statement[]; // it repeats none
    for (const { sql: text, parameters } of counts) database.prepare(text).run(...(parameters as number[]));
    database.exec('COMMIT');
  } finally {
    database.close();
  }
};
