import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../../foundation/problem.ts';
import { soon } from '../../identity/accounts/people.fixture.ts';
import { createShareStore } from '../shares/share-store.ts';
import { dayMs, givenTrash, grace, origin } from './trash.fixture.ts';

const never = new AbortController().signal;
const isKind = (kind: string) => (error: unknown) => error instanceof Problem && error.kind === kind;

test('of many who trash, restore and delete a file at once each act happens once, and what it takes is counted right', async (context) => {
  const { open, givenFile, usage, factsOf, rowOf } = await givenTrash(context);
  const [file, other] = [await givenFile(), await givenFile()];
  const { trash } = open();
  await Promise.all(Array.from({ length: 10 }, () => trash.trash(grace, file.id, origin)));
  assert.deepEqual(
    (await factsOf(file.id)).map(({ type }) => type),
    ['file.trashed'],
  );
  await Promise.all(Array.from({ length: 10 }, () => trash.restore(grace, file.id, origin)));
  assert.deepEqual(
    (await factsOf(file.id)).map(({ type }) => type),
    ['file.trashed', 'file.restored'],
  );
  const ended = await Promise.allSettled([
    ...Array.from({ length: 10 }, () => trash.remove(grace, file.id, origin)),
    ...Array.from({ length: 5 }, () => trash.trash(grace, file.id, origin)),
  ]);
  for (const one of ended) if (one.status === 'rejected') assert.ok(isKind('not-found')(one.reason), one.reason);
  assert.equal((await factsOf(file.id)).filter(({ type }) => type === 'file.deleted').length, 1);
  assert.equal(await rowOf(file.id), undefined);
  const { booked, counted } = await usage();
  assert.deepEqual(booked, counted);
  assert.deepEqual(counted, { files: 1, bytes: other.size });
});

test('a restored file is in its folder again, and at the top level where the folder is gone', async (context) => {
  const { open, givenFile, givenFolder, database, rowOf } = await givenTrash(context);
  const folder = await givenFolder();
  const file = await givenFile({ folderId: folder.id });
  const { trash } = open();
  await trash.trash(grace, file.id, origin);
  assert.equal((await trash.restore(grace, file.id, origin)).folderId, folder.id);
  await trash.trash(grace, file.id, origin);
  await database.write([database.build.deleteFrom('folders').where('id', '=', folder.id).compile()]);
  assert.equal((await trash.restore(grace, file.id, origin)).folderId, null);
  const row = await rowOf(file.id);
  assert.deepEqual([row?.state, row?.folderId, row?.trashedAt], ['stored', null, null]);
});

test('a locked folder keeps its files from the trash until it is unlocked, and targets are told ids only', async (context) => {
  const { open, givenFile, givenFolder, factsOf } = await givenTrash(context);
  const folder = await givenFolder({ lockHash: 'a hash' });
  const file = await givenFile({ folderId: folder.id, name: 'a secret name.txt' });
  const { trash } = open();
  for (const act of [trash.trash, trash.restore, trash.remove]) await assert.rejects(act(grace, file.id, origin), isKind('locked'));
  const stranger = { ...grace, callerId: 'per_other', ownerId: 'per_other' };
  for (const act of [trash.trash, trash.restore, trash.remove]) await assert.rejects(act(stranger, file.id, origin), isKind('not-found'));
  const opened = { ...grace, unlocked: [folder.id] };
  await trash.trash(opened, file.id, origin);
  assert.equal((await trash.restore(opened, file.id, origin)).folderId, folder.id);
  await trash.remove(opened, file.id, origin);
  const facts = await factsOf(file.id);
  assert.deepEqual(
    facts.map(({ type }) => type),
    ['file.trashed', 'file.restored', 'file.deleted'],
  );
  for (const { text } of facts) assert.ok(text.includes(file.id) && !text.includes('secret name'), text);
});

test('what was never stored is deleted for good at once, and has nothing to restore', async (context) => {
  const { open, givenFile, rowOf, usage, blobs, keysOf } = await givenTrash(context);
  const { trash, blobRemoval } = open();
  for (const state of ['expected', 'rejected', 'checking'] as const) {
    const file = await givenFile({ state });
    await blobs.append(file.id, 0, Buffer.from('the first piece'));
    await assert.rejects(trash.restore(grace, file.id, origin), isKind('conflict'));
    await trash.trash(grace, file.id, origin);
    assert.equal(await rowOf(file.id), undefined, state);
    await assert.rejects(trash.trash(grace, file.id, origin), isKind('not-found'));
  }
  const { booked, counted } = await usage();
  assert.deepEqual([booked, counted.files], [counted, 0]);
  const worker = blobRemoval.startWorker();
  context.after(() => worker.stop());
  await soon(async () => ((await keysOf()).length === 0 ? true : undefined));
});

test('bytes go with the file and all that was made of it, also what was still being made then', async (context) => {
  const { open, givenFile, blobs, keysOf, orders, clock } = await givenTrash(context);
  const file = await givenFile({ type: 'image/png' });
  const thumbnails = [128, 256, 512, 1024].map((size) => `${file.id}-t${size}`);
  for (const key of thumbnails.slice(1)) await blobs.put(key, Buffer.from('smaller'));
  const { trash, blobRemoval } = open();
  const worker = blobRemoval.startWorker();
  context.after(() => worker.stop());
  const reader = await blobs.open(file.id);
  await trash.remove(grace, file.id, origin);
  await soon(async () => ((await keysOf()).length === 0 ? true : undefined));
  let read = '';
  for await (const chunk of reader) read += chunk;
  assert.equal(read, 'the bytes of a file', 'who was reading reads to the end');

  await blobs.put(`${file.id}-t128`, Buffer.from('it took a while'));
  clock.turn(30_000);
  blobRemoval.announce();
  await soon(async () => ((await keysOf()).length === 0 ? true : undefined));
  await soon(async () => ((await orders()).length === 0 ? true : undefined));
});

test('a store that fails, and a process that ends, only put the removal of bytes off', async (context) => {
  const { open, givenFile, keysOf, orders, log, blobs } = await givenTrash(context);
  const [first, second, third] = [await givenFile(), await givenFile(), await givenFile()];
  const failing = open({
    remove: async (key) => {
      if (key !== second.id) throw new Error('the disk is away');
      await blobs.remove(key);
    },
  });
  for (const { id } of [first, second, third]) await failing.trash.remove(grace, id, origin);
  const worker = failing.blobRemoval.startWorker();
  await soon(async () => ((await orders()).length === 2 ? true : undefined));
  await worker.stop();
  assert.ok(log.lines.some((line) => line.includes('blob.not-removed') && line.includes(first.id)));
  assert.deepEqual(await keysOf(), [first.id, third.id], 'the others are not held up');
  const again = open().blobRemoval.startWorker();
  context.after(() => again.stop());
  await soon(async () => ((await orders()).length === 0 ? true : undefined));
  assert.deepEqual(await keysOf(), []);
});

test('the trash is emptied after its time, of what is still in it; a restored file stays', async (context) => {
  const { open, givenFile, clock, rowOf, factsOf, tracesOf, usage } = await givenTrash(context);
  const { trash, retention } = open();
  const old = await Promise.all(Array.from({ length: 120 }, () => givenFile()));
  const [restored, kept] = [await givenFile(), await givenFile()];
  for (const { id } of [...old, restored]) await trash.trash(grace, id, origin);
  clock.turn(29 * dayMs);
  assert.equal(await retention.look(never), 0);
  await trash.trash(grace, kept.id, origin);
  await trash.restore(grace, restored.id, origin);
  clock.turn(dayMs + 1);
  const removed = await Promise.all([retention.look(never), open().retention.look(never)]);
  assert.equal(
    removed.reduce((sum, one) => sum + one, 0),
    120,
    'two who empty it at once do it once',
  );
  for (const { id } of old) assert.equal(await rowOf(id), undefined);
  assert.deepEqual([(await rowOf(restored.id))?.state, (await rowOf(kept.id))?.state], ['stored', 'trashed']);
  const [first] = old;
  assert.deepEqual(
    (await factsOf(first?.id ?? '')).map(({ type }) => type),
    ['file.trashed', 'file.deleted'],
  );
  const last = (await tracesOf(first?.id ?? '')).at(-1);
  assert.deepEqual([last?.what, last?.who], ['deleted', 'entrepot']);
  const { booked, counted } = await usage();
  assert.deepEqual(booked, counted);
});

test('files whose bytes never came or were refused are given up after a day without a change, and targets hear nothing', async (context) => {
  const { open, givenFile, blobs, clock, rowOf, factsOf, tracesOf } = await givenTrash(context);
  const { retention } = open();
  const [expected, rejected, stored] = [await givenFile({ state: 'expected' }), await givenFile({ state: 'rejected' }), await givenFile()];
  const slow = await Promise.all(Array.from({ length: 60 }, () => givenFile({ state: 'expected', createdAt: 1, updatedAt: 1 })));
  for (const { id } of slow) await blobs.append(id, 0, Buffer.from('a piece'));
  clock.turn(dayMs - 60_000);
  const busy = await givenFile({ state: 'expected', createdAt: expected.createdAt });
  assert.equal(await retention.look(never), 0);
  clock.turn(60_001);
  assert.equal(await retention.look(never), 2);
  for (const { id } of [expected, rejected]) {
    assert.equal(await rowOf(id), undefined);
    assert.deepEqual(await factsOf(id), []);
    assert.equal((await tracesOf(id)).at(-1)?.what, 'deleted');
  }
  for (const { id } of [busy, stored, ...slow]) assert.ok(await rowOf(id), 'what is under way, and what is stored, stays');
});

test('a deleted account takes its files with it, and the trace keeps ids only, also of files deleted before', async (context) => {
  const { open, givenFile, givenFolder, database, factsOf, tracesOf, usage, keysOf } = await givenTrash(context);
  const { trash, ownerRemoval, blobRemoval } = open();
  const before = await givenFile({ name: 'a private name.txt' });
  await trash.remove(grace, before.id, origin);
  const folder = await givenFolder({ lockHash: 'a hash' });
  const files = await Promise.all(Array.from({ length: 60 }, (_, index) => givenFile(index % 2 === 0 ? { folderId: folder.id } : {})));
  await trash.trash(grace, files[1]?.id ?? '', origin);
  const other = await givenFile({ ownerId: 'per_other' });
  const person = { id: 'per_grace', tenantId: grace.tenantId };
  let rounds = 0;
  while (!(await ownerRemoval.removeSome(person, never))) rounds += 1;
  assert.ok(rounds >= 3, 'in short pieces');
  const late = await givenFile({ name: 'late.txt' });
  while (!(await ownerRemoval.removeSome(person, never)));
  assert.equal((await tracesOf(late.id)).at(-1)?.what, 'deleted', 'the second look finds what came late');
  assert.equal(await ownerRemoval.removeSome(person, never), true, 'again it finds nothing');

  const left = await database.read.selectFrom('files').select('id').execute();
  assert.deepEqual(left, [{ id: other.id }]);
  assert.deepEqual(await database.read.selectFrom('folders').selectAll().execute(), []);
  assert.deepEqual(await database.read.selectFrom('fileUsage').select('ownerId').where('ownerId', '=', 'per_grace').execute(), []);
  const { booked, counted } = await usage();
  assert.deepEqual(booked, counted);
  for (const { id } of [before, ...files]) {
    const traces = await tracesOf(id);
    assert.equal(traces.at(-1)?.what, 'deleted');
    for (const { place, detailJson } of traces) assert.deepEqual([place, detailJson], [null, null]);
  }
  const told = await factsOf(files[3]?.id ?? '');
  assert.deepEqual(
    told.map(({ type }) => type),
    ['file.deleted'],
  );
  assert.ok(!told.some(({ text }) => text.includes('.txt')), 'ids only');
  const worker = blobRemoval.startWorker();
  context.after(() => worker.stop());
  assert.deepEqual(await soon(async () => ((await keysOf()).length > 1 ? undefined : await keysOf())), [other.id]);
});

test('a share that ended is forgotten with its trace, one that goes on is not', async (context) => {
  const { open, clock, database, ids } = await givenTrash(context);
  const shares = createShareStore(database);
  const givenShare = async (endedAt: number | null) => {
    const id = ids.next('share');
    const row = {
      ...{ id, tenantId: grace.tenantId, ownerId: grace.ownerId, tokenHash: id, fileId: 'file_any', folderId: null, passwordHash: null },
      ...{ expiresAt: null, maxDownloads: null, downloads: 0, createdAt: 0, endedAt },
    };
    await database.write([shares.insertShare(row)]);
    return id;
  };
  await givenShare(clock.now() - 90 * dayMs - 1_000);
  const kept = [await givenShare(clock.now() - 89 * dayMs), await givenShare(null)];
  await open().retention.look(never);
  const rows = await database.read.selectFrom('shares').select('id').orderBy('id').execute();
  assert.deepEqual(
    rows.map(({ id }) => id),
    kept,
  );
});
