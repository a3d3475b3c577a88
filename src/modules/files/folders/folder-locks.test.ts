import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { WriteRefused } from '../../../database/database.ts';
import { openDatabase } from '../../../database/open-database.ts';
import { createClock } from '../../../foundation/clock.ts';
import { createIds } from '../../../foundation/ids.ts';
import { createSeal, Secret } from '../../../foundation/secret.ts';
import type { Viewer } from '../viewer.ts';
import { createFolderStore } from './folder-store.ts';
import { createFolderTokens } from './folder-tokens.ts';

const viewer: Viewer = { tenantId: 'ten_1', callerId: 'per_1', ownerId: 'per_1', audiences: [], isAdmin: false, unlocked: [] };

const given = async (context: TestContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'entrepot-folders-'));
  let aheadMs = 0;
  const clock = { ...createClock(), now: () => Date.now() + aheadMs };
  const database = await openDatabase({ url: `sqlite:${join(folder, 'test.db')}`, clock });
  context.after(async () => {
    await database.close();
    await rm(folder, { recursive: true });
  });
  const store = createFolderStore(database);
  const ids = createIds(clock.now);
  const make = async (parentId: string | null = null): Promise<string> => {
    const row = { id: ids.next('folder'), tenantId: 'ten_1', ownerId: 'per_1', parentId, name: 'a', nameKey: 'a' };
    await database.write([store.insertFolder({ ...row, lockHash: null, createdAt: 0, updatedAt: 0 })]);
    return row.id;
  };
  const lock = (id: string, lockHash: string) => database.write([store.setLock({ id, lockHash, updatedAt: 1 })]);
  const seal = createSeal(new Secret('a secret key for tests'));
  return { database, store, seal, clock, make, lock, turn: (ms: number) => (aheadMs += ms) };
};

test('nothing is put into a folder that is locked, or goes, after the look at it', async (context) => {
  const { database, store, make, lock } = await given(context);
  const outer = await make();
  const inner = await make(outer);
  const hold = (unlocked: readonly string[]) => database.write([store.holdFolder({ ...viewer, unlocked }, inner)]);
  await hold([]);
  await lock(outer, 'a hash');
  await assert.rejects(hold([]), WriteRefused);
  await hold([outer]);
  await lock(inner, 'another hash');
  await assert.rejects(hold([outer]), WriteRefused);
  await hold([outer, inner]);
  await assert.rejects(database.write([store.holdFolder(viewer, 'fold_gone')]), WriteRefused);
});

test('a folder token is good for an hour, for its person, tenant, folder, lock and server', async (context) => {
  const { store, seal, clock, make, lock, turn } = await given(context);
  const [id, other] = [await make(), await make()];
  await lock(id, 'a hash');
  await lock(other, 'a hash');
  const tokens = createFolderTokens({ folders: store, seal, clock });
  const { folderToken, expiresAt } = tokens.give(viewer, { id, lockHash: 'a hash' });
  const opened = (header: string | string[], who = viewer) => tokens.foldersOf(who, header);
  assert.deepEqual(await opened(folderToken), [id]);
  assert.deepEqual(await opened(`x,, ${folderToken} ,${folderToken}`), [id]);
  assert.deepEqual(await opened([folderToken, tokens.give(viewer, { id: other, lockHash: 'a hash' }).folderToken]), [id, other]);
  assert.deepEqual(await opened(folderToken, { ...viewer, ownerId: 'per_2' }), []);
  assert.deepEqual(await opened(folderToken, { ...viewer, tenantId: 'ten_2' }), []);
  assert.deepEqual(await opened(folderToken.replace(id, other)), []);
  const elsewhere = createFolderTokens({ folders: store, seal: createSeal(new Secret('another key')), clock });
  assert.deepEqual(await elsewhere.foldersOf(viewer, folderToken), []);
  await lock(id, 'another hash');
  assert.deepEqual(await opened(folderToken), []);
  await lock(id, 'a hash');
  turn(expiresAt - clock.now() - 5_000);
  assert.deepEqual(await opened(folderToken), [id]);
  turn(5_001);
  assert.deepEqual(await opened(folderToken), []);
});
