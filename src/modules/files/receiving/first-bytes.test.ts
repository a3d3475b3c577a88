import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { beginReading } from './first-bytes.ts';

const nothing = () => undefined;
const chunks = (...texts: readonly string[]): Readable =>
  Readable.from(
    texts.map((text) => Buffer.from(text)),
    { objectMode: false },
  );
const textOf = async (stream: Readable): Promise<string> => Buffer.concat(await stream.toArray()).toString();

describe('the first bytes of a body', () => {
  test('are as many as are wanted, or all, and the whole follows behind them', async () => {
    const begun = await beginReading(chunks('ab', 'cd', 'ef'), 3);
    assert.deepEqual([begun.head.toString(), begun.isWhole], ['abcd', false]);
    const seen: string[] = [];
    assert.equal(
      await textOf(
        begun.bytes(
          (chunk) => void seen.push(chunk.toString()),
          () => void seen.push('end'),
        ),
      ),
      'abcdef',
    );
    assert.deepEqual(seen, ['abcd', 'ef', 'end']);
    const short = await beginReading(chunks('ab'), 3);
    assert.deepEqual([short.head.toString(), short.isWhole], ['ab', true]);
    assert.equal((await beginReading(chunks(), 3)).head.length, 0);
  });

  test('are not waited for where the body is gone, before they are read, in the midst of it or behind them', async () => {
    const gone = chunks('ab').on('error', nothing);
    gone.destroy(new Error('vanished'));
    await assert.rejects(beginReading(gone, 3), /vanished/);

    const silent = new Readable({ read: nothing });
    const reading = beginReading(silent, 3);
    silent.push('ab');
    silent.destroy(new Error('vanished'));
    await assert.rejects(reading, /vanished/);

    for (const isAsked of [false, true]) {
      const late = new Readable({ read: nothing });
      late.push('abcd');
      const begun = await beginReading(late, 3);
      const before = isAsked ? begun.bytes(nothing, nothing) : undefined;
      late.destroy(new Error('vanished'));
      await new Promise(setImmediate);
      await assert.rejects(textOf(before ?? begun.bytes(nothing, nothing)), /vanished/);
    }
  });

  test('and those behind them are let go of as soon as one is refused', async () => {
    for (const bad of ['ab', 'ef']) {
      const body = chunks('ab', 'cd', 'ef', 'gh');
      const begun = await beginReading(body, 2);
      const inspect = (chunk: Buffer) => {
        if (chunk.toString() === bad) throw new Error(`${bad} is bad`);
      };
      await assert.rejects(textOf(begun.bytes(inspect, nothing)), new Error(`${bad} is bad`));
      assert.ok(body.destroyed);
    }
    const refuse = () => {
      throw new Error('too short');
    };
    await assert.rejects(textOf((await beginReading(chunks('abc', 'd'), 3)).bytes(nothing, refuse)), /too short/);
  });
});
