import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Database } from '../../../database/database.ts';
import { openDatabase } from '../../../database/open-database.ts';
import { createClock } from '../../../foundation/clock.ts';
import { createSeal, Secret, WrongSecretKey } from '../../../foundation/secret.ts';
import { createLinkKeyStore } from './link-key-store.ts';
import { createLinkKeys, longestLinkMs } from './link-keys.ts';

const dayMs = 24 * 60 * 60 * 1000;

describe('keys of links', () => {
  let folder: string;
  let database: Database;
  let now = Date.UTC(2026, 10, 25);
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'entrepot-link-keys-'));
    database = await openDatabase({ url: `sqlite:${join(folder, 'keys.db')}`, clock: createClock() });
  });
  after(async () => {
    await database.close();
    await rm(folder, { recursive: true, force: true });
  });

  const clock = { ...createClock(), now: () => now };
  /** As another process has them. */
  const another = (secretKey = 'one') =>
    createLinkKeys({ store: createLinkKeyStore(database), seal: createSeal(new Secret(secretKey)), clock });

  it('are the same in processes that make the first one at the same moment', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => another().current()));
    assert.equal(new Set(keys.map((key) => key.sign('text'))).size, 1);
    const [key] = keys;
    assert.equal((await another().find(key?.id ?? ''))?.sign('text'), key?.sign('text'));
  });

  it('are replaced in time, while what the one before has signed stays good as long as a link may live', async () => {
    const keys = another();
    const first = await keys.current();
    now += 31 * dayMs;
    const second = await keys.current();
    assert.notEqual(second.id, first.id);
    assert.notEqual(second.sign('text'), first.sign('text'));
    assert.equal((await another().find(first.id))?.sign('text'), first.sign('text'));
    now += longestLinkMs;
    assert.equal(await keys.find(first.id), undefined);
    await createLinkKeyStore(database).removeExpired(now);
    assert.deepEqual(await database.read.selectFrom('linkKeys').select('period').execute(), [{ period: Number(second.id) }]);
  });

  it('of other names are none, whatever the name is', async () => {
    for (const id of ['', '0', '-1', '1e3', '999999', '99999999999999', '../x', 'NaN']) assert.equal(await another().find(id), undefined);
  });

  it('are sealed: another secret key opens none, and says so', async () => {
    await another().current();
    await assert.rejects(another('two').current(), WrongSecretKey);
    const rows = JSON.stringify(await database.read.selectFrom('linkKeys').selectAll().execute());
    assert.match(rows, /"sealedKey":"v1\./);
  });
});
