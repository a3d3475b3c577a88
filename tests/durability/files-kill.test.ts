import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertSound, readData } from '../support/data-file.ts';
import { upload, uploadForm } from '../support/file-calls.ts';
import { eventually, givenOperator } from '../support/given.ts';
import { keptBytes, sha256At, sha256Of } from '../support/kept-bytes.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const rounds = 20;
const mebibyte = 1024 * 1024;
/** What uploaders send in turn: small and some MiB, so that kills fall into every part of the way. */
const sizes = [300, 10_240, 3 * mebibyte, 70_000];

interface Sent {
  readonly id: string;
  readonly sha256: string;
}

/** Sends file after file until the server is gone; what was acknowledged goes to `acknowledged`. */
const uploadUntilGone = async (
  server: TestServer,
  { token, isForm, label, acknowledged }: { token: string; isForm: boolean; label: string; acknowledged: Sent[] },
): Promise<void> => {
  for (let count = 0; ; count += 1) {
    const size = sizes[count % sizes.length] ?? 0;
    const bytes = Uint8Array.from(Buffer.alloc(size, `${label}, file ${count}, line by line.\n`));
    try {
      const form = new FormData();
      form.append('file', new Blob([bytes]), 'part.txt');
      const answer = await (isForm ? uploadForm(server, form, { token }) : upload(server, bytes, { token, query: { name: 'raw.txt' } }));
      assert.equal(answer.status, 201, answer.text);
      acknowledged.push({ id: answer.body.id, sha256: sha256Of(bytes) });
    } catch (error) {
      if (error instanceof TypeError || error instanceof SyntaxError) return; // fetch: the connection broke, perhaps within the answer
      throw error;
    }
  }
};

/** Looks at the data of a dead server, or of one that just started. */
const assertWhole = (dataFolder: string, acknowledged: readonly Sent[], known: Set<string>) => {
  const rows = readData(dataFolder, (ask) => ask(`select id, sha256, state, size from files`));
  const { whole } = keptBytes(dataFolder);
  const stored = new Map(rows.map(({ id, sha256 }) => [String(id), String(sha256)]));
  for (const { id, sha256 } of acknowledged) assert.equal(stored.get(id), sha256, `the acknowledged ${id} is not there`);
  for (const [id, sha256] of stored) {
    const path = whole.get(id);
    assert.ok(path !== undefined, `${id} has a row and no bytes`);
    if (!known.has(id)) assert.equal(sha256At(path), sha256, `the bytes of ${id} are not those of its row`);
    known.add(id);
  }
  return { rows: stored.size, withoutRow: [...whole.keys()].filter((key) => !stored.has(key)).length };
};

test(`what was acknowledged outlives ${rounds} kills in the midst of uploads, byte for byte, and no file is half there`, async (context) => {
  let server = await startServer();
  const { dataFolder } = server;
  context.after(() => server.stop());
  const token = await givenOperator(server);
  const known = new Set<string>();
  let total = 0;
  let found = { rows: 0, withoutRow: 0 };
  let cutOff = 0;

  for (let round = 0; round < rounds; round += 1) {
    const acknowledged: Sent[] = [];
    const uploaders = [0, 1, 2, 3].map((number) =>
      uploadUntilGone(server, { token, isForm: number % 2 === 1, label: `round ${round}, uploader ${number}`, acknowledged }),
    );
    // At a random moment, but not before there is something to lose, however busy the machine is.
    await eventually(
      async () => acknowledged.length,
      (count) => count >= 4,
    );
    await sleep(Math.random() * 200);
    assert.equal(await server.kill('SIGKILL'), 'SIGKILL');
    await Promise.all(uploaders);
    cutOff = keptBytes(dataFolder).unfinished.length; // those of the rounds before are still there
    server = await startServer({ dataFolder });
    found = assertWhole(dataFolder, acknowledged, known);
    total += acknowledged.length;
  }
  assert.ok(cutOff > 0, 'no kill fell into an upload: it shows nothing');

  const recount = `select tenantId, ownerId, count(*) as files, sum(size) as bytes from files group by 1, 2
    union all select tenantId, '', count(*), sum(size) from files group by 1 order by 2`;
  const [counted, kept] = readData(dataFolder, (ask) => [ask(recount), ask('select * from fileUsage order by ownerId')]);
  assert.deepEqual(kept, counted, 'what is counted is not what is there');
  assert.equal(await server.kill('SIGTERM'), 0);
  assertSound(dataFolder);
  context.diagnostic(`${total} acknowledged, ${found.rows} rows, ${found.withoutRow} blobs without a row, ${cutOff} begun and cut off`);
});
