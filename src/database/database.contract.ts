import assert from 'node:assert/strict';
import { suite, type TestContext, test } from 'node:test';
import { Unavailable } from '../foundation/problem.ts';
import { type Database, type Statement, UniqueViolation, type Write, WriteRefused } from './database.ts';
import { slot, template } from './template.ts';

/** An empty database that was brought to the newest schema, and the way to open what it holds once more. Both end with the test. */
export type OpenDatabase = (context: TestContext) => Promise<{ database: Database; reopen: () => Promise<Database> }>;

/** What every database promises. The tables of leases and set-up tokens serve as a playground. */
export const databaseContract = (name: string, open: OpenDatabase) => {
  const token = ({ build }: Database, tokenHash: string, createdAt = 1): Statement =>
    build.insertInto('setUpTokens').values({ tokenHash, createdAt, usedAt: null }).compile();
  const tokens = async ({ read }: Database) =>
    (await read.selectFrom('setUpTokens').select('tokenHash').orderBy('tokenHash').execute()).map(({ tokenHash }) => tokenHash);
  const use = ({ build }: Database, tokenHash: string): Statement =>
    build.updateTable('setUpTokens').set({ usedAt: 2 }).where('tokenHash', '=', tokenHash).compile();
  const insertOnce = ({ build }: Database) =>
    template<{ tokenHash: string }>(
      build
        .insertInto('setUpTokens')
        .values({ tokenHash: slot<string>('tokenHash'), createdAt: 1, usedAt: null })
        .onConflict((conflict) => conflict.doNothing()),
    );
  const countLeases = ({ build }: Database) =>
    template<{ name: string }>(
      build
        .insertInto('leases')
        .values({ name: slot<string>('name'), holder: '', token: 1, expiresAt: 0, pacedUntil: 0, heldAt: 0 })
        .onConflict((conflict) => conflict.column('name').doUpdateSet((eb) => ({ token: eb('leases.token', '+', 1) }))),
    );

  suite(name, { concurrency: 4 }, () => {
    test('what was written, by an act or a transaction, is there after the next start', async (context) => {
      const { database, reopen } = await open(context);
      await database.write([token(database, 'a'), token(database, 'b')]);
      await database.transaction(async ({ query }) => {
        await query.insertInto('setUpTokens').values({ tokenHash: 'c', createdAt: 1, usedAt: null }).execute();
      });
      await database.close();
      assert.deepEqual(await tokens(await reopen()), ['a', 'b', 'c']);
    });

    test('an act is written whole or not at all', async (context) => {
      const { database } = await open(context);
      await database.write([token(database, 'taken')]);
      await assert.rejects(database.write([token(database, 'new'), token(database, 'taken')]), UniqueViolation);
      assert.deepEqual(await tokens(database), ['taken']);
    });

    test('an act that fails undoes itself alone, whatever it shares a commit with', async (context) => {
      const { database } = await open(context);
      await database.write([token(database, 'taken')]);
      const acts = Array.from({ length: 60 }, (_, index): Write[] => {
        if (index % 3 === 1) return [token(database, `undone-${index}`), token(database, 'taken')];
        if (index % 3 === 2) return [token(database, `undone-${index}`), { ...use(database, 'nobody'), mustChange: 1 }];
        return [token(database, `kept-${index}`)];
      });
      const outcomes = await Promise.allSettled(acts.map((act) => database.write(act)));
      for (const [index, outcome] of outcomes.entries()) {
        if (index % 3 === 0) assert.equal(outcome.status, 'fulfilled');
        else assert.ok(outcome.status === 'rejected' && outcome.reason instanceof (index % 3 === 1 ? UniqueViolation : WriteRefused));
      }
      const kept = await tokens(database);
      assert.equal(kept.length, 21);
      assert.ok(kept.every((one) => one === 'taken' || one.startsWith('kept-')));
    });

    test('a statement that is wrong is an error of its own, and harms nobody else', async (context) => {
      const { database } = await open(context);
      const [wrong, right] = await Promise.allSettled([
        database.write([{ sql: 'insert into "nowhere" values (1)', parameters: [] }]),
        database.write([token(database, 'a')]),
      ]);
      assert.ok(wrong.status === 'rejected' && !(wrong.reason instanceof Unavailable));
      assert.equal(right.status, 'fulfilled');
    });

    test('an act that must change a number of rows and changes another is refused', async (context) => {
      const { database } = await open(context);
      const once = insertOnce(database);
      await assert.rejects(database.write([{ ...use(database, 'a'), mustChange: 1 }]), WriteRefused);
      await database.write([once.rows([{ tokenHash: 'a' }, { tokenHash: 'b' }], 2)]);
      await assert.rejects(database.write([once.rows([{ tokenHash: 'b' }, { tokenHash: 'c' }], 2)]), WriteRefused);
      assert.deepEqual(await tokens(database), ['a', 'b']);
      await database.write([{ ...use(database, 'nobody'), mustChange: 0 }]);
    });

    test('a repeated write tells which of its rows changed nothing', async (context) => {
      const { database } = await open(context);
      await database.write([token(database, 'b')]);
      const [inserted] = await database.write([insertOnce(database).rows(['a', 'b', 'c', 'a'].map((tokenHash) => ({ tokenHash })))]);
      assert.equal(inserted?.changes, 2);
      assert.deepEqual(inserted?.unchanged, [1, 3]);
    });

    test('a write tells how many rows it changed and returns what it is asked to return', async (context) => {
      const { database } = await open(context);
      const [first, second, third] = await database.write([
        insertOnce(database).rows([{ tokenHash: 'a' }, { tokenHash: 'b' }]),
        database.build.updateTable('setUpTokens').set({ usedAt: 5 }).returning(['tokenHash', 'usedAt']).compile(),
        database.build.deleteFrom('setUpTokens').where('tokenHash', '=', 'a').compile(),
      ]);
      assert.equal(first?.changes, 2);
      assert.equal(first?.unchanged, undefined);
      assert.equal(second?.changes, 2);
      assert.deepEqual(
        second?.rows.map((row) => ({ ...row })).toSorted((one, other) => (String(one.tokenHash) < String(other.tokenHash) ? -1 : 1)),
        [
          { tokenHash: 'a', usedAt: 5 },
          { tokenHash: 'b', usedAt: 5 },
        ],
      );
      assert.equal(third?.changes, 1);
      assert.deepEqual(await database.write([]), []);
    });

    test('a transaction sees what it has written, others see it only when it is committed', async (context) => {
      const { database } = await open(context);
      const result = await database.transaction(async ({ query, run }) => {
        await run([token(database, 'a')]);
        const inside = await query.selectFrom('setUpTokens').select('tokenHash').execute();
        assert.equal(inside.length, 1);
        assert.deepEqual(await tokens(database), []);
        return 'what the act resolves with';
      });
      assert.equal(result, 'what the act resolves with');
      assert.deepEqual(await tokens(database), ['a']);
    });

    test('a transaction that rejects leaves nothing behind and tells its own reason', async (context) => {
      const { database } = await open(context);
      const reason = new Error('changed my mind');
      const undone = database.transaction(async ({ run }) => {
        await run([token(database, 'a')]);
        throw reason;
      });
      await assert.rejects(undone, (error) => error === reason);
      await assert.rejects(
        database.transaction(async ({ run }) => {
          await run([token(database, 'b')]);
          await run([token(database, 'b')]);
        }),
        UniqueViolation,
      );
      await assert.rejects(
        database.transaction(async ({ run }) => {
          await run([token(database, 'c'), { ...use(database, 'nobody'), mustChange: 1 }]);
        }),
        WriteRefused,
      );
      assert.deepEqual(await tokens(database), []);
    });

    test('a transaction that is over takes no more writes', async (context) => {
      const { database } = await open(context);
      const late = await database.transaction(async ({ run }) => run);
      await assert.rejects(late([token(database, 'a')]), /over/);
      assert.deepEqual(await tokens(database), []);
    });

    test('acts and transactions never come in between one another, and none is passed over', async (context) => {
      const { database } = await open(context);
      const count = countLeases(database);
      const ended: string[] = [];
      const readAndAdd = (label: string) =>
        database
          .transaction(async ({ query, run }) => {
            const before = await query.selectFrom('leases').select('token').where('name', '=', 'counter').executeTakeFirst();
            await new Promise(setImmediate);
            if (before)
              await query
                .updateTable('leases')
                .set({ token: before.token + 1 })
                .where('name', '=', 'counter')
                .execute();
            else await run([count.row({ name: 'counter' })]);
          })
          .then(() => ended.push(label));
      const add = (label: string) => database.write([count.row({ name: 'counter' })]).then(() => ended.push(label));
      const labels = Array.from({ length: 80 }, (_, index) => `${index % 4 === 3 ? 'transaction' : 'act'}-${index}`);
      await Promise.all(labels.map((label) => (label.startsWith('act') ? add(label) : readAndAdd(label))));
      const counter = await database.read.selectFrom('leases').select('token').executeTakeFirst();
      assert.equal(counter?.token, 80);
      assert.deepEqual(ended, labels, 'they end in the order in which they came');
    });

    test('a read sees everything that was committed before it', async (context) => {
      const { database } = await open(context);
      const looks = Array.from({ length: 100 }, async (_, index) => {
        await database.write([token(database, `t${index}`)]);
        const seen = await database.read.selectFrom('setUpTokens').select('tokenHash').where('tokenHash', '=', `t${index}`).execute();
        assert.equal(seen.length, 1);
      });
      await Promise.all(looks);
    });

    test('text, numbers and nothing come out as they went in', async (context) => {
      const { database } = await open(context);
      const texts = ['', 'ä € 𝄞 \u0000 \u2028', '\'; drop table "leases"; --', 'x'.repeat(1_000_000)];
      const numbers = [0, -1, 1_767_225_600_042, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER];
      for (const [index, text] of texts.entries()) {
        await database.write([
          database.build
            .insertInto('setUpTokens')
            .values({ tokenHash: `${index}${text}`, createdAt: 0, usedAt: null })
            .compile(),
        ]);
        const found = await database.read
          .selectFrom('setUpTokens')
          .selectAll()
          .where('tokenHash', '=', `${index}${text}`)
          .executeTakeFirst();
        assert.deepEqual({ ...found }, { tokenHash: `${index}${text}`, createdAt: 0, usedAt: null });
      }
      for (const number of numbers) {
        await database.write([
          database.build
            .insertInto('setUpTokens')
            .values({ tokenHash: `n${number}`, createdAt: number, usedAt: number })
            .compile(),
        ]);
        const found = await database.read.selectFrom('setUpTokens').selectAll().where('tokenHash', '=', `n${number}`).executeTakeFirst();
        assert.deepEqual({ ...found }, { tokenHash: `n${number}`, createdAt: number, usedAt: number });
      }
    });

    test('a thousand different statements work as well as one', async (context) => {
      const { database } = await open(context);
      await database.write([token(database, 'a')]);
      for (let from = 0; from < 1_000; from += 100) {
        const counts = Array.from({ length: 100 }, async (_, index) => {
          const hashes = Array.from({ length: 1 + from + index }, (_unused, number) => (number === 0 ? 'a' : `x${number}`));
          const found = await database.read.selectFrom('setUpTokens').select('tokenHash').where('tokenHash', 'in', hashes).execute();
          assert.equal(found.length, 1);
          const [deleted] = await database.write([
            database.build
              .deleteFrom('setUpTokens')
              .where('tokenHash', 'in', hashes.slice(1))
              .where('createdAt', '=', -1 - from - index)
              .compile(),
          ]);
          assert.equal(deleted?.changes, 0);
        });
        await Promise.all(counts);
      }
      assert.deepEqual(await tokens(database), ['a']);
    });

    test('an act of twenty thousand rows is one act', async (context) => {
      const { database } = await open(context);
      const many = Array.from({ length: 20_000 }, (_, index) => ({ tokenHash: `t${index}` }));
      const [result] = await database.write([insertOnce(database).rows(many, many.length)]);
      assert.equal(result?.changes, many.length);
      await assert.rejects(
        database.write([database.build.deleteFrom('setUpTokens').compile(), token(database, 'a'), token(database, 'a')]),
        UniqueViolation,
      );
      assert.equal((await tokens(database)).length, many.length);
    });

    test('its check says that it can be read and written, and that it is closed', async (context) => {
      const { database } = await open(context);
      await database.check();
      await database.close();
      await assert.rejects(database.check(), Unavailable);
    });

    test('closing lets end what was begun, refuses what comes later, and may be asked for twice', async (context) => {
      const { database, reopen } = await open(context);
      let hasBegun: () => void = () => undefined;
      const begun = new Promise<void>((resolve) => {
        hasBegun = resolve;
      });
      const transaction = database.transaction(async ({ run }) => {
        hasBegun();
        await new Promise((resolve) => setTimeout(resolve, 50));
        await run([token(database, 'transaction')]);
      });
      const act = database.write([token(database, 'act')]);
      await begun;
      const closing = Promise.all([database.close(), database.close()]);
      await assert.rejects(database.write([token(database, 'late')]), Unavailable);
      await assert.rejects(
        database.transaction(async () => undefined),
        Unavailable,
      );
      await assert.rejects(tokens(database), Unavailable);
      await Promise.all([transaction, act, closing]);
      await assert.rejects(tokens(database), Unavailable);
      assert.deepEqual(await tokens(await reopen()), ['act', 'transaction']);
    });
  });
};
