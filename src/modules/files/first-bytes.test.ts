import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { beginReading } from './first-bytes.ts';

test('a body that breaks off before anybody reads on tells whoever reads then, and harms nobody else', async () => {
  const body = new PassThrough();
  body.on('error', () => undefined);
  body.write(Buffer.alloc(100));
  const begun = await beginReading(body, 50);
  const bytes = begun.bytes(
    () => undefined,
    () => undefined,
  );
  body.destroy(new Error('the client has left'));
  await turn(); // an error that nobody listens to would end the process here
  await turn();
  await assert.rejects(async () => {
    for await (const _chunk of bytes) assert.fail('there is nothing to be had');
  }, /the client has left/);
});
