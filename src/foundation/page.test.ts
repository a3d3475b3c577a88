import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeCursor, encodeCursor, toPage } from './page.ts';
import { Problem } from './problem.ts';

const isBadCursor = (error: unknown) => error instanceof Problem && error.kind === 'bad-cursor';

test('a cursor brings back the place that it was made of', () => {
  fc.assert(
    fc.property(fc.integer(), fc.string({ unit: 'binary' }), (number, text) => {
      const cursor = encodeCursor([number, text.toWellFormed()]);
      assert.match(cursor, /^[\w-]+$/, 'it may stand in an address as it is');
      assert.deepEqual(decodeCursor(cursor, ['number', 'string']), [number, text.toWellFormed()]);
    }),
  );
});

test('a garbled cursor, or one of another list, is refused', () => {
  const garbled = ['', 'x', '%%%', encodeCursor([]), encodeCursor(['1']), encodeCursor([1, 2]), Buffer.from('{}').toString('base64url')];
  for (const cursor of [...garbled, Buffer.from('null').toString('base64url'), Buffer.from('"1"').toString('base64url')]) {
    assert.throws(() => decodeCursor(cursor, ['number']), isBadCursor, cursor);
  }
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (cursor) => {
      try {
        const [number] = decodeCursor(cursor, ['number']);
        assert.equal(typeof number, 'number');
      } catch (error) {
        assert.ok(isBadCursor(error));
      }
    }),
  );
});

test('pages go through a list without leaving out or repeating anything, and the last one says so', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 1, max: 7 }), (length, limit) => {
      const rows = Array.from({ length }, (_, position) => ({ position }));
      const read = (after: number) => rows.filter(({ position }) => position > after).slice(0, limit + 1);
      const seen: number[] = [];
      for (let after = -1, turns = 0; ; turns += 1) {
        assert.ok(turns <= length);
        const page = toPage(
          read(after),
          limit,
          ({ position }) => [position],
          ({ position }) => position,
        );
        assert.ok(page.items.length <= limit);
        seen.push(...page.items);
        if (page.nextCursor === undefined) break;
        assert.ok(page.items.length === limit);
        [after] = decodeCursor(page.nextCursor, ['number'] as const);
      }
      assert.deepEqual(
        seen,
        rows.map(({ position }) => position),
      );
    }),
  );
});
