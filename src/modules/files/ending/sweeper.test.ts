import assert from 'node:assert/strict';
import { link, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { dayMs, givenTrash } from './trash.fixture.ts';

const never = new AbortController().signal;

test('bytes that a crash left without a row go once the server is up again; those of an upload under way stay', async (context) => {
  const { open, givenFile, ids, blobs, keysOf, clock } = await givenTrash(context);
  const kept = await givenFile();
  const [litter, pieces, gone] = [ids.next('file'), ids.next('file'), ids.next('file')];
  const expected = await givenFile({ state: 'expected' });
  await blobs.put(litter, Buffer.from('a row never came'));
  await blobs.put(`${gone}-t256`, Buffer.from('a thumbnail'));
  await blobs.put(`${kept.id}-t256`, Buffer.from('a thumbnail'));
  await blobs.put('foreign', Buffer.from('not a file of ours'));
  await blobs.append(pieces, 0, Buffer.from('a piece'));
  await blobs.append(expected.id, 0, Buffer.from('a piece'));
  await new Promise((resolve) => setTimeout(resolve, 50));

  const { sweeper, sweeperAmongOthers } = open();
  const underWay = ids.next('file');
  await blobs.put(underWay, Buffer.from('its row comes right away'));
  assert.deepEqual(await sweeperAmongOthers.sweep(never), { removed: 0, litter: 0, missing: 0 }, 'they may be those of another process');
  assert.deepEqual(await sweeper.sweep(never), { removed: 3, litter: 0, missing: 0 });
  const stays = [kept.id, `${kept.id}-t256`, expected.id, 'foreign', underWay];
  assert.deepEqual(await keysOf(), stays.toSorted());
  clock.turn(dayMs + 1_000);
  assert.equal((await sweeperAmongOthers.sweep(never)).removed, 1, 'after a day no row comes any more');
  assert.deepEqual(await keysOf(), stays.filter((key) => key !== underWay).toSorted());
});

test('bytes that a kill left with both of their names go in one sweep', async (context) => {
  const { open, ids, blobs, folder, keysOf } = await givenTrash(context);
  for (let count = 0; count < 3; count += 1) await blobs.put(ids.next('file'), Buffer.from('killed at the very end'));
  const kept = (await readdir(join(folder, 'kept'), { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const [index, entry] of kept.entries()) await link(join(entry.parentPath, entry.name), join(folder, 'incoming', `left-${index}`));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual(await open().sweeper.sweep(never), { removed: 3, litter: 3, missing: 0 });
  assert.deepEqual([await keysOf(), await readdir(join(folder, 'incoming'))], [[], []]);
});

test('a clock that was set back does not make the bytes of an upload under way look old', async (context) => {
  const { open, ids, blobs } = await givenTrash(context);
  const { sweeper } = open({
    list: async function* () {
      for await (const blob of blobs.list()) yield { ...blob, writtenAt: blob.writtenAt - 3_600_000 };
    },
  });
  const underWay = ids.next('file');
  await blobs.put(underWay, Buffer.from('its row comes right away'));
  assert.equal((await sweeper.sweep(never)).removed, 0);
  assert.ok(await blobs.sizeOf(underWay));
});

test('what gets its row while the sweeper is at it stays', async (context) => {
  const { open, givenFile, blobs, ids, keysOf } = await givenTrash(context);
  const late = ids.next('file');
  await blobs.put(late, Buffer.from('the bytes of a file'));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { sweeper } = open({
    async *list() {
      yield { key: late, writtenAt: 0, state: 'whole' };
      await givenFile({ id: late, state: 'checking' });
    },
  });
  assert.equal((await sweeper.sweep(never)).removed, 0);
  assert.deepEqual(await keysOf(), [late]);
});

test('a file whose bytes are not there is told loudly, by log and figure, and its row stays', async (context) => {
  const { open, givenFile, blobs, log, rowOf } = await givenTrash(context);
  const files = await Promise.all(Array.from({ length: 250 }, () => givenFile()));
  const [first, last] = [files[0]?.id ?? '', files.at(-1)?.id ?? ''];
  const [trashed, expected] = [await givenFile({ state: 'trashed', trashedAt: 1 }), await givenFile({ state: 'expected' })];
  const { sweeper } = open();
  assert.equal(sweeper.missing(), undefined);
  for (const id of [first, last, trashed.id]) await blobs.remove(id);
  await blobs.put(last, Buffer.from('half'));
  assert.equal((await sweeper.sweep(never)).missing, 3);
  assert.equal(sweeper.missing(), 3);
  for (const id of [first, last, trashed.id]) {
    assert.ok(log.lines.some((line) => line.includes('file.bytes-missing') && line.includes(id)));
    assert.ok(await rowOf(id));
  }
  assert.ok(!log.lines.some((line) => line.includes(expected.id)), 'of an expected file no bytes are promised');
});
