import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertBytesThere, assertSound, litterIn, readData } from '../support/data-file.ts';
import { call, eventually, givenOperator } from '../support/given.ts';
import { sizesOnDisk } from '../support/kept-bytes.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const killRounds = 10;
const hands = 6;

type State = 'none' | 'stored' | 'trashed' | 'gone';

/** What its owner knows of a file. */
interface Known {
  readonly state: State;
  readonly name: string;
}

/** A file as it was at the last answer, and as an act without an answer would have left it. */
interface KnownFile {
  readonly id: string;
  now: Known;
  maybe: Known | undefined;
}

const text = 'a file that is renamed, trashed, restored and deleted '.repeat(200);

/** Somebody who uploads, renames, trashes, restores and deletes for good, until the server is gone. */
const useFiles = async (server: TestServer, token: string, files: Map<string, KnownFile>, isOver: () => boolean): Promise<void> => {
  const headers = { 'content-type': 'text/plain' };
  const act = async (file: KnownFile, becomes: Partial<Known>, method: string, path = '', body?: object) => {
    file.maybe = { ...file.now, ...becomes };
    const { status, text: answer } = await call(server, method, `/v1/files/${file.id}${path}`, { token, body });
    assert.ok(status === 204 || status === 200, `${method} ${path}: ${status} ${answer}`);
    file.now = file.maybe;
    file.maybe = undefined;
  };
  while (!isOver()) {
    const made = await call(server, 'POST', '/v1/files?name=kept.txt', { token, body: text, headers });
    assert.equal(made.status, 201, made.text);
    const file: KnownFile = { id: made.body.id, now: { state: 'stored', name: 'kept.txt' }, maybe: undefined };
    files.set(file.id, file);
    for (const name of ['renamed.txt', 'renamed again.txt']) await act(file, { name }, 'PATCH', '', { name });
    const dice = Math.random();
    if (dice < 0.2) continue;
    if (dice < 0.8) await act(file, { state: 'trashed' }, 'DELETE');
    if (dice < 0.4) await act(file, { state: 'stored' }, 'POST', '/restore');
    else if (dice > 0.5) await act(file, { state: 'gone' }, 'DELETE', '?permanent=true');
  }
};

/** Every file stands as it was acknowledged, or as the act that got no answer left it; and it is found by the name that it has. */
const assertAsKnown = (dataFolder: string, files: Map<string, KnownFile>) => {
  const rows = readData(dataFolder, (find) => find(`select id, state, name, words from files`));
  const found = new Map(rows.map(({ id, state, name }) => [String(id), { state, name } as Known]));
  const rowOf = ({ id, now }: KnownFile): Known => found.get(id) ?? { state: 'gone', name: now.name };
  const wrong = [...files.values()].filter((file) => {
    const row = rowOf(file);
    return ![file.now, file.maybe].some((known) => known?.state === row.state && known.name === row.name);
  });
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    rows.filter(({ name, words }) => String(name).includes('again') !== String(words).includes('again')),
    [],
    'files that are found by another name than they have',
  );
  for (const file of files.values()) {
    file.now = rowOf(file);
    file.maybe = undefined;
  }
};

test('files that are renamed, trashed, restored and deleted outlive kills: none is lost, none comes back, and all bytes go in the end', async (context) => {
  let server = await startServer();
  const { dataFolder } = server;
  context.after(() => server.stop());
  const token = await givenOperator(server);
  const files = new Map<string, KnownFile>();

  await context.test(`${killRounds} kills in the midst of it: every file is as it was acknowledged, with its bytes`, async () => {
    let cutOff = 0;
    for (let round = 0; round < killRounds; round += 1) {
      let isOver = false;
      const before = files.size;
      const users = Array.from({ length: hands }, () => useFiles(server, token, files, () => isOver));
      const ended = Promise.allSettled(users);
      await eventually(
        async () => files.size,
        (size) => size > before + hands,
      );
      await sleep(50 + Math.random() * 250);
      assert.equal(await server.kill('SIGKILL'), 'SIGKILL');
      isOver = true;
      for (const outcome of await ended)
        if (outcome.status === 'rejected' && outcome.reason instanceof assert.AssertionError) throw outcome.reason;
      cutOff += [...files.values()].filter(({ maybe }) => maybe !== undefined).length;
      assertSound(dataFolder);
      assertAsKnown(dataFolder, files);
      assertBytesThere(dataFolder);
      server = await startServer({ dataFolder });
    }
    context.diagnostic(`${files.size} files, ${cutOff} acts were cut off`);
  });

  await context.test('the bytes of all files that are gone go, also those whose removal a kill cut off', async () => {
    const gone = [...files.values()].filter(({ now }) => now.state === 'gone');
    assert.ok(gone.length > 0);
    await eventually(
      async () => {
        const bytes = sizesOnDisk(dataFolder);
        return gone.filter(({ id }) => bytes.has(id)).length;
      },
      (left) => left === 0,
      30_000,
    );
  });

  await context.test('uploads that were killed before they had a row leave litter at most, and the sweeper takes it', async () => {
    const litter = litterIn(dataFolder);
    context.diagnostic(`${litter.length} bodies without a row`);
    assert.equal(await server.kill('SIGTERM'), 0);
    assertSound(dataFolder);
    server = await startServer({ dataFolder });
    await eventually(
      async () => litterIn(dataFolder),
      (left) => left.length === 0,
      45_000,
    );
    assertBytesThere(dataFolder);
  });
});
