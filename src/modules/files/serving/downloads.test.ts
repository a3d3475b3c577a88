import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Write } from '../../../database/database.ts';
import { createClock } from '../../../foundation/clock.ts';
import { createIds } from '../../../foundation/ids.ts';
import { type Log, silentLog } from '../../../foundation/log.ts';
import { Unavailable } from '../../../foundation/problem.ts';
import { createFileFacts } from '../file-facts.ts';
import type { NewFileRow } from '../file-store.ts';
import { createDownloads, type Download } from './downloads.ts';

const clock = createClock();

const file = (id: string): NewFileRow => ({
  ...{ id, tenantId: 't', ownerId: 'o', senderId: 'o', name: 'n', nameKey: 'n', title: null, description: null, category: null },
  ...{ language: null, provider: null, rolesJson: '[]', folderId: null, visibility: 'private', type: 'text/plain', size: 1 },
  ...{ sha256: 'x', state: 'stored', reason: null, downloads: 0, createdAt: 0, updatedAt: 0, trashedAt: null },
});
const download = (id = 'file_1'): Download => ({ file: file(id), isUnderLock: false, how: 'link', address: '192.0.2.1', bytes: 1 });

interface Amount {
  readonly id: string;
  readonly amount: number;
}

/** Downloads over a database that fails as `fails` says. */
const givenDownloads = (fails: (attempt: number) => Error | undefined = () => undefined, log: Log = silentLog) => {
  const groups: Amount[][] = [];
  let attempts = 0;
  let amounts: Amount[] = [];
  const downloads = createDownloads({
    database: {
      async write(_writes: readonly Write[]) {
        attempts += 1;
        const group = amounts;
        amounts = [];
        const error = fails(attempts);
        if (error !== undefined) throw error;
        groups.push(group);
        return [];
      },
    },
    ledger: {
      download(id, amount) {
        amounts.push({ id, amount });
        return [{ sql: '', rows: [] }];
      },
    },
    accesses: { insertAccesses: () => [] },
    facts: createFileFacts({ publicUrl: undefined }),
    events: { append: () => [], announce: () => undefined },
    trace: { entries: () => [] },
    clock,
    ids: createIds(clock.now),
    log,
  });
  return { downloads, groups };
};

const total = (groups: readonly (readonly Amount[])[]): number => groups.flat().reduce((sum, { amount }) => sum + amount, 0);

describe('downloads', () => {
  it('of one moment are written together, each file once', async () => {
    const { downloads, groups } = givenDownloads();
    for (const id of ['file_1', 'file_2', 'file_1']) downloads.count(download(id));
    await clock.sleep(200);
    assert.deepEqual(groups, [
      [
        { id: 'file_1', amount: 2 },
        { id: 'file_2', amount: 1 },
      ],
    ]);
  });

  it('are written for whoever wants to read them, and none twice', async () => {
    const { downloads, groups } = givenDownloads();
    for (let index = 0; index < 1_700; index += 1) downloads.count(download());
    await Promise.all([downloads.settle(), downloads.settle()]);
    assert.equal(total(groups), 1_700);
    await clock.sleep(200);
    assert.equal(total(groups), 1_700);
  });

  it('wait while the database cannot be used, and are written when it can', async () => {
    const { downloads, groups } = givenDownloads((attempt) => (attempt < 4 ? new Unavailable('away') : undefined));
    downloads.count(download());
    await assert.rejects(downloads.settle(), Unavailable);
    downloads.count(download());
    await clock.sleep(1_500);
    assert.equal(total(groups), 2);
  });

  it('are refused rather than fill the memory', async () => {
    const { downloads } = givenDownloads(() => new Unavailable('away'));
    for (let index = 0; index < 20_000; index += 1) downloads.count(download());
    assert.throws(() => downloads.count(download()), Unavailable);
    await downloads.close();
  });

  it('that can never be written hold up none behind them, and are told as lost', async () => {
    const lost: object[] = [];
    const log: Log = { ...silentLog, error: (fields, message) => void (message === 'downloads.lost' && lost.push(fields)) };
    const { downloads, groups } = givenDownloads((attempt) => (attempt === 1 ? new Error('a fault') : undefined), log);
    downloads.count(download('file_1'));
    await downloads.settle();
    downloads.count(download('file_2'));
    await downloads.close();
    assert.equal(lost.length, 1);
    assert.deepEqual(groups, [[{ id: 'file_2', amount: 1 }]]);
  });

  it('that are exact are the same writes, for a transaction of their own', () => {
    const { downloads } = givenDownloads();
    assert.deepEqual(downloads.writes([]), []);
    assert.equal(downloads.writes([download()]).length, 1);
  });
});
