import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createIds, type IdKind, idBorder, idPrefixes } from './ids.ts';

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';

/** The UUID in a TypeID, as its specification says: 26 characters of 5 bits, the first two bits zero. */
const uuidOf = (id: string): string => {
  const suffix = id.slice(id.lastIndexOf('_') + 1);
  assert.match(suffix, /^[0-7][0-9a-hjkmnp-tv-z]{25}$/);
  let value = 0n;
  for (const character of suffix) value = value * 32n + BigInt(alphabet.indexOf(character));
  const hex = value.toString(16).padStart(32, '0');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
};

test('an id names its kind and holds a UUIDv7 of the time when it was made', () => {
  const times = fc.integer({ min: 0, max: 2 ** 48 - 1 });
  const kinds = fc.constantFrom(...(Object.keys(idPrefixes) as IdKind[])); // the keys of the table itself
  fc.assert(
    fc.property(times, kinds, (ms, kind) => {
      const id = createIds(() => ms).next(kind);
      assert.ok(id.startsWith(`${idPrefixes[kind]}_`));
      const uuid = uuidOf(id);
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/, 'version 7, variant of RFC 9562');
      assert.equal(Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16), ms);
    }),
  );
});

test('ids are never the same and sort in the order in which they were made, whatever the clock does', () => {
  const clocks = fc.array(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_010 }), { minLength: 1, maxLength: 50 });
  fc.assert(
    fc.property(clocks, (times) => {
      let asked = 0;
      const ids = createIds(() => {
        asked += 1;
        return times[asked % times.length] ?? 0;
      });
      const made = Array.from({ length: 300 }, () => ids.next('fact'));
      assert.deepEqual(made, made.toSorted());
      assert.equal(new Set(made).size, made.length);
    }),
  );
});

test('more ids in one millisecond than its counter holds still are different and in order', () => {
  const ids = createIds(() => 1_700_000_000_000);
  const made = Array.from({ length: 20_000 }, () => ids.next('delivery'));
  assert.equal(new Set(made).size, made.length);
  assert.deepEqual(made, made.toSorted());
});

test('ids of different processes differ, also of the same millisecond', () => {
  const made = Array.from({ length: 2_000 }, () => createIds(() => 1).next('request'));
  assert.equal(new Set(made).size, made.length);
});

test('what was made before a time sorts before the border of that time, all else behind it', () => {
  const ms = 1_700_000_000_123;
  const border = idBorder('fact', ms);
  assert.ok(createIds(() => ms - 1).next('fact') < border);
  assert.ok(createIds(() => ms).next('fact') >= border);
  assert.ok(idBorder('fact', -5) <= createIds(() => 0).next('fact'));
});
