import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, type TestContext, test } from 'node:test';
import threads from 'node:worker_threads';
import { createClock } from '../foundation/clock.ts';
import { Unavailable } from '../foundation/problem.ts';
import { claimDataFolder, DataFolderInUse } from './data-folder.ts';
import { databaseContract } from './database.contract.ts';
import type { Database } from './database.ts';
import { DataIsNewer, migrate } from './migrate.ts';
import { openDatabase } from './open-database.ts';
import { openSqlite } from './sqlite.ts';

const clock = createClock();

/** Threads that were started, so that a test can make one die. */
const started: threads.Worker[] = [];
threads.Worker = class extends threads.Worker {
  constructor(...args: ConstructorParameters<typeof threads.Worker>) {
    super(...args);
    started.push(this);
  }
};
syncBuiltinESMExports();

const givenFolder = async (context: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-sqlite-'));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
};

/** Opened now and, if nobody did before, closed with the test. */
const openIn = async (context: TestContext, folder: string): Promise<Database> => {
  const database = await openDatabase({ url: `sqlite:${join(folder, 'test.db')}`, clock });
  context.after(() => database.close());
  return database;
};

databaseContract('sqlite', async (context) => {
  const folder = await givenFolder(context);
  return { database: await openIn(context, folder), reopen: () => openIn(context, folder) };
});

const insert = ({ build }: Database, tokenHash: string) =>
  build.insertInto('setUpTokens').values({ tokenHash, createdAt: 1, usedAt: null }).compile();
const tokens = async ({ read }: Database) =>
  (await read.selectFrom('setUpTokens').select('tokenHash').execute()).map(({ tokenHash }) => tokenHash);
const pragma = async (database: Database, name: string) =>
  await database.transaction(async ({ run }) => {
    const [result] = await run([{ sql: `PRAGMA ${name}`, parameters: [] }]);
    return Object.values(result?.rows[0] ?? {})[0];
  });

suite('the embedded database', () => {
  test('what is acknowledged is on the disk: write-ahead log, every commit synchronised, foreign keys kept', async (context) => {
    const database = await openIn(context, await givenFolder(context));
    assert.equal(await pragma(database, 'journal_mode'), 'wal');
    assert.equal(await pragma(database, 'synchronous'), 2);
    assert.equal(await pragma(database, 'foreign_keys'), 1);
  });

  test('a place that cannot keep what was acknowledged is refused at the start', async () => {
    await assert.rejects(openSqlite(':memory:'), /durability/);
  });

  test('a transaction that takes too long is undone, and the next one is not kept waiting by it', async (context) => {
    const folder = await givenFolder(context);
    await (await openIn(context, folder)).close();
    const database = await openSqlite(join(folder, 'test.db'), { transactionLimitMs: 100 });
    context.after(() => database.close());
    let isLateRefused = false;
    const slow = database.transaction(async ({ run }) => {
      await run([insert(database, 'slow')]);
      await new Promise((resolve) => setTimeout(resolve, 400));
      await run([insert(database, 'late')]).catch(() => {
        isLateRefused = true;
      });
    });
    const next = database.write([insert(database, 'next')]);
    await assert.rejects(slow, Unavailable);
    await next;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(isLateRefused);
    assert.deepEqual(await tokens(database), ['next']);
  });

  test('the schema is brought up to date however long that takes', async (context) => {
    const database = await openSqlite(join(await givenFolder(context), 'old.db'), { transactionLimitMs: 1 });
    context.after(() => database.close());
    await assert.rejects(
      database.transaction(() => new Promise((resolve) => setTimeout(resolve, 100))),
      Unavailable,
    );
    await migrate(database, 1);
    assert.deepEqual(await tokens(database), []);
  });

  test('a thread that dies fails what it was doing, and another takes its place', async (context) => {
    const folder = await givenFolder(context);
    const before = started.length;
    const database = await openIn(context, folder);
    await tokens(database);
    const [writer, reader] = started.slice(before);
    for (let round = 0; round < 3; round += 1) {
      const acts = Array.from({ length: 20 }, (_, index) => database.write([insert(database, `${round}-${index}`)]));
      const ended = Promise.allSettled([...acts, ...Array.from({ length: 3 }, () => tokens(database))]);
      const dying = round === 0 ? [writer, reader] : started.slice(-2);
      await Promise.all(dying.map((thread) => thread?.terminate()));
      const outcomes = await ended;
      for (const outcome of outcomes) assert.ok(outcome.status === 'fulfilled' || outcome.reason instanceof Unavailable, String(outcome));
      await database.write([insert(database, `after-${round}`)]);
      const there = await tokens(database);
      assert.ok(there.includes(`after-${round}`));
      for (const [index, outcome] of outcomes.slice(0, 20).entries()) {
        if (outcome.status === 'fulfilled') assert.ok(there.includes(`${round}-${index}`), 'what was acknowledged is there');
      }
    }
  });

  test('a transaction whose thread dies leaves nothing behind, also when nothing was under way just then', async (context) => {
    const folder = await givenFolder(context);
    const before = started.length;
    const database = await openIn(context, folder);
    const [writer] = started.slice(before);
    const torn = database.transaction(async ({ run }) => {
      await run([insert(database, 'first half')]);
      await writer?.terminate();
      await run([insert(database, 'second half')]);
    });
    await assert.rejects(torn, Unavailable);
    const last = started.at(-1);
    const tornAtTheEnd = database.transaction(async ({ run }) => {
      await run([insert(database, 'all of it')]);
      await last?.terminate();
    });
    await assert.rejects(tornAtTheEnd, Unavailable);
    await database.write([insert(database, 'after')]);
    assert.deepEqual(await tokens(database), ['after']);
  });

  test('a file that another program has locked is unavailable for as long, and works by itself after', async (context) => {
    const folder = await givenFolder(context);
    const database = await openIn(context, folder);
    const other = new DatabaseSync(join(folder, 'test.db'));
    other.exec('BEGIN IMMEDIATE');
    await assert.rejects(database.write([insert(database, 'locked out')]), Unavailable);
    other.exec('COMMIT');
    other.close();
    await database.write([insert(database, 'let in')]);
    assert.deepEqual(await tokens(database), ['let in']);
  });

  test('the schema is made once, however many starts there are and however close together', async (context) => {
    const folder = await givenFolder(context);
    const opened = await Promise.all([openIn(context, folder), openIn(context, folder), openIn(context, folder)]);
    await Promise.all(opened.map((database) => database.close()));
    const database = await openIn(context, folder);
    const applied = await database.read.selectFrom('migrations').select('version').execute();
    assert.equal(new Set(applied.map(({ version }) => version)).size, applied.length);
    assert.equal((await database.read.selectFrom('tenants').select('id').execute()).length, 1);
  });

  test('data of a newer program is refused, by numbers, and left as it is', async (context) => {
    const folder = await givenFolder(context);
    const database = await openIn(context, folder);
    await database.write([
      database.build.insertInto('migrations').values({ version: 9_999, name: 'from the future', appliedAt: 1 }).compile(),
    ]);
    await database.close();
    await assert.rejects(openIn(context, folder), (error) => error instanceof DataIsNewer && /9999/.test(error.message));
    const file = new DatabaseSync(join(folder, 'test.db'), { readOnly: true });
    assert.equal(file.prepare('select max("version") as version from "migrations"').get()?.version, 9_999);
    file.close();
  });
});

suite('the data folder', () => {
  test('is claimed by one server at a time, and free again when that lets go', async (context) => {
    const folder = join(await givenFolder(context), 'made', 'on', 'demand');
    const claim = claimDataFolder(folder);
    assert.throws(
      () => claimDataFolder(folder),
      (error) => error instanceof DataFolderInUse && error.message.includes(String(process.pid)),
    );
    assert.throws(() => claimDataFolder(folder), DataFolderInUse, 'asking does not break the claim');
    claim.release();
    claimDataFolder(folder).release();
  });

  test('is free again when the server that had it was killed', async (context) => {
    const folder = await givenFolder(context);
    const module = new URL('./data-folder.ts', import.meta.url).href;
    const script = `const { claimDataFolder } = await import(${JSON.stringify(module)}); claimDataFolder(${JSON.stringify(folder)}); console.log('claimed'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    assert.throws(
      () => claimDataFolder(folder),
      (error) => error instanceof DataFolderInUse && error.message.includes(String(child.pid)),
    );
    child.kill('SIGKILL');
    await gone;
    claimDataFolder(folder).release();
  });
});
