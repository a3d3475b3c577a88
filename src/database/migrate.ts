import type { Database, Trx } from './database.ts';
import { migration0001 } from './migrations/0001-first.ts';
import { migration0002 } from './migrations/0002-identity.ts';
import { migration0003 } from './migrations/0003-facts-once-written.ts';
import { migration0004 } from './migrations/0004-deliveries-under-way.ts';
import { migration0005 } from './migrations/0005-kept-answers-sealed.ts';
import { migration0006 } from './migrations/0006-files.ts';
import { migration0007 } from './migrations/0007-uploads.ts';
import { migration0008 } from './migrations/0008-catalogue.ts';
import { migration0009 } from './migrations/0009-shares.ts';
import { migration0010 } from './migrations/0010-file-accesses.ts';
import type { Migration } from './migrations/migration.ts';

/** All steps, in order. */
export const migrations: readonly Migration[] = [
  migration0001,
  migration0002,
  migration0003,
  migration0004,
  migration0005,
  migration0006,
  migration0007,
  migration0008,
  migration0009,
  migration0010,
];

/** The data was written by a newer program. */
export class DataIsNewer extends Error {
  constructor(found: number, known: number) {
    super(
      `The data is of version ${found}, this program knows versions up to ${known}. ` +
        'Start the newer program again, or restore a backup that was made before the upgrade.',
    );
    this.name = 'DataIsNewer';
  }
}

/** A step may have to move all that was ever written, and nobody is served before it is done. */
const limitMs = 6 * 60 * 60 * 1000;

/** Brings the schema to the newest version in one transaction, so a second start waits for the first and finds nothing to do. */
export const migrate = async (database: Database, now: number): Promise<void> => {
  const act = async ({ query, run }: Trx) => {
    await run([
      {
        sql: 'CREATE TABLE IF NOT EXISTS "migrations" ("version" INTEGER PRIMARY KEY, "name" TEXT NOT NULL, "appliedAt" INTEGER NOT NULL)',
        parameters: [],
      },
    ]);
    const newest = await query
      .selectFrom('migrations')
      .select(({ fn }) => fn.max('version').as('version'))
      .executeTakeFirst();
    const found = newest?.version ?? 0;
    const known = migrations.at(-1)?.version ?? 0;
    if (found > known) throw new DataIsNewer(found, known);
    for (const { version, name, statements } of migrations.slice(found)) {
      await run(statements.map((sql) => ({ sql, parameters: [] })));
      await query.insertInto('migrations').values({ version, name, appliedAt: now }).execute();
    }
  };
  await database.transaction(act, { limitMs });
};
