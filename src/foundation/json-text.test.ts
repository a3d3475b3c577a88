import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { elementTexts, isDeeperThan, memberTexts, mergeFields, objectText } from './json-text.ts';

const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\r'), maxLength: 3 });
/** Strings that are hard to cut at: quotes, backslashes and brackets, also escaped by their number. */
const hardString = fc
  .array(fc.constantFrom('"', '\\', '\\\\', '\\"', '{', '}', '[', ']', ',', ':', 'a', 'ü', '𝄞', '\n', '\u2028'), { maxLength: 8 })
  .map((parts) => parts.join(''));
const escaped = (text: string) =>
  JSON.stringify(text).replaceAll(/[aü]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
const stringText = hardString.chain((text) => fc.constantFrom(JSON.stringify(text), escaped(text)));
/**
 * Names inside of values, which the tests read by JSON.parse: plain, since the V8 of Node.js 24 now and then gives a wrong name where one
 * holds an escape (seen with 24.11 to 24.21: of many objects, `{"\\\\{":2}` was read as `{"\\\\":2}`). Texts by themselves it reads rightly.
 */
const plainName = fc.constantFrom('"a"', '"b"', '"ü"', '"𝄞"', '""', '"a b"');
const numberText = fc.constantFrom('0', '-0', '1.10', '12345678901234567890', '1e400', '-1.5E-7', '0.30000000000000000001');
const wordText = fc.constantFrom('true', 'false', 'null');

const listText = (open: string, close: string, items: readonly string[], spaces: readonly string[]) => {
  const at = (index: number) => spaces[index % spaces.length] ?? '';
  return `${open}${at(0)}${items.map((item, index) => `${at(index)}${item}${at(index + 1)}`).join(',')}${close}`;
};

/** JSON texts as anybody may write them: whitespace everywhere, escapes, numbers that JavaScript would change. */
const { value: valueText } = fc.letrec<{ value: string; array: string; object: string; member: string }>((tie) => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, numberText, stringText, wordText, tie('array'), tie('object')),
  array: fc
    .tuple(fc.array(tie('value'), { maxLength: 4 }), fc.array(space, { minLength: 1, maxLength: 3 }))
    .map(([items, spaces]) => listText('[', ']', items, spaces)),
  object: fc
    .tuple(fc.array(tie('member'), { maxLength: 4 }), fc.array(space, { minLength: 1, maxLength: 3 }))
    .map(([items, spaces]) => listText('{', '}', items, spaces)),
  member: fc.tuple(plainName, space, space, tie('value')).map(([name, one, other, value]) => `${name}${one}:${other}${value}`),
}));

/** An object's members, each read by itself. */
const parsed = (text: string): unknown =>
  Object.fromEntries([...memberTexts(text)].map(([name, value]): [string, unknown] => [name, JSON.parse(value)]));

const array = fc
  .tuple(fc.array(valueText, { maxLength: 6 }), fc.array(space, { minLength: 1, maxLength: 3 }), space)
  .map(([items, spaces, around]) => ({ items, text: `${around}${listText('[', ']', items, spaces)}${around}` }));
const object = fc
  .tuple(fc.array(fc.tuple(stringText, valueText), { maxLength: 6 }), fc.array(space, { minLength: 1, maxLength: 3 }), space)
  .map(([members, spaces, around]) => ({
    members,
    text: `${around}${listText(
      '{',
      '}',
      members.map(([name, value]) => `${name}${around}:${around}${value}`),
      spaces,
    )}${around}`,
  }));

test("an array's elements are cut out to the letter", () => {
  fc.assert(
    fc.property(array, ({ items, text }) => {
      const elements = elementTexts(text);
      assert.deepEqual(elements, items);
      assert.deepEqual(
        elements.map((element): unknown => JSON.parse(element)),
        JSON.parse(text),
      );
    }),
    { numRuns: 500 },
  );
});

test("an object's members are cut out to the letter; of a repeated name the last one counts", () => {
  fc.assert(
    fc.property(object, ({ members, text }) => {
      const found = memberTexts(text);
      const expected = new Map(members.map(([name, value]): [string, string] => [JSON.parse(name), value]));
      assert.deepEqual(Object.fromEntries(found), Object.fromEntries(expected));
    }),
    { numRuns: 500 },
  );
});

test('merging fields changes those fields, and leaves every other value as it was written', () => {
  const fields = fc.dictionary(hardString, fc.constantFrom<unknown>(null, true, 1.5, 'a"\\', [1, 'b'], { a: [{}] }), { maxKeys: 4 });
  fc.assert(
    fc.property(object, fields, ({ text }, more) => {
      const merged = mergeFields(text, more);
      assert.deepEqual(parsed(merged), { ...(parsed(text) as object), ...more });
      const before = memberTexts(text);
      for (const [name, value] of memberTexts(merged)) if (!Object.hasOwn(more, name)) assert.equal(value, before.get(name));
      if (Object.keys(more).length === 0) assert.equal(merged, text);
    }),
    { numRuns: 500 },
  );
});

test('numbers that JavaScript cannot hold, and strings in any spelling, come out as they went in', () => {
  const text = '{ "id" : 12345678901234567890 , "price":1.10,"far":1e400,"text":"\\u00e4\\/\\n" }';
  assert.equal(
    mergeFields(text, { brand: 'testBrand' }),
    '{"id":12345678901234567890,"price":1.10,"far":1e400,"text":"\\u00e4\\/\\n","brand":"testBrand"}',
  );
});

test('a member named like the prototype is a member like any other', () => {
  assert.deepEqual(
    [...memberTexts('{"__proto__":{"a":1},"constructor":2}')],
    [
      ['__proto__', '{"a":1}'],
      ['constructor', '2'],
    ],
  );
  assert.equal(mergeFields('{"__proto__":1}', { a: 1 }), '{"__proto__":1,"a":1}');
});

test('what is put together from members is the object again', () => {
  fc.assert(
    fc.property(object, ({ text }) => {
      assert.deepEqual(parsed(objectText(memberTexts(text))), parsed(text));
    }),
  );
});

test('nesting is counted without being followed further than the limit', () => {
  const nested = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}1${']'.repeat(depth)}`);
  assert.equal(isDeeperThan(1, 0), false);
  assert.equal(isDeeperThan({}, 0), true);
  assert.equal(isDeeperThan(nested(32), 32), false);
  assert.equal(isDeeperThan(nested(33), 32), true);
  assert.equal(isDeeperThan(nested(5_000), 32), true);
  assert.equal(isDeeperThan({ a: [{ b: null }] }, 3), false);
  assert.equal(isDeeperThan({ a: 1, b: [[]] }, 2), true);
});
