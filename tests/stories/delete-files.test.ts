import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { changeData, readData } from '../support/data-file.ts';
import { call, eventually, givenOperator, givenService, givenTarget, type Json } from '../support/given.ts';
import { type GivenFields, givenFile } from '../support/given-files.ts';
import { sizesOnDisk } from '../support/kept-bytes.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const password = 'correct horse battery staple';
const text = 'The harbour at night, as it was in 1928.';

describe('the end of a file', () => {
  let server: TestServer;
  let receiver: Receiver;
  let admin: string;
  let grace: Json;
  let hopper: Json;

  before(async () => {
    receiver = await startReceiver();
    server = await startServer({ env: { ENTREPOT_TRASH: '6s' } });
    admin = await givenOperator(server);
    await givenTarget(server, admin, { kind: 'webhook', types: ['file.*'], config: { url: receiver.url } });
    [grace, hopper] = [await signUp('grace'), await signUp('hopper')];
  });
  after(async () => {
    await server.stop();
    await receiver.stop();
  });

  const signUp = async (username: string): Promise<Json> => {
    const made = await call(server, 'POST', '/v1/people', { body: { username, password } });
    assert.equal(made.status, 201, made.text);
    const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'password', username, password } });
    return { id: made.body.id, token: session.body.accessToken };
  };

  const upload = (token: string, fields: GivenFields = {}) => givenFile(server, token, text, { name: 'harbour.txt', ...fields });
  const of = (token: string) => ({
    get: (id: string) => call(server, 'GET', `/v1/files/${id}`, { token }),
    trash: (id: string) => call(server, 'DELETE', `/v1/files/${id}`, { token }),
    restore: (id: string) => call(server, 'POST', `/v1/files/${id}/restore`, { token }),
    remove: (id: string) => call(server, 'DELETE', `/v1/files/${id}?permanent=true`, { token }),
    trace: (id: string) => call(server, 'GET', `/v1/trace/${id}`, { token }),
  });
  const usedBytes = () =>
    readData(server.dataFolder, (rows) => rows(`select bytes from fileUsage where ownerId = '${grace.id}'`)[0]?.bytes);
  const toldOf = (id: string): Json[] => receiver.received.map(({ json }) => json as Json).filter(({ data }) => data.body.id === id);

  it('a file is trashed as often as one likes, its owner still sees it, and it still takes room', async () => {
    const { trash, get, restore, trace } = of(grace.token);
    const { id, size } = await upload(grace.token);
    const used = usedBytes();
    for (let times = 0; times < 2; times += 1) assert.equal((await trash(id)).status, 204);
    const seen = await get(id);
    assert.deepEqual([seen.status, seen.body.state], [200, 'trashed']);
    assert.equal((await call(server, 'GET', `/v1/files/${id}/content`, { token: grace.token })).status, 404);
    assert.deepEqual([usedBytes(), size], [used, text.length]);
    assert.equal((await of(hopper.token).get(id)).status, 404);

    const restored = await restore(id);
    assert.deepEqual([restored.status, restored.body.state, restored.body.id], [200, 'stored', id]);
    const again = await restore(id);
    assert.deepEqual([again.status, again.body.updatedAt], [200, restored.body.updatedAt], 'a stored file stays as it is');
    const told = await trace(id);
    assert.equal(told.body.state, 'stored');
    assert.deepEqual(
      told.body.entries.map(({ what }: Json) => what),
      ['received', 'checked', 'stored', 'trashed', 'restored'],
    );
    assert.equal(told.body.entries.at(-1).who, grace.id);
    await eventually(
      async () => toldOf(id).map(({ type, data }) => [type, data.body.state]),
      (types) => types.length === 3,
    );
    assert.deepEqual(
      toldOf(id)
        .map(({ type, data }) => [type, data.body.state])
        .toSorted(),
      [
        ['file.restored', 'stored'],
        ['file.stored', 'stored'],
        ['file.trashed', 'trashed'],
      ],
    );
  });

  it('a permanent delete takes the row at once and the bytes soon after; the trace stays', async () => {
    const { trash, remove, get, restore, trace } = of(grace.token);
    const used = usedBytes();
    for (const isTrashed of [false, true]) {
      const { id } = await upload(grace.token, { visibility: 'public' });
      assert.ok(sizesOnDisk(server.dataFolder).has(id));
      if (isTrashed) await trash(id);
      assert.equal((await remove(id)).status, 204);
      for (const act of [get, trash, remove, restore]) assert.equal((await act(id)).status, 404);
      assert.equal(usedBytes(), used);
      await eventually(
        async () => sizesOnDisk(server.dataFolder),
        (bytes) => !bytes.has(id),
        10_000,
      );
      const told = await trace(id);
      assert.deepEqual([told.body.state, told.body.entries.at(-1).what, told.body.entries.at(-1).who], ['deleted', 'deleted', grace.id]);
      const fact = await eventually(
        async () => toldOf(id).find(({ type }) => type === 'file.deleted'),
        (found) => found !== undefined,
      );
      assert.deepEqual([fact.data.body.state, fact.data.body.name, fact.data.body.url], ['deleted', 'harbour.txt', undefined]);
    }
  });

  it('only its owner ends a file: who sees it may not, and for all others there is nothing', async () => {
    const { id } = await upload(grace.token);
    const shown = (await upload(grace.token, { name: 'shown.txt', visibility: 'tenant' })).id;
    for (const act of ['trash', 'remove', 'restore'] as const) {
      const asAdmin = await of(admin)[act](id);
      assert.deepEqual([asAdmin.status, asAdmin.body.type], [403, '/problems/not-allowed'], act);
      assert.equal((await of(hopper.token)[act](id)).status, 404, act);
      assert.equal((await of(hopper.token)[act](shown)).status, 403, act);
    }
    assert.equal((await of(grace.token).get(id)).body.state, 'stored');
  });

  it('in a locked folder nothing ends, and what never was stored cannot be restored', async () => {
    const { id } = await upload(grace.token);
    const { trash, remove, restore } = of(grace.token);
    changeData(server.dataFolder, `update files set state = 'rejected' where id = '${id}'`);
    const refused = await restore(id);
    assert.deepEqual([refused.status, refused.body.type], [409, '/problems/conflict']);
    changeData(
      server.dataFolder,
      `insert into folders select 'fold_locked', tenantId, ownerId, null, 'Vault', 'Vault', 'a hash', 1, 1 from files where id = '${id}';
       update files set state = 'stored', folderId = 'fold_locked' where id = '${id}'`,
    );
    for (const act of [trash, remove, restore]) assert.equal((await act(id)).status, 423);
    changeData(server.dataFolder, `delete from folders where id = 'fold_locked'`);
  });

  it('the trash empties itself after its time, and what was taken out of it stays', async () => {
    const { trash, restore, get } = of(grace.token);
    const [old, kept] = [await upload(grace.token), await upload(grace.token)];
    for (const { id } of [old, kept]) await trash(id);
    assert.equal((await restore(kept.id)).status, 200);
    await eventually(
      () => get(old.id),
      ({ status }) => status === 404,
    );
    const told = await of(grace.token).trace(old.id);
    assert.deepEqual([told.body.entries.at(-1).what, told.body.entries.at(-1).who], ['deleted', 'entrepot']);
    assert.equal((await get(kept.id)).body.state, 'stored');
    await eventually(
      async () => sizesOnDisk(server.dataFolder),
      (bytes) => !bytes.has(old.id) && bytes.has(kept.id),
    );
  });

  it('a deleted account takes its files with it; an upload that was under way then leaves nothing', async () => {
    const { id } = await upload(hopper.token, { name: 'diary.txt' });
    const { readable: body, writable } = new TransformStream<Uint8Array, Uint8Array>();
    const feed = writable.getWriter();
    const underWay = fetch(`${server.url}/v1/files?name=late.txt`, {
      method: 'POST',
      headers: { authorization: `Bearer ${hopper.token}`, 'content-type': 'text/plain' },
      body,
      duplex: 'half',
    } as RequestInit);
    await feed.write(Buffer.from('it began before '));
    const gone = await call(server, 'DELETE', '/v1/me', { token: hopper.token, body: { password } });
    assert.equal(gone.status, 204, gone.text);
    const ending = feed.write(Buffer.from('and ends behind')).then(() => feed.close());
    assert.equal((await underWay).status, 401);
    await ending.catch(() => undefined); // what is refused need not be read to its end
    await eventually(
      async () => sizesOnDisk(server.dataFolder),
      (bytes) => !bytes.has(id),
    );
    const left = readData(server.dataFolder, (rows) => rows(`select id from files where ownerId = '${hopper.id}'`));
    assert.deepEqual(left, []);
    const fact = await eventually(
      async () => toldOf(id).find(({ type }) => type === 'file.deleted'),
      (found) => found !== undefined,
    );
    assert.deepEqual(fact.data.body, { id, owner: hopper.id, state: 'deleted' });
    const told = await eventually(
      () => of(admin).trace(id),
      ({ body: item }) => item.entries.every(({ where, detail }: Json) => where === undefined && detail === undefined),
    );
    assert.equal(told.body.entries.at(-1).what, 'deleted');
  });

  it('what a service sent stays when the service is removed, and administrators see it', async () => {
    const service = await givenService(server, admin, ['files:write', 'files:read']);
    const { id } = await upload(service.token);
    assert.equal((await call(server, 'DELETE', `/v1/services/${service.id}`, { token: admin })).status, 204);
    const seen = await of(admin).get(id);
    assert.deepEqual([seen.status, seen.body.owner], [200, service.id]);
  });
});
