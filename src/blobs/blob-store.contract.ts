import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { suite, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { BlobExists, BlobMissing, type BlobStore, BodyInUse, DigestMismatch, type ListedBlob, OffsetMismatch } from './blob-store.ts';

/** An empty store, and the way to open what it holds as the next process would. */
export type OpenStore = (context: TestContext) => Promise<{ store: BlobStore; reopen: () => Promise<BlobStore> }>;

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const bytesOf = async (store: BlobStore, key: string, range?: { first: number; last: number }): Promise<Buffer> =>
  Buffer.concat(await (await store.open(key, range)).toArray());

export const listed = async (store: BlobStore): Promise<ListedBlob[]> => {
  const all: ListedBlob[] = [];
  for await (const one of store.list()) all.push(one);
  return all.sort((one, other) => (one.key < other.key ? -1 : 1));
};
const keysOf = async (store: BlobStore) => (await listed(store)).map(({ key, state }) => `${key} ${state}`);

/** Gives `chunks` one after the other, then fails, or ends. */
export const bodyOf = (chunks: readonly Uint8Array[], failure?: Error): Readable =>
  Readable.from(
    (async function* () {
      for (const chunk of chunks) {
        await delay(1);
        yield chunk;
      }
      if (failure) throw failure;
    })(),
    { objectMode: false },
  );

const big = randomBytes(3_000_001);
const inChunks = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) => bytes.subarray(index * size, (index + 1) * size));

/** What every blob store promises. */
export const blobStoreContract = (name: string, openStore: OpenStore) => {
  suite(name, { concurrency: 4, timeout: 60_000 }, () => {
    test('what was put is read back, whole and in ranges, also after the next start', async (context) => {
      const { store, reopen } = await openStore(context);
      for (const [key, bytes] of Object.entries({ file_empty: Buffer.alloc(0), file_small: Buffer.from('hello'), file_big: big })) {
        assert.deepEqual(await store.put(key, bodyOf(inChunks(bytes, 64 * 1024))), { size: bytes.length, sha256: sha256Of(bytes) });
        assert.deepEqual(await store.put(`${key}-t256`, bytes), { size: bytes.length, sha256: sha256Of(bytes) });
      }
      const again = await reopen();
      for (const key of ['file_big', 'file_big-t256']) {
        assert.equal(await again.sizeOf(key), big.length);
        assert.ok((await bytesOf(again, key)).equals(big));
        assert.ok((await bytesOf(again, key, { first: 1000, last: 2_000_000 })).equals(big.subarray(1000, 2_000_001)));
        assert.ok((await again.read(key, { first: 2_999_999, last: 3_000_500 })).equals(big.subarray(2_999_999)));
      }
      assert.equal((await bytesOf(again, 'file_empty')).length, 0);
      assert.equal(String(await again.read('file_small', { first: 1, last: 3 })), 'ell');
    });

    test('what is not there is told, and removing it is no mistake', async (context) => {
      const { store } = await openStore(context);
      assert.equal(await store.sizeOf('file_1'), undefined);
      assert.equal(await store.offsetOf('file_1'), undefined);
      await assert.rejects(store.open('file_1'), BlobMissing);
      await assert.rejects(store.read('file_1', { first: 0, last: 1 }), BlobMissing);
      await assert.rejects(store.complete('file_1'), BlobMissing);
      await assert.rejects(store.concat('file_2', ['file_1']), BlobMissing);
      await store.remove('file_1');
      await store.discard('file_1');
      assert.deepEqual(await keysOf(store), []);
    });

    test('a key is written once: the second body is refused and leaves the first as it is', async (context) => {
      const { store } = await openStore(context);
      await store.put('file_1', Buffer.from('first'));
      await assert.rejects(store.put('file_1', Buffer.from('second')), BlobExists);
      await assert.rejects(store.put('file_1', bodyOf([big])), BlobExists);
      assert.equal(String(await bytesOf(store, 'file_1')), 'first');
      await store.remove('file_1');
      await store.put('file_1', Buffer.from('third'));
      assert.equal(String(await bytesOf(store, 'file_1')), 'third');
    });

    test('of many bodies put under one key at once exactly one is kept', async (context) => {
      const { store } = await openStore(context);
      const bodies = Array.from({ length: 20 }, (_, index) => Buffer.alloc(100_000, String.fromCharCode(65 + index)));
      const outcomes = await Promise.allSettled(bodies.map((body) => store.put('file_1', bodyOf(inChunks(body, 30_000)))));
      const winners = outcomes.flatMap((outcome, index) => (outcome.status === 'fulfilled' ? [index] : []));
      assert.equal(winners.length, 1);
      assert.ok(outcomes.every((outcome) => outcome.status === 'fulfilled' || outcome.reason instanceof BlobExists));
      assert.deepEqual(await bytesOf(store, 'file_1'), bodies[winners[0] ?? -1]);
    });

    test('a body that fails in the middle leaves nothing, and its own error is told', async (context) => {
      const { store } = await openStore(context);
      const failure = new Error('cut');
      await assert.rejects(store.put('file_1', bodyOf([big, big], failure)), (error) => error === failure);
      assert.equal(await store.sizeOf('file_1'), undefined);
      assert.deepEqual(await keysOf(store), []);
      await store.put('file_1', Buffer.from('now'));
    });

    test('a body may fail as soon as it was handed over', async (context) => {
      const { store } = await openStore(context);
      const gone = () => {
        const body = new Readable({ read: () => undefined });
        queueMicrotask(() => body.destroy(new Error('the client left')));
        return body;
      };
      await assert.rejects(store.put('file_a', gone()), /the client left/);
      const { offset, brokenBy } = await store.append('file_b', 0, gone());
      assert.deepEqual([offset, String(brokenBy)], [0, 'Error: the client left']);
      assert.equal(await store.sizeOf('file_a'), undefined);
    });

    test('a put can be called off: nothing is left and the body is let go', async (context) => {
      const { store } = await openStore(context);
      const calling = new AbortController();
      const body = new Readable({ read: () => undefined });
      body.push(big);
      setTimeout(() => calling.abort(new Error('called off')), 30);
      await assert.rejects(store.put('file_1', body, calling.signal), /called off/);
      assert.ok(body.destroyed);
      const late = bodyOf([big]);
      await assert.rejects(store.put('file_1', late, calling.signal), /called off/);
      assert.ok(late.destroyed);
      assert.deepEqual(await keysOf(store), []);
    });

    test('nobody sees a body before it is whole', async (context) => {
      const { store } = await openStore(context);
      const body = new Readable({ read: () => undefined });
      body.push(big);
      const putting = store.put('file_1', body);
      await delay(50);
      assert.equal(await store.sizeOf('file_1'), undefined);
      await assert.rejects(store.open('file_1'), BlobMissing);
      body.push(null);
      await putting;
      assert.equal(await store.sizeOf('file_1'), big.length);
    });

    test('a key is never a way to somewhere else', async (context) => {
      const { store } = await openStore(context);
      for (const key of ['', '../x', 'a/b', 'a\0', 'A', '.', 'a.b', 'x'.repeat(101), 'a\n']) {
        await assert.rejects(store.put(key, Buffer.from('x')), /is no key/, key);
        await assert.rejects(store.open(key), /is no key/);
        await assert.rejects(store.read(key, { first: 0, last: 0 }), /is no key/);
        await assert.rejects(store.sizeOf(key), /is no key/);
        await assert.rejects(store.remove(key), /is no key/);
        await assert.rejects(store.append(key, 0, Buffer.from('x')), /is no key/);
        await assert.rejects(store.complete(key), /is no key/);
        await assert.rejects(store.concat('file_1', [key]), /is no key/);
        await assert.rejects(store.discard(key), /is no key/);
      }
      for (const key of ['a', '_', '-', 'a_', 'x'.repeat(100)]) await store.put(key, Buffer.from('x'));
      assert.equal((await listed(store)).length, 5);
    });

    test('everything that is kept is listed with its time', async (context) => {
      const { store } = await openStore(context);
      const before = Date.now() - 2000;
      await store.put('file_01aaaaaaaaaa', Buffer.from('x'));
      await store.put('file_02bbbbbbbbbb-t256', Buffer.from('x'));
      await store.append('file_03cccccccccc', 0, Buffer.from('x'));
      assert.deepEqual(await keysOf(store), ['file_01aaaaaaaaaa whole', 'file_02bbbbbbbbbb-t256 whole', 'file_03cccccccccc unfinished']);
      for (const { writtenAt } of await listed(store)) assert.ok(writtenAt > before && writtenAt < Date.now() + 2000);
    });

    test('a body in pieces grows at its end only, and becomes a blob as if it had been put', async (context) => {
      const { store, reopen } = await openStore(context);
      assert.deepEqual(await store.append('file_1', 0, bodyOf([big.subarray(0, 1000)])), { offset: 1000 });
      assert.deepEqual(await store.append('file_1', 1000, big.subarray(1000, 1001)), { offset: 1001 });
      for (const wrong of [0, 1000, 1002]) {
        const isTold = (error: unknown) => error instanceof OffsetMismatch && error.offset === 1001;
        await assert.rejects(store.append('file_1', wrong, bodyOf([big])), isTold);
      }
      await assert.rejects(store.append('file_2', 5, bodyOf([big])), OffsetMismatch);
      assert.equal(await store.sizeOf('file_1'), undefined);
      const next = await reopen();
      assert.equal(await next.offsetOf('file_1'), 1001);
      assert.deepEqual(await next.append('file_1', 1001, bodyOf(inChunks(big.subarray(1001), 50_000))), { offset: big.length });
      const facts = { size: big.length, sha256: sha256Of(big) };
      assert.deepEqual(await next.complete('file_1'), facts);
      assert.deepEqual(await next.complete('file_1'), facts);
      assert.deepEqual(await (await reopen()).complete('file_1'), facts);
      assert.equal(await next.offsetOf('file_1'), undefined);
      assert.ok((await bytesOf(next, 'file_1')).equals(big));
      assert.deepEqual(await keysOf(next), ['file_1 whole']);
    });

    test('an empty body in pieces is an empty blob', async (context) => {
      const { store } = await openStore(context);
      assert.deepEqual(await store.append('file_1', 0, Buffer.alloc(0)), { offset: 0 });
      assert.equal(await store.offsetOf('file_1'), 0);
      assert.deepEqual(await store.complete('file_1'), { size: 0, sha256: sha256Of(Buffer.alloc(0)) });
    });

    test('a piece that breaks off keeps what had arrived, and goes on from there', async (context) => {
      const { store } = await openStore(context);
      const failure = new Error('cut');
      const broken = await store.append('file_1', 0, bodyOf([big.subarray(0, 700_000), big.subarray(700_000, 700_001)], failure));
      assert.deepEqual(broken, { offset: 700_001, brokenBy: failure });
      assert.equal(await store.offsetOf('file_1'), 700_001);
      await store.append('file_1', 700_001, bodyOf([big.subarray(700_001)]));
      assert.deepEqual(await store.complete('file_1'), { size: big.length, sha256: sha256Of(big) });
    });

    test('a piece with another digest than expected, or cut off before it can be told, is dropped', async (context) => {
      const { store } = await openStore(context);
      await store.append('file_1', 0, Buffer.from('one'));
      for (const algorithm of ['sha1', 'sha256'] as const) {
        const digest = createHash(algorithm).update('two').digest();
        await assert.rejects(store.append('file_1', 3, Buffer.from('tow'), { algorithm, digest }), DigestMismatch);
        const broken = await store.append('file_1', 3, bodyOf([Buffer.from('two')], new Error('cut')), { algorithm, digest });
        assert.equal(broken.offset, 3);
        assert.equal(await store.offsetOf('file_1'), 3);
      }
      const digest = createHash('sha1').update('two').digest();
      assert.deepEqual(await store.append('file_1', 3, Buffer.from('two'), { algorithm: 'sha1', digest }), { offset: 6 });
      assert.deepEqual(await store.complete('file_1'), { size: 6, sha256: sha256Of(Buffer.from('onetwo')) });
    });

    test('two at once on one body in pieces: one works, the others are refused and harm nothing', async (context) => {
      const { store } = await openStore(context);
      const body = new Readable({ read: () => undefined });
      body.push('a');
      const appending = store.append('file_1', 0, body);
      await delay(20);
      const late = bodyOf([big]);
      await assert.rejects(store.append('file_1', 0, late), BodyInUse);
      assert.ok(late.destroyed);
      await assert.rejects(store.complete('file_1'), BodyInUse);
      await assert.rejects(store.discard('file_1'), BodyInUse);
      await assert.rejects(store.concat('file_2', ['file_1']), BodyInUse);
      body.push(null);
      assert.deepEqual(await appending, { offset: 1 });
      assert.deepEqual(await store.complete('file_1'), { size: 1, sha256: sha256Of(Buffer.from('a')) });
    });

    test('bodies in pieces are joined in the order given and stay until they are discarded', async (context) => {
      const { store } = await openStore(context);
      await store.append('file_a', 0, big.subarray(0, 2_000_000));
      await store.append('file_b', 0, big.subarray(2_000_000));
      assert.deepEqual(await store.concat('file_c', ['file_a', 'file_b']), { size: big.length, sha256: sha256Of(big) });
      assert.ok((await bytesOf(store, 'file_c')).equals(big));
      await assert.rejects(store.concat('file_c', ['file_b']), BlobExists);
      await store.discard('file_a');
      await assert.rejects(store.concat('file_d', ['file_b', 'file_a']), BlobMissing);
      assert.deepEqual(await keysOf(store), ['file_b unfinished', 'file_c whole']);
    });

    test('a body in pieces that was discarded begins anew', async (context) => {
      const { store } = await openStore(context);
      await store.append('file_1', 0, Buffer.from('old'));
      await store.discard('file_1');
      assert.equal(await store.offsetOf('file_1'), undefined);
      await store.append('file_1', 0, Buffer.from('new'));
      await store.complete('file_1');
      assert.equal(String(await bytesOf(store, 'file_1')), 'new');
    });

    test('a blob that is there is never replaced by a body in pieces', async (context) => {
      const { store } = await openStore(context);
      await store.put('file_1', Buffer.from('put'));
      await store.append('file_1', 0, Buffer.from('piece'));
      await assert.rejects(store.complete('file_1'), BlobExists);
      assert.equal(String(await bytesOf(store, 'file_1')), 'put');
    });

    test('a store that works says so', async (context) => {
      const { store } = await openStore(context);
      await store.check();
      assert.deepEqual(await keysOf(store), []);
      assert.equal(await store.sweep(0), 0);
    });
  });
};
