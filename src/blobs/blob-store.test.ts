import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { link, mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { smallDisks } from '../../tests/support/small-disk.ts';
import { createClock } from '../foundation/clock.ts';
import { Unavailable } from '../foundation/problem.ts';
import { blobStoreContract, bodyOf, bytesOf, listed, sha256Of } from './blob-store.contract.ts';
import { BlobExists } from './blob-store.ts';
import { createFolderSyncer } from './folder-syncer.ts';
import { openBlobStore } from './open-blob-store.ts';

const clock = createClock();
const openIn = (folder: string) => openBlobStore({ url: `folder:${folder}`, clock });

const givenFolder = async (context: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-blobs-'));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
};
const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile()).map(({ name }) => name);

blobStoreContract('blobs in a folder', async (context) => {
  const folder = join(await givenFolder(context), 'made', 'here');
  return { store: await openIn(folder), reopen: () => openIn(folder) };
});

test('only what is known here opens a store', async () => {
  await assert.rejects(openBlobStore({ url: 'azure:x', clock }), /There is no blob store for azure:/);
});

suite('the folder of the blobs', { timeout: 60_000 }, () => {
  test('a put leaves one file and nothing else, however it ends', async (context) => {
    const folder = await givenFolder(context);
    const store = await openIn(folder);
    await store.put('file_1', bodyOf([Buffer.from('x')]));
    await assert.rejects(store.put('file_1', Buffer.from('y')), BlobExists);
    await assert.rejects(store.put('file_2', bodyOf([Buffer.alloc(2_000_000)], new Error('cut'))), /cut/);
    await store.check();
    assert.deepEqual(await filesIn(folder), ['file_1']);
  });

  test('what a crash left in incoming is swept when it is old, what is being written is not', async (context) => {
    const folder = await givenFolder(context);
    const store = await openIn(folder);
    const old = new Date(Date.now() - 10_000);
    for (const name of ['old', 'new']) await writeFile(join(folder, 'incoming', name), 'half');
    await utimes(join(folder, 'incoming', 'old'), old, old);
    const body = new Readable({ read: () => undefined });
    const putting = store.put('file_1', body);
    await delay(30);
    assert.equal(await store.sweep(5_000), 1);
    assert.ok(existsSync(join(folder, 'incoming', 'new')));
    assert.equal(await store.sweep(0), 1);
    body.push(null);
    assert.equal((await putting).size, 0);
    assert.deepEqual(await filesIn(folder), ['file_1']);
  });

  test('a complete that a crash cut off after the blob had its name is finished by the next one', async (context) => {
    const folder = await givenFolder(context);
    const store = await openIn(folder);
    await store.append('file_1', 0, Buffer.from('hello'));
    await mkdir(join(folder, 'kept', '1'));
    await link(join(folder, 'pieces', 'file_1'), join(folder, 'kept', '1', 'file_1'));
    const next = await openIn(folder);
    assert.equal(await next.offsetOf('file_1'), undefined);
    await assert.rejects(next.append('file_1', 5, Buffer.from('more')), BlobExists);
    assert.deepEqual(await next.complete('file_1'), { size: 5, sha256: sha256Of(Buffer.from('hello')) });
    assert.equal(String(await bytesOf(next, 'file_1')), 'hello');
    assert.deepEqual(await filesIn(folder), ['file_1']);
  });

  test('blobs that are written together lie together, and a thumbnail beside its file', async (context) => {
    const folder = await givenFolder(context);
    const store = await openIn(folder);
    const keys = ['file_01kb3x9abcdef', 'file_01kb3x9zzzzzz', 'file_01kb3x9abcdef-t256', 'file_01kb3y0aaaaaa'];
    for (const key of keys) await store.put(key, Buffer.from('x'));
    assert.deepEqual((await readdir(join(folder, 'kept'))).sort(), ['01kb3x', '01kb3y']);
  });

  test('a folder that went away is told, and works again when it is back', async (context) => {
    const folder = await givenFolder(context);
    const store = await openIn(folder);
    await store.put('file_1', Buffer.from('x'));
    await rm(join(folder, 'incoming'), { recursive: true });
    await assert.rejects(store.put('file_2', bodyOf([Buffer.from('x')])), Unavailable);
    await assert.rejects(store.check(), Unavailable);
    await mkdir(join(folder, 'incoming'));
    await store.check();
    await rm(join(folder, 'kept', '1'), { recursive: true });
    await assert.rejects(store.put('file_1', Buffer.from('x')), Unavailable);
    await store.put('file_1', Buffer.from('x'));
  });

  test('a folder that cannot be made is told at the start', async (context) => {
    const folder = await givenFolder(context);
    await writeFile(join(folder, 'blobs'), 'a file');
    await assert.rejects(openIn(join(folder, 'blobs')), Unavailable);
  });

  test('a memory of 1 MiB is enough for a body of any size: a writer that is slow holds the sender back', async (context) => {
    const store = await openIn(await givenFolder(context));
    let given = 0;
    const body = new Readable({
      highWaterMark: 64 * 1024,
      read() {
        given += 1;
        this.push(given > 2000 ? null : Buffer.alloc(64 * 1024));
      },
    });
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }, 5);
    await store.put('file_1', body);
    clearInterval(watch);
    assert.ok(most < 64 * 1024 * 1024, `${most} bytes were held`); // what is not collected yet counts as well
  });
});

const tmpfs = smallDisks['a disk without room'];
suite('a full disk', { timeout: 60_000 }, () => {
  const why = tmpfs ? {} : { skip: 'this user may not mount a file system' };
  test('is told, leaves nothing of the body, keeps what was there, and works again when there is room', why, async (context) => {
    if (!tmpfs) return;
    const disk = await tmpfs();
    context.after(() => disk.remove());
    const folder = join(disk.dataFolder, 'blobs');
    const store = await openIn(folder);
    await store.put('file_1', Buffer.from('kept'));
    await store.append('file_2', 0, Buffer.from('begun'));
    await disk.fill(process.pid);
    const chunks = Array.from({ length: 100 }, () => Buffer.alloc(64 * 1024));
    const isFull = (error: unknown) => error instanceof Unavailable && /ENOSPC/.test(error.message) && error.cause instanceof Error;
    const body = bodyOf(chunks);
    await assert.rejects(store.put('file_3', body), isFull);
    assert.ok(body.destroyed);
    await assert.rejects(store.append('file_2', 5, bodyOf(chunks)), isFull);
    await assert.rejects(store.check(), isFull);
    assert.equal(await store.offsetOf('file_2'), 5);
    assert.deepEqual((await filesIn(folder)).sort(), ['file_1', 'file_2']);
    await disk.free(process.pid);
    await store.append('file_2', 5, bodyOf(chunks));
    await store.put('file_3', bodyOf(chunks));
    const whole = Buffer.concat([Buffer.from('begun'), ...chunks]);
    assert.deepEqual(await store.complete('file_2'), { size: whole.length, sha256: sha256Of(whole) });
    assert.deepEqual(
      (await listed(store)).map(({ key }) => key),
      ['file_1', 'file_2', 'file_3'],
    );
  });
});

suite('a disk that is read-only', { timeout: 60_000 }, () => {
  const why = tmpfs ? {} : { skip: 'this user may not mount a file system' };
  test('is told, is read from all the same, and works again when it can be written', why, async (context) => {
    if (!tmpfs) return;
    const disk = await tmpfs();
    context.after(() => disk.remove());
    const mounted = (how: string) => promisify(execFile)('mount', ['-o', `remount,${how}`, disk.dataFolder]);
    const store = await openIn(join(disk.dataFolder, 'blobs'));
    await store.put('file_1', Buffer.from('kept'));
    await store.append('file_2', 0, Buffer.from('begun'));
    await mounted('ro');
    const isReadOnly = (error: unknown) => error instanceof Unavailable && /EROFS/.test(error.message);
    await assert.rejects(store.put('file_3', Buffer.from('x')), isReadOnly);
    await assert.rejects(store.append('file_2', 5, Buffer.from('x')), isReadOnly);
    await assert.rejects(store.complete('file_2'), isReadOnly);
    await assert.rejects(store.remove('file_1'), isReadOnly);
    await assert.rejects(store.discard('file_2'), isReadOnly);
    await assert.rejects(store.check(), isReadOnly);
    assert.equal(String(await bytesOf(store, 'file_1')), 'kept');
    await mounted('rw');
    await store.put('file_3', Buffer.from('x'));
    assert.deepEqual(await store.complete('file_2'), { size: 5, sha256: sha256Of(Buffer.from('begun')) });
  });
});

suite('fsync of a folder', { timeout: 10_000 }, () => {
  const givenSyncer = () => {
    const begun: string[] = [];
    const ends: { resolve: () => void; reject: (error: Error) => void }[] = [];
    const syncer = createFolderSyncer(
      (folder) =>
        new Promise((resolve, reject) => {
          begun.push(folder);
          ends.push({ resolve, reject });
        }),
    );
    return { syncer, begun, ends };
  };

  test('serves all who came before it began, and nobody who came later', async () => {
    const { syncer, begun, ends } = givenSyncer();
    const settled: string[] = [];
    const ask = (who: string) => syncer.sync('a').then(() => void settled.push(who));
    const all = [ask('1'), ask('2'), ask('3')];
    assert.deepEqual(begun, ['a']);
    ends[0]?.resolve();
    await delay(5);
    assert.deepEqual([settled, begun], [['1'], ['a', 'a']]);
    all.push(ask('4'));
    ends[1]?.resolve();
    await delay(5);
    assert.deepEqual([settled, begun.length], [['1', '2', '3'], 3]);
    ends[2]?.resolve();
    await Promise.all(all);
    await delay(5);
    void ask('5');
    assert.equal(begun.length, 4);
  });

  test('fails for all whom it was to serve, and not for those behind them', async () => {
    const { syncer, ends } = givenSyncer();
    const first = syncer.sync('a');
    const second = syncer.sync('a');
    ends[0]?.reject(new Error('EIO'));
    await assert.rejects(first, /EIO/);
    await delay(5);
    ends[1]?.resolve();
    await second;
  });
});
