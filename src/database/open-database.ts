import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../foundation/clock.ts';
import { type Database, DatabaseUnusable } from './database.ts';
import { migrate } from './migrate.ts';
import { openSqlite } from './sqlite.ts';

/** Opens the database that the URL's scheme names and brings its schema to the newest version. Rejects with `DatabaseUnusable` or `DataIsNewer`. */
export const openDatabase = async ({ url, clock }: { url: string; clock: Clock }): Promise<Database> => {
  const database = await open(url);
  try {
    await migrate(database, clock.now());
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
};

const open = async (url: string): Promise<Database> => {
  const [, file] = /^sqlite:(.+)$/.exec(url) ?? [];
  if (!file) throw new Error(`There is no database for ${url.split(':')[0]}:`);
  await mkdir(dirname(file), { recursive: true });
  return await openSqlite(file).catch((error: unknown) => {
    throw new DatabaseUnusable(file, error);
  });
};
