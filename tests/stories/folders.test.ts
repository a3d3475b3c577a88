import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, givenOperator, givenTarget, type Json } from '../support/given.ts';
import { givenFolder, givenNote } from '../support/given-files.ts';
import { givenPerson, type Person } from '../support/given-people.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

describe('folders', () => {
  let server: TestServer;
  let receiver: Receiver;
  let admin: string;
  let ann: Person;
  let bob: Person;

  before(async () => {
    receiver = await startReceiver({ answer: () => ({ status: 200 }) });
    server = await startServer();
    admin = await givenOperator(server);
    [ann, bob] = await Promise.all([givenPerson(server, admin), givenPerson(server, admin)]);
  });
  after(() => Promise.all([server.stop(), receiver.stop()]));

  const ask = (method: string, path: string, body?: unknown, { token } = ann) =>
    call(server, method, path, { token, ...(body === undefined ? {} : { body }) });
  const make = (name: string, parentId?: string) => givenFolder(server, ann.token, name, parentId);
  const upload = async (name: string, folderId: string): Promise<string> => (await givenNote(server, ann.token, { name, folderId })).id;
  const listed = async (query = ''): Promise<string[]> => {
    const { body, text } = await ask('GET', `/v1/folders?limit=200${query}`);
    assert.ok(body.items, text);
    return body.items.map(({ id }: Json) => id);
  };

  it('are made, shown, listed by pages and places, renamed and moved', async () => {
    const made = await ask('POST', '/v1/folders', { name: 'Holidays' });
    assert.equal(made.status, 201);
    assert.equal(made.headers.get('location'), `/v1/folders/${made.body.id}`);
    const { id, createdAt, updatedAt } = made.body;
    assert.deepEqual(made.body, { id, name: 'Holidays', locked: false, createdAt, updatedAt });
    const sea = await make('Sea', id);
    assert.deepEqual((await ask('GET', `/v1/folders/${sea}`)).body.parentId, id);
    assert.deepEqual(await listed(`&parent=${id}`), [sea]);
    assert.ok((await listed('&parent=root')).includes(id));
    assert.ok(!(await listed('&parent=root')).includes(sea));

    const first = await ask('GET', '/v1/folders?limit=1');
    const second = await ask('GET', `/v1/folders?limit=1&cursor=${first.body.nextCursor}`);
    assert.deepEqual([first.body.items[0].id, second.body.items[0].id], [sea, id]);
    assert.equal((await ask('GET', '/v1/folders?cursor=nonsense')).status, 400);

    const renamed = await ask('PATCH', `/v1/folders/${sea}`, { name: 'Lake' });
    assert.deepEqual([renamed.status, renamed.body.name, renamed.body.parentId], [200, 'Lake', id]);
    const moved = await ask('PATCH', `/v1/folders/${sea}`, { parentId: null });
    assert.deepEqual([moved.status, moved.body.parentId, moved.body.name], [200, undefined, 'Lake']);
    const trace = await ask('GET', `/v1/trace/${sea}`);
    assert.deepEqual(
      trace.body.entries.map(({ what, who }: Json) => [what, who]),
      [
        ['created', ann.id],
        ['changed', ann.id],
        ['changed', ann.id],
      ],
    );
  });

  it('may have the same name side by side: ids count', async () => {
    const [one, other] = [await make('Twins'), await make('Twins')];
    assert.notEqual(one, other);
  });

  it('are made once for an Idempotency-Key', async () => {
    const options = { token: ann.token, body: { name: 'Once' }, headers: { 'idempotency-key': crypto.randomUUID() } };
    const [first, again] = [await call(server, 'POST', '/v1/folders', options), await call(server, 'POST', '/v1/folders', options)];
    assert.deepEqual([first.status, again.status, again.body], [201, 201, first.body]);
  });

  it("are their owner's alone: for others, admins too, there is nothing", async () => {
    const id = await make('Private');
    for (const who of [bob, { ...bob, token: admin }]) {
      assert.equal((await ask('GET', `/v1/folders/${id}`, undefined, who)).status, 404);
      assert.equal((await ask('GET', `/v1/folders?parent=${id}`, undefined, who)).status, 404);
      assert.equal((await ask('PATCH', `/v1/folders/${id}`, { name: 'x' }, who)).status, 404);
      assert.equal((await ask('DELETE', `/v1/folders/${id}`, undefined, who)).status, 404);
      assert.equal((await ask('POST', '/v1/folders', { name: 'x', parentId: id }, who)).status, 404);
      assert.deepEqual((await ask('GET', '/v1/folders', undefined, who)).body.items, []);
    }
    assert.equal((await ask('PATCH', `/v1/folders/${id}`, { parentId: 'fold_nothing' })).status, 404);
  });

  it('never lie in themselves, however deep', async () => {
    const top = await make('top');
    const middle = await make('middle', top);
    const low = await make('low', middle);
    for (const parentId of [top, middle, low]) {
      const { status, body } = await ask('PATCH', `/v1/folders/${top}`, { parentId });
      assert.deepEqual([status, body.type], [409, '/problems/conflict']);
    }
  });

  it('make no cycle by moves at the same time: one of the two is refused', async () => {
    for (let round = 0; round < 15; round += 1) {
      const [one, other] = await Promise.all([make('one'), make('other')]);
      const below = await make('below', other);
      const answers = await Promise.all([
        ask('PATCH', `/v1/folders/${one}`, { parentId: below }),
        ask('PATCH', `/v1/folders/${other}`, { parentId: one }),
      ]);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [200, 409]);
    }
  });

  it('lie in each other on 64 levels and no more', async () => {
    let parent = await make('1');
    for (let level = 2; level <= 64; level += 1) parent = await make(String(level), parent);
    assert.equal((await ask('POST', '/v1/folders', { name: '65', parentId: parent })).status, 409);
    const single = await make('single');
    assert.equal((await ask('PATCH', `/v1/folders/${single}`, { parentId: parent })).status, 409);
  });

  it('go with all folders in them, while the files in them go to the trash and say so', async () => {
    const { id: target } = await givenTarget(server, admin, { kind: 'webhook', types: ['file.trashed'], config: { url: receiver.url } });
    const top = await make('to be deleted');
    const below = await make('below', top);
    const files = [await upload('one.txt', top), await upload('two.txt', below)];
    const elsewhere = await upload('three.txt', await make('elsewhere'));
    assert.equal((await ask('DELETE', `/v1/folders/${top}`)).status, 204);
    for (const id of [top, below]) assert.equal((await ask('GET', `/v1/folders/${id}`)).status, 404);
    for (const id of files) {
      const { body } = await ask('GET', `/v1/files/${id}`);
      assert.deepEqual([body.state, body.folderId], ['trashed', undefined]);
      const { entries, state } = (await ask('GET', `/v1/trace/${id}`)).body;
      assert.deepEqual([entries.at(-1).what, entries.at(-1).who, state], ['trashed', ann.id, 'trashed']);
    }
    assert.equal((await ask('GET', `/v1/files/${elsewhere}`)).body.state, 'stored');
    assert.equal((await ask('DELETE', `/v1/folders/${top}`)).status, 404);
    await receiver.waitFor(2);
    assert.deepEqual(receiver.received.map(({ json }) => (json as Json).data.body.id).sort(), files.toSorted());
    await ask('DELETE', `/v1/targets/${target}`, undefined, { ...ann, token: admin });
  });

  it('that hold more than one step of the removal takes go whole, files and folders', async () => {
    const top = await make('huge');
    let parent = top;
    const folderIds: string[] = [];
    for (let count = 0; count < 260; count += 1) {
      const id = await make('part', count % 10 === 0 ? top : parent);
      folderIds.push(id);
      parent = id;
    }
    const files = await Promise.all(Array.from({ length: 255 }, (_, index) => upload(`part-${index}.txt`, folderIds[index] ?? top)));
    assert.equal((await ask('DELETE', `/v1/folders/${top}`)).status, 204);
    const states = await Promise.all(files.map(async (id) => (await ask('GET', `/v1/files/${id}`)).body.state));
    assert.ok(states.every((state) => state === 'trashed'));
    const left = await listed();
    assert.ok([top, ...folderIds].every((id) => !left.includes(id)));
  });
});
