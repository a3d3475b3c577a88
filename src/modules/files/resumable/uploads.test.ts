import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { BodyInUse } from '../../../blobs/blob-store.ts';
import { Problem, Unavailable } from '../../../foundation/problem.ts';
import { dayMs, givenUploads, grace } from './uploads.fixture.ts';

const ofKind = (kind: string) => (error: unknown) => error instanceof Problem && error.kind === kind;
const minuteMs = 60_000;

test('an upload is given up after 24 hours without bytes, with its row, its room and its pieces', async (context) => {
  const { clock, blobs, open, countOf, usedBytes, signal } = await givenUploads(context);
  const { begin, send, uploads, expiry } = open();
  const [idle, busy, part] = [await begin(10), await begin(10), await begin(10, { isPartial: true })];
  for (const id of [idle, busy, part]) await send(id, 0, 'hello');
  clock.turn(dayMs - minuteMs);
  await send(busy, 5, 'abc');
  clock.turn(2 * minuteMs);
  await assert.rejects(uploads.find(grace, idle), ofKind('gone'), 'before the worker came by');
  assert.equal(await expiry.expire(signal), 2);
  assert.equal(await expiry.expire(signal), 0);
  for (const id of [idle, part]) await assert.rejects(uploads.find(grace, id), ofKind('gone'));
  assert.equal(await blobs.offsetOf(part), undefined);
  assert.deepEqual([await countOf('files'), await usedBytes()], [1, 10]);
  assert.equal((await send(busy, 8, 'de')).isStored, true, 'the other one goes on');

  clock.turn(dayMs + minuteMs);
  assert.equal(await expiry.expire(signal), 3, 'what is over is forgotten after another day');
  assert.equal(await countOf('uploads'), 0);
  assert.equal(await countOf('files'), 1, 'a finished file is never given up');
});

test('the retention of files leaves an upload alone while bytes come, and ends it where it is given up', async (context) => {
  const { clock, open, signal, stateOf } = await givenUploads(context);
  const { begin, send, uploads, retention } = open();
  const [idle, busy] = [await begin(10), await begin(10)];
  clock.turn(dayMs - minuteMs);
  await send(busy, 0, 'hello');
  clock.turn(2 * minuteMs);
  await retention.look(signal);
  assert.deepEqual([(await stateOf(idle)).state, (await stateOf(busy)).state], [undefined, 'expected']);
  await assert.rejects(uploads.find(grace, idle), ofKind('gone'));
});

test('a crash between the last byte and the row leaves nothing that looks finished: the next look, the next start or the end of its time finishes it', async (context) => {
  const { clock, blobs, open, signal, stateOf, countOf } = await givenUploads(context);
  const before = open({
    complete: async (key) => {
      await blobs.complete(key);
      throw new Unavailable('the machine stops here');
    },
  });
  const ids = [await before.begin(5), await before.begin(5), await before.begin(5)];
  for (const id of ids) await assert.rejects(before.send(id, 0, 'hello'), Unavailable);
  for (const id of ids) assert.equal((await stateOf(id)).state, 'expected');
  await assert.rejects(before.look(ids[0] ?? ''), Unavailable, 'it is not told to be finished');

  const after = open();
  assert.equal((await after.look(ids[0] ?? '')).isStored, true);
  clock.turn(dayMs + minuteMs);
  assert.equal(await after.expiry.expire(signal), 3, 'never given up when it is whole');
  for (const id of ids) assert.equal((await stateOf(id)).state, 'stored');
  assert.equal(await countOf('facts'), 3, 'each is told once');

  const another = await before.begin(5);
  await assert.rejects(before.send(another, 0, 'hello'), Unavailable);
  assert.equal(await open().expiry.finishWhole(signal), 1);
  assert.equal((await stateOf(another)).state, 'stored');
});

test('finished by many at once it is stored once', async (context) => {
  const { blobs, open, countOf, stateOf } = await givenUploads(context);
  const before = open({
    complete: async () => {
      throw new Unavailable('not yet');
    },
  });
  const id = await before.begin(5);
  await assert.rejects(before.send(id, 0, 'hello'), Unavailable);
  await blobs.complete(id);
  const [one, other] = [open(), open()]; // as two processes
  const found = await one.uploads.find(grace, id);
  await Promise.allSettled([one, one, other, other, one].map(({ end }) => end.finish(found, {})));
  assert.equal((await stateOf(id)).state, 'stored');
  assert.equal(await countOf('facts'), 1);
  assert.equal(await blobs.sizeOf(id), 5);
});

test('bytes of a type that is not taken are refused as soon as they show it, and nothing of them is left', async (context) => {
  const { open, stateOf, usedBytes } = await givenUploads(context);
  const { begin, send, uploads } = open();
  const id = await begin(500_000);
  const zip = `PK\u0003\u0004${'\u0000'.repeat(100_000)}`;
  await assert.rejects(send(id, 0, zip), ofKind('unsupported-type'));
  const { state, reason } = (await stateOf(id)) as { state: string; reason?: string };
  assert.equal(state, 'rejected');
  assert.match(reason ?? '', /application\/zip/);
  await assert.rejects(uploads.find(grace, id), ofKind('gone'));
  assert.equal(await usedBytes(), 0);

  const small = await begin(100);
  await assert.rejects(send(small, 0, `PK\u0003\u0004${'\u0000'.repeat(96)}`), ofKind('unsupported-type'));
  assert.equal((await stateOf(small)).state, 'rejected');
  const text = await begin(200_010);
  await send(text, 0, 'a'.repeat(200_000));
  await assert.rejects(send(text, 200_000, '\u0000'.repeat(10)), ofKind('unsupported-type'), 'a text is one to its end');
});

test('what the scanner finds is refused; while it is away the upload waits', async (context) => {
  const { open, stateOf, signal } = await givenUploads(context);
  const infected = open({}, { scan: async () => ({ isClean: false, found: 'Eicar' }) });
  const id = await infected.begin(5);
  await assert.rejects(infected.send(id, 0, 'hello'), ofKind('infected'));
  assert.equal((await stateOf(id)).state, 'rejected');

  const away = open({}, { scan: () => Promise.reject(new Unavailable('the scanner is away')) });
  const waiting = await away.begin(5);
  await assert.rejects(away.send(waiting, 0, 'hello'), Unavailable);
  assert.equal((await stateOf(waiting)).state, 'expected');
  assert.equal(await open().expiry.finishWhole(signal), 1);
});

test('an expected file that its owner deletes takes its upload with it, also while its last bytes come', async (context) => {
  const { blobs, database, open } = await givenUploads(context);
  const { begin, send, uploads, removal, end } = open();
  const id = await begin(10);
  await send(id, 0, 'hello');
  const upload = await uploads.find(grace, id);
  const row = await database.read.selectFrom('files').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  await removal.remove(row, { who: 'per_grace', tells: 'nothing' });
  await assert.rejects(uploads.find(grace, id), ofKind('gone'));
  await blobs.append(id, 5, Buffer.from('world'));
  await assert.rejects(end.finish(upload, {}), ofKind('gone'));
  assert.equal(await blobs.sizeOf(id), undefined, 'no bytes without a row');
});

test('whoever sends the last bytes while the file is being deleted is told that it is gone', async (context) => {
  const { blobs, database, open } = await givenUploads(context);
  const racing = open({
    complete: async (key) => {
      const row = await database.read.selectFrom('files').selectAll().where('id', '=', key).executeTakeFirstOrThrow();
      await removal.remove(row, { who: 'per_grace', tells: 'nothing' });
      throw new BodyInUse(key);
    },
  });
  const { begin, send, removal } = racing;
  const id = await begin(5);
  await assert.rejects(send(id, 0, 'hello'), ofKind('gone'));

  const busy = open({
    complete: async (key) => {
      throw new BodyInUse(key);
    },
  });
  const other = await busy.begin(5);
  await assert.rejects(busy.send(other, 0, 'hello'), ofKind('locked'), 'may be asked for again');
  assert.equal((await open().look(other)).isStored, true);
  assert.equal(await blobs.sizeOf(other), 5);
});

test('uploads without a length that come at once take no more room than there is', async (context) => {
  const { database, open, countOf, usedBytes } = await givenUploads(context);
  const { begin, sendUncounted, uploads } = open({}, undefined, { personBytes: 100 });
  const ids = await Promise.all(Array.from({ length: 4 }, () => begin(undefined)));
  const outcomes = await Promise.allSettled(ids.map((id) => sendUncounted(id, 'a'.repeat(80))));
  const refused = ids.filter((_, index) => outcomes[index]?.status === 'rejected');
  assert.equal(refused.length, 3);
  assert.deepEqual([await countOf('files'), await usedBytes()], [1, 80]);
  for (const id of refused) await assert.rejects(uploads.find(grace, id), ofKind('gone'));
  const ordered = await database.read.selectFrom('blobRemovals').select('blobKey').where('blobKey', 'in', refused).execute();
  assert.deepEqual(new Set(ordered.map(({ blobKey }) => blobKey)), new Set(refused), 'their bytes go');
});

test('parts and files together take no more room than there is, and parts make way for the file that they become', async (context) => {
  const { open, usedBytes } = await givenUploads(context);
  const { begin, send, uploads } = open({}, undefined, { personBytes: 100 });
  const join = (part: string, metadata?: string) =>
    uploads.create(grace, { length: undefined, metadata, concat: { kind: 'final', parts: [part], text: `final;${part}` } });
  const part = await begin(80, { isPartial: true });
  await assert.rejects(begin(30), ofKind('quota-exceeded'));
  await send(part, 0, 'a'.repeat(80));

  const asPicture = `filetype ${Buffer.from('image/png').toString('base64')}`;
  await assert.rejects(join(part, asPicture), ofKind('unsupported-type'));
  await assert.rejects(begin(30), ofKind('quota-exceeded'), 'the part is there still');
  assert.equal((await join(part)).isStored, true);
  assert.equal(await usedBytes(), 80);
  await assert.rejects(begin(30), ofKind('quota-exceeded'));
  await begin(20);
});

test('of requests that tell the length at once one goes on, and the others are told that it does', async (context) => {
  const { open, usedBytes } = await givenUploads(context);
  const { begin, uploads } = open({}, undefined, { personBytes: 1_000 });
  const found = await uploads.find(grace, await begin(undefined));
  const tell = (length: number) =>
    uploads.append(grace, found, { offset: 0, body: Readable.from([Buffer.from('hello')], { objectMode: false }), bytes: 5, length });
  const [one, ...others] = (await Promise.allSettled([tell(10), tell(11), tell(10)])).toSorted((a, b) => (a.status < b.status ? -1 : 1));
  assert.equal(one?.status, 'fulfilled');
  for (const other of others) assert.ok(other.status === 'rejected' && ofKind('locked')(other.reason), JSON.stringify(other));
  assert.ok([10, 11].includes(await usedBytes()));
});

test('of a type that is none nothing is told', async (context) => {
  const { database, open } = await givenUploads(context);
  const id = await open().begin(5, { metadata: `filetype ${Buffer.from('text/plain\r\nX: y\0').toString('base64')}` });
  const { type } = await database.read.selectFrom('files').select('type').where('id', '=', id).executeTakeFirstOrThrow();
  assert.equal(type, '');
});

test('of an account that is gone nothing of its uploads is left', async (context) => {
  const { blobs, open, countOf, usedBytes } = await givenUploads(context);
  const { begin, send, expiry } = open();
  const [file, part] = [await begin(10), await begin(10, { isPartial: true })];
  for (const id of [file, part]) await send(id, 0, 'hello');
  assert.equal(await expiry.removeSome({ tenantId: 'ten_tests', ownerId: 'per_grace' }), true);
  assert.deepEqual([await countOf('uploads'), await countOf('files'), await usedBytes()], [0, 0, 0]);
  assert.equal(await blobs.offsetOf(part), undefined);
});
