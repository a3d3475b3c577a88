import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createClock } from '../foundation/clock.ts';
import { Unavailable } from '../foundation/problem.ts';
import { BlobExists } from './blob-store.ts';
import { openFolderBlobs } from './folder-blobs.ts';
import { createShortThread, type ShortThread } from './short-thread.ts';

const givenFolder = async (context: TestContext): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-short-'));
  context.after(() => rm(folder, { recursive: true }));
  return folder;
};

/** The first put that the thread takes, as soon as it stands. */
const whenStanding = async (thread: ShortThread, from: string, to: string, bytes: Uint8Array): Promise<Promise<void>[]> => {
  thread.begin();
  for (;;) {
    const put = thread.put(from, to, bytes);
    if (put !== undefined) return [put]; // in a list, since it is not to be waited for here
    await delay(5);
  }
};

const isFileSystem = (code: string) => (error: unknown) => error instanceof Error && 'code' in error && error.code === code;

suite('short blobs in a thread of their own', { timeout: 60_000 }, () => {
  test('have their bytes and leave nothing else; what has the name already stays', async (context) => {
    const folder = await givenFolder(context);
    const at = (name: string) => join(folder, name);
    const thread = createShortThread();
    const texts = Array.from({ length: 50 }, (_, index) => `${index} `.repeat(index * 50));
    const first = await whenStanding(thread, at('from'), at('first'), Buffer.from('first'));
    await Promise.all([...first, ...texts.map((text, index) => thread.put(at(`from-${index}`), at(`to-${index}`), Buffer.from(text)))]);
    assert.equal(await readFile(at('first'), 'utf8'), 'first');
    for (const [index, text] of texts.entries()) assert.equal(await readFile(at(`to-${index}`), 'utf8'), text);
    const refused = thread.put(at('from-again'), at('first'), Buffer.from('second'));
    const taken = thread.put(at('from-new'), at('new'), Buffer.from('new'));
    await assert.rejects(refused ?? Promise.resolve(), isFileSystem('EEXIST'));
    await taken;
    await assert.rejects(thread.put(at('gone/from'), at('other'), Buffer.from('x')) ?? Promise.resolve(), isFileSystem('ENOENT'));
    await assert.rejects(thread.put(at('from'), at('gone/to'), Buffer.from('x')) ?? Promise.resolve(), isFileSystem('ENOENT'));
    assert.equal(await readFile(at('first'), 'utf8'), 'first');
    assert.deepEqual((await readdir(folder)).sort(), ['first', 'new', ...texts.map((_, index) => `to-${index}`)].sort());
  });

  test('that were in a thread that died are told, have no name, and the next ones go another way', async (context) => {
    const folder = await givenFolder(context);
    const at = (name: string) => join(folder, name);
    const dying = `import { parentPort } from 'node:worker_threads'; parentPort.postMessage({ done: [], failed: [] }); parentPort.once('message', () => { throw new Error('died'); });`;
    const thread = createShortThread(new URL(`data:text/javascript,${encodeURIComponent(dying)}`));
    // As far as it had come with them.
    await writeFile(at('from'), 'x');
    await link(at('from'), at('named'));
    await writeFile(at('another'), 'theirs');
    const [put] = await whenStanding(thread, at('from'), at('named'), Buffer.from('x'));
    const other = thread.put(at('from-other'), at('another'), Buffer.from('x'));
    await Promise.all([assert.rejects(put ?? Promise.resolve(), Unavailable), assert.rejects(other ?? Promise.resolve(), Unavailable)]);
    assert.deepEqual(await readdir(folder), ['another']);
    assert.equal(thread.put(at('from'), at('to'), Buffer.from('x')), undefined);
  });

  test('are put by one thread or the other, as many as come, and each key only once', async (context) => {
    const folder = await givenFolder(context);
    const store = await openFolderBlobs({ folder, clock: createClock() });
    await mkdir(join(folder, 'kept', 'x')); // a folder that was made before is as good
    const until = Date.now() + 500;
    let round = 0;
    for (; Date.now() < until; round += 1) {
      const keys = Array.from({ length: 16 }, (_, index) => `file_${round}-${index % 8}`);
      const ends = await Promise.allSettled(keys.map((key) => store.put(key, Buffer.from(key))));
      const refused = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason] : []));
      assert.equal(refused.length, 8);
      assert.ok(refused.every((reason) => reason instanceof BlobExists));
    }
    const found: string[] = [];
    for await (const { key } of store.list()) found.push(key);
    assert.equal(found.length, round * 8);
    assert.deepEqual(await readdir(join(folder, 'incoming')), []);
  });
});
