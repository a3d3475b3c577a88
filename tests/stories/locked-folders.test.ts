import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, eventually, givenOperator, givenService, givenTarget, type Json } from '../support/given.ts';
import { givenPerson, type Person } from '../support/given-people.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const password = 'open sesame';

describe('a locked folder', () => {
  let server: TestServer;
  let receiver: Receiver;
  let admin: Person;
  let ann: Person;
  let bob: Person;
  let addresses = 0;

  before(async () => {
    receiver = await startReceiver({ answer: () => ({ status: 200 }) });
    server = await startServer({ env: { ENTREPOT_TRUSTED_PROXIES: '127.0.0.1' } });
    admin = { id: '', username: 'admin', token: await givenOperator(server) };
    [ann, bob] = await Promise.all([givenPerson(server, admin.token), givenPerson(server, admin.token)]);
  });
  after(() => Promise.all([server.stop(), receiver.stop()]));

  interface How {
    readonly who?: Pick<Person, 'token'>;
    readonly keys?: readonly string[];
    readonly from?: string;
    readonly headers?: Record<string, string>;
  }
  const ask = (method: string, path: string, body?: unknown, { who = ann, keys, from, headers }: How = {}) =>
    call(server, method, path, {
      token: who.token,
      ...(body === undefined ? {} : { body }),
      headers: {
        ...(keys === undefined ? {} : { 'x-folder-token': keys.join(', ') }),
        ...(from === undefined ? {} : { 'x-forwarded-for': from }),
        ...headers,
      },
    });
  const make = async (name: string, parentId?: string, keys: readonly string[] = []): Promise<string> => {
    const { status, body, text } = await ask('POST', '/v1/folders', { name, ...(parentId === undefined ? {} : { parentId }) }, { keys });
    assert.equal(status, 201, text);
    return body.id;
  };
  const upload = (name: string, folderId: string, how: How = {}) =>
    ask('POST', `/v1/files?name=${name}&folderId=${folderId}&visibility=tenant`, 'a text', {
      ...how,
      headers: { 'content-type': 'text/plain' },
    });
  const lock = async (id: string, how: How = {}) => {
    const { status, text } = await ask('PUT', `/v1/folders/${id}/lock`, { password }, how);
    assert.equal(status, 204, text);
  };
  const unlock = async (id: string, how: How = {}): Promise<string> => {
    const { status, body, text } = await ask('POST', `/v1/folders/${id}/unlock`, { password }, how);
    assert.equal(status, 200, text);
    return body.folderToken;
  };
  const newAddress = () => {
    addresses += 1;
    return `10.9.0.${addresses}`;
  };
  const statuses = async (...answers: readonly Promise<{ status: number }>[]) => (await Promise.all(answers)).map(({ status }) => status);

  /** A locked folder with a folder and a file in it, and a file in that. */
  const scene = async () => {
    const id = await make('secret');
    const inner = await make('inner', id);
    const [file, deepFile] = [(await upload('one.txt', id)).body.id, (await upload('two.txt', inner)).body.id];
    await lock(id);
    return { id, inner, file, deepFile };
  };

  it('stays in the list of its owner, and hides what lies in it until it is unlocked', async () => {
    const { id, inner, file, deepFile } = await scene();
    const shown = (await ask('GET', `/v1/folders/${id}`)).body;
    assert.deepEqual([shown.name, shown.locked], ['secret', true]);
    const listed = async (how: How = {}) =>
      (await ask('GET', '/v1/folders?limit=200', undefined, how)).body.items.map((one: Json) => one.id);
    assert.ok((await listed()).includes(id));
    assert.ok(!(await listed()).includes(inner));

    const { body, status } = await ask('GET', `/v1/files/${file}`);
    assert.deepEqual([status, body.type], [423, '/problems/locked']);
    assert.deepEqual(
      await statuses(
        ask('GET', `/v1/folders?parent=${id}`),
        ask('GET', `/v1/folders/${inner}`),
        ask('GET', `/v1/folders?parent=${inner}`),
        ask('GET', `/v1/files/${deepFile}`),
        ask('GET', `/v1/files/${file}`, undefined, { who: admin }),
      ),
      [423, 423, 423, 423, 423],
    );
    // For those to whom the files were open there is nothing at all.
    assert.deepEqual(
      await statuses(ask('GET', `/v1/files/${file}`, undefined, { who: bob }), ask('GET', `/v1/folders/${id}`, undefined, { who: bob })),
      [404, 404],
    );

    const keys = [await unlock(id)];
    assert.ok((await listed({ keys })).includes(inner));
    assert.deepEqual(
      await statuses(
        ask('GET', `/v1/folders?parent=${id}`, undefined, { keys }),
        ask('GET', `/v1/folders/${inner}`, undefined, { keys }),
        ask('GET', `/v1/files/${file}`, undefined, { keys }),
        ask('GET', `/v1/files/${deepFile}`, undefined, { keys }),
      ),
      [200, 200, 200, 200],
    );
  });

  it('takes no file, no folder and no change before it is unlocked', async () => {
    const { id, inner } = await scene();
    const elsewhere = await make('elsewhere');
    const tries = (how: How) => [
      () => upload('three.txt', id, how),
      () => upload('four.txt', inner, how),
      () => ask('POST', '/v1/folders', { name: 'new', parentId: id }, how),
      () => ask('PATCH', `/v1/folders/${id}`, { name: 'renamed' }, how),
      () => ask('PATCH', `/v1/folders/${inner}`, { parentId: elsewhere }, how),
      () => ask('PATCH', `/v1/folders/${elsewhere}`, { parentId: id }, how),
      () => ask('PUT', `/v1/folders/${id}/lock`, { password: 'another one' }, how),
      () => ask('PUT', `/v1/folders/${inner}/lock`, { password: 'another one' }, how),
      () => ask('DELETE', `/v1/folders/${inner}`, undefined, how),
      () => ask('DELETE', `/v1/folders/${id}`, undefined, how),
    ];
    for (const [index, attempt] of tries({}).entries()) assert.equal((await attempt()).status, 423, `try ${index}`);
    // With the token all of them are as ever: the last ones after the folder had got another password.
    const keys = [await unlock(id)];
    for (const [index, attempt] of tries({ keys }).slice(0, 7).entries())
      assert.ok((await attempt()).status < 300, `try ${index} with the token`);
    const { body } = await ask('POST', `/v1/folders/${id}/unlock`, { password: 'another one' });
    const again = { keys: [body.folderToken] };
    assert.equal((await ask('GET', `/v1/folders/${inner}`, undefined, again)).body.parentId, elsewhere);
    assert.equal((await ask('DELETE', `/v1/folders/${id}`, undefined, again)).status, 204);
  });

  it('within another folder keeps that from being deleted, and needs both to be unlocked', async () => {
    const outer = await make('outer');
    const inner = await make('inner', outer);
    const file = (await upload('deep.txt', inner)).body.id;
    await lock(inner);
    assert.equal((await ask('DELETE', `/v1/folders/${outer}`)).status, 423);
    await lock(outer);
    const innerKey = await unlock(inner);
    assert.equal((await ask('GET', `/v1/files/${file}`, undefined, { keys: [innerKey] })).status, 423);
    assert.equal((await ask('GET', `/v1/folders/${inner}`, undefined, { keys: [innerKey] })).status, 423);
    assert.equal((await ask('DELETE', `/v1/folders/${inner}/lock`, { password })).status, 423);
    const outerKey = await unlock(outer);
    assert.equal((await ask('GET', `/v1/files/${file}`, undefined, { keys: [outerKey] })).status, 423);
    assert.equal((await ask('GET', `/v1/files/${file}`, undefined, { keys: [innerKey, outerKey] })).status, 200);
    assert.equal((await ask('DELETE', `/v1/folders/${inner}/lock`, { password }, { keys: [outerKey] })).status, 204);
    assert.equal((await ask('GET', `/v1/files/${file}`, undefined, { keys: [outerKey] })).status, 200);
  });

  it('leaves only ids in the trace of a file that is deleted within it', async () => {
    const folder = await make('ending');
    const { id } = (await upload('ending.txt', folder)).body;
    await lock(folder);
    const keys = [await unlock(folder)];
    const trace = (how: How = {}) => ask('GET', `/v1/trace/${id}`, undefined, how);
    assert.equal((await trace()).status, 423);
    assert.ok((await trace({ keys })).body.entries.some(({ detail }: Json) => detail?.sha256 !== undefined));
    assert.equal((await ask('DELETE', `/v1/files/${id}?permanent=true`, undefined, { keys })).status, 204);
    const { entries } = (await trace()).body;
    assert.deepEqual(
      entries.map(({ what, detail }: Json) => [what, detail]),
      ['received', 'checked', 'stored', 'deleted'].map((what) => [what, undefined]),
    );
  });

  it('is opened by a token to the person that unlocked it alone, for an hour, and only as long as it has this lock', async () => {
    const { id, file } = await scene();
    const answer = await ask('POST', `/v1/folders/${id}/unlock`, { password });
    const lastsMs = Date.parse(answer.body.expiresAt) - Date.now();
    assert.ok(lastsMs > 59 * 60_000 && lastsMs <= 60 * 60_000, `${lastsMs}`);
    const key: string = answer.body.folderToken;
    const seen = async (keys: readonly string[], who = ann) => (await ask('GET', `/v1/files/${file}`, undefined, { keys, who })).status;
    assert.equal(await seen([key]), 200);
    assert.equal(await seen(['nonsense', '', key]), 200);
    assert.equal(await seen([key], admin), 423);
    assert.equal(await seen([key], bob), 404);
    const [folder, end = '', proof] = key.split('.');
    const later = (Number.parseInt(end, 36) + 1).toString(36);
    const other = await make('other');
    await lock(other);
    const forged = [`${folder}.${later}.${proof}`, `${other}.${end}.${proof}`, `${key.slice(0, -4)}AAAA`, await unlock(other)];
    for (const one of forged) assert.equal(await seen([one]), 423, one);

    assert.equal((await ask('PUT', `/v1/folders/${id}/lock`, { password }, { keys: [key] })).status, 204);
    assert.equal(await seen([key]), 423);
    const next = await unlock(id);
    assert.equal((await ask('DELETE', `/v1/folders/${id}/lock`, { password })).status, 204);
    assert.equal(await seen([]), 200);
    await lock(id);
    assert.equal(await seen([next]), 423);
  });

  it('opens to a device of its owner by the same token', async () => {
    const { id, file } = await scene();
    const { body } = await ask('POST', '/v1/devices/pairings', { deviceId: `phone-${id}` });
    const session = await call(server, 'POST', '/v1/sessions', { body: { method: 'pin', deviceId: `phone-${id}`, pin: body.pin } });
    const who = { token: session.body.accessToken };
    assert.equal((await ask('GET', `/v1/files/${file}`, undefined, { who })).status, 423);
    assert.equal((await ask('GET', `/v1/files/${file}`, undefined, { who, keys: [await unlock(id)] })).status, 200);
  });

  it('takes five wrong passwords from an address, then none for a while, while it opens elsewhere', async () => {
    const { id } = await scene();
    const other = await make('other');
    await lock(other);
    for (const [method, path] of [
      ['POST', 'unlock'],
      ['DELETE', 'lock'],
    ] as const) {
      const from = newAddress();
      const guess = (folder: string, tried: string, address = from) =>
        ask(method, `/v1/folders/${folder}/${path}`, { password: tried }, { from: address });
      for (let count = 0; count < 5; count += 1) {
        const { status, body } = await guess(id, 'wrong');
        assert.deepEqual([status, body.type], [403, '/problems/wrong-password']);
      }
      const refused = await guess(id, password);
      assert.deepEqual([refused.status, refused.body.type], [429, '/problems/too-many']);
      assert.ok(Number(refused.headers.get('retry-after')) > 60);
      assert.equal((await guess(other, 'wrong')).status, 403);
      assert.equal((await ask('POST', `/v1/folders/${id}/unlock`, { password }, { from: newAddress() })).status, 200);
    }
  });

  it('cannot be guessed faster by guessing at the same time', async () => {
    const { id } = await scene();
    const from = newAddress();
    const guesses = Array.from({ length: 20 }, (_, index) =>
      ask('POST', `/v1/folders/${id}/unlock`, { password: `wrong ${index}` }, { from }),
    );
    const found = await statuses(...guesses);
    assert.equal(found.filter((status) => status === 403).length, 5);
    assert.equal(found.filter((status) => status === 429).length, 15);
  });

  it('is locked with at least four characters, and has to have a lock to be unlocked', async () => {
    const id = await make('open');
    assert.equal((await ask('PUT', `/v1/folders/${id}/lock`, { password: 'abc' })).status, 400);
    assert.equal((await ask('POST', `/v1/folders/${id}/unlock`, { password })).status, 409);
    assert.equal((await ask('DELETE', `/v1/folders/${id}/lock`, { password })).status, 409);
    for (const [method, path] of [
      ['PUT', 'lock'],
      ['DELETE', 'lock'],
      ['POST', 'unlock'],
    ] as const)
      assert.equal((await ask(method, `/v1/folders/${id}/${path}`, { password }, { who: bob })).status, 404);
  });

  it('gets one lock by two at once, and the other is told that it is locked', async () => {
    const id = await make('both');
    const found = await statuses(
      ask('PUT', `/v1/folders/${id}/lock`, { password: 'this one' }),
      ask('PUT', `/v1/folders/${id}/lock`, { password: 'that one' }),
    );
    assert.deepEqual(found.sort(), [204, 423]);
  });

  it('gets no file whose upload began before it was locked', async () => {
    const id = await make('in between');
    let more: (text: string) => void = () => {};
    let end: () => void = () => {};
    const body = new ReadableStream({
      start(controller) {
        more = (text) => controller.enqueue(new TextEncoder().encode(text));
        end = () => controller.close();
      },
    });
    const answer = fetch(`${server.url}/v1/files?name=late.txt&folderId=${id}`, {
      method: 'POST',
      body,
      duplex: 'half',
      headers: { authorization: `Bearer ${ann.token}`, 'content-type': 'text/plain' },
    } as RequestInit); // `duplex` is not in the type
    more('the beginning');
    await lock(id);
    more(' and the end');
    end();
    assert.equal((await answer).status, 423);
  });

  it('hides the traces of itself and of what lies in it, also those of requests', async () => {
    const { id, inner, file } = await scene();
    const requestId = `req-${crypto.randomUUID()}`;
    const keys = [await unlock(id)];
    const sent = await ask('POST', `/v1/files?name=five.txt&folderId=${inner}`, 'five', {
      keys,
      headers: { 'content-type': 'text/plain', 'x-request-id': requestId },
    });
    assert.equal(sent.status, 201);
    for (const one of [id, inner, file, requestId]) {
      const locked = await ask('GET', `/v1/trace/${one}`);
      assert.deepEqual([locked.status, locked.body.type], [423, '/problems/locked'], one);
      assert.equal((await ask('GET', `/v1/trace/${one}`, undefined, { who: admin })).status, 423);
      assert.equal((await ask('GET', `/v1/trace/${one}`, undefined, { who: bob })).status, 404);
      assert.equal((await ask('GET', `/v1/trace/${one}`, undefined, { keys })).status, 200);
    }
    const { entries, state } = (await ask('GET', `/v1/trace/${id}`, undefined, { keys })).body;
    assert.deepEqual([entries.map(({ what }: Json) => what), state], [['created', 'locked', 'unlocked'], 'locked']);
  });

  it('is silent about the names of folders that were in it, also when they are gone', async () => {
    const id = await make('Vault');
    const inner = await make('Ring for Bob', id);
    assert.equal((await ask('PATCH', `/v1/folders/${inner}`, { name: 'Ring for Bob, size 19' })).status, 200);
    await lock(id);
    const keys = [await unlock(id)];
    assert.equal((await ask('DELETE', `/v1/folders/${inner}`, undefined, { keys })).status, 204);
    for (const who of [ann, admin]) {
      const { status, body, text } = await ask('GET', `/v1/trace/${inner}`, undefined, { who });
      assert.deepEqual([status, body.state], [200, 'deleted']);
      assert.ok(!text.includes('Ring'), text);
    }
  });

  it('goes on hiding the files of a folder in it that is deleted, in the trash and out of it', async () => {
    const id = await make('Vault');
    const inner = await make('Letters', await make('Drawer', id));
    const { body: file } = await upload('to-bob.txt', inner);
    await lock(id);
    const keys = [await unlock(id)];
    assert.equal((await ask('DELETE', `/v1/folders/${inner}`, undefined, { keys })).status, 204);
    for (const who of [ann, admin]) {
      const trashed = await ask('GET', '/v1/files?state=trashed', undefined, { who });
      assert.ok(!trashed.text.includes(file.id), trashed.text);
      assert.equal((await ask('GET', `/v1/files/${file.id}`, undefined, { who })).status, 423);
    }
    assert.equal((await ask('POST', `/v1/files/${file.id}/restore`)).status, 423);
    assert.equal((await ask('POST', `/v1/files/${file.id}/restore`, undefined, { keys })).status, 200);
    assert.equal((await ask('GET', `/v1/files/${file.id}/content`)).status, 423);
    assert.equal((await ask('GET', `/v1/files/${file.id}/content`, undefined, { keys })).status, 200);
  });

  it('tells targets ids of what comes into it, and nothing else', async () => {
    const target = await givenTarget(server, admin.token, { kind: 'webhook', types: ['file.stored'], config: { url: receiver.url } });
    const { id } = await scene();
    const keys = [await unlock(id)];
    const file = (await upload('unheard-of.txt', id, { keys })).body.id;
    await receiver.waitFor(() => receiver.received.some(({ json }) => (json as Json).data.body.id === file));
    const bodies = receiver.received.map(({ json }) => (json as Json).data.body).filter((body) => body.id === file);
    assert.deepEqual(bodies, [{ id: file, owner: ann.id, state: 'stored' }]);
    await ask('DELETE', `/v1/targets/${target.id}`, undefined, { who: admin });
  });

  describe('and its files, or any file', () => {
    it('have traces for their owner and administrators alone, also when they are gone', async () => {
      const folder = await make('to go');
      const file = (await upload('shown.txt', folder)).body.id;
      const seen = async (one: string) => statuses(...[ann, admin, bob].map((who) => ask('GET', `/v1/trace/${one}`, undefined, { who })));
      assert.deepEqual(
        [await seen(file), await seen(folder)],
        [
          [200, 200, 404],
          [200, 200, 404],
        ],
      );
      assert.equal((await ask('DELETE', `/v1/folders/${folder}`)).status, 204);
      assert.deepEqual(await seen(folder), [200, 200, 404]);
      assert.equal((await ask('GET', `/v1/trace/${folder}`)).body.state, 'deleted');
    });

    it('are in the live view and in deliveries by id and type, and their names in events for those who manage targets alone', async () => {
      const target = await givenTarget(server, admin.token, { kind: 'webhook', types: ['file.stored'], config: { url: receiver.url } });
      const reader = await givenService(server, admin.token, ['events:read', 'trace:read']);
      const stopping = new AbortController();
      const live = await fetch(`${server.url}/v1/events/live`, {
        headers: { authorization: `Bearer ${reader.token}` },
        signal: stopping.signal,
      });
      let flow = '';
      const watching = (async () => {
        for await (const chunk of live.body ?? []) flow += Buffer.from(chunk).toString();
      })().catch(() => undefined); // it is broken off below

      const folder = await make('nobody-knows-this');
      const file = (await upload('nobody-knows-that.txt', folder)).body.id;
      await receiver.waitFor(() => receiver.received.some(({ json }) => (json as Json).data.body.id === file));
      const { id: factId } = receiver.received.map(({ json }) => (json as Json).data).find(({ body }) => body.id === file);
      await eventually(
        async () => flow,
        (text) => text.includes(factId),
      );
      const deliveries = await ask('GET', `/v1/deliveries?event=${factId}`, undefined, { who: reader });
      assert.equal(deliveries.body.items.length, 1);
      const trace = await ask('GET', `/v1/trace/${factId}`, undefined, { who: reader });
      assert.equal(trace.status, 200);
      await lock(folder);
      await ask('POST', '/v1/events', { id: 'last', name: 'last' }, { who: admin });
      await eventually(
        async () => flow,
        (text) => text.includes('"last"'),
      );
      for (const text of [flow, deliveries.text, trace.text]) {
        assert.ok(!text.includes('nobody-knows'), text);
        assert.ok(!text.includes(folder) && !text.includes(file), text);
      }
      assert.equal((await ask('GET', `/v1/events/${factId}`, undefined, { who: reader })).status, 404);
      assert.equal((await ask('GET', `/v1/events/${factId}`, undefined, { who: ann })).status, 404);
      assert.equal((await ask('GET', `/v1/events/${factId}`, undefined, { who: admin })).status, 200);
      stopping.abort();
      await watching;
      await ask('DELETE', `/v1/targets/${target.id}`, undefined, { who: admin });
    });
  });
});
