import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Problem } from '../../../foundation/problem.ts';
import { beginReading } from './first-bytes.ts';

const cutOff = new Problem('bad-request', 'The body was cut off.');

/** What a reader gets that comes later than the failure. */
const readLate = async (bytes: Readable): Promise<unknown> => {
  await setImmediate();
  try {
    for await (const _chunk of bytes);
    return 'the end';
  } catch (error) {
    return error;
  }
};

test('a client that leaves while its file is being opened ends its upload and nothing else', async () => {
  for (const leave of [(body: Readable) => body.destroy(cutOff), (body: Readable) => body.destroy()]) {
    const body = new Readable({ read: () => undefined }).on('error', () => undefined);
    body.push(Buffer.alloc(100));
    const begun = await beginReading(body, 100);
    const bytes = begun.bytes(
      () => undefined,
      () => undefined,
    );
    leave(body);
    assert.ok((await readLate(bytes)) instanceof Error);
  }
});

test('a client that left before its file is opened ends its upload and nothing else', async () => {
  const body = new Readable({ read: () => undefined }).on('error', () => undefined);
  body.push(Buffer.alloc(100));
  const begun = await beginReading(body, 100);
  body.destroy(cutOff);
  await setImmediate();
  assert.equal(
    await readLate(
      begun.bytes(
        () => undefined,
        () => undefined,
      ),
    ),
    cutOff,
  );
});
