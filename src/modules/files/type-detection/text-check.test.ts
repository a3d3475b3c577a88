import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { test } from 'node:test';
import fc from 'fast-check';
import { createTextCheck, textEncodingOf } from './text-check.ts';

/** Writes the bytes in pieces of these lengths, over and over. */
const isGood = (type: string, bytes: Buffer, lengths: readonly number[] = [bytes.length]): boolean => {
  const check = createTextCheck({ type, head: Buffer.from('text'), isWhole: false });
  assert.ok(check !== undefined);
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const next = at + (lengths[turn % lengths.length] ?? 1);
    if (!check.write(bytes.subarray(at, next))) return false;
    at = next;
  }
  return check.end();
};

const utf16 = (text: string, { isBigEndian = false, hasMark = true } = {}): Buffer => {
  const bytes = Buffer.from(hasMark ? `\ufeff${text}` : text, 'utf16le');
  return isBigEndian ? bytes.swap16() : bytes;
};

const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });

test('a text in any script is a text, in whatever pieces it comes', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', 'ü', '語', '🎉', '\n', '\t', ' ', '\x1b') }), lengths, (text, pieces) =>
      isGood('text/plain', Buffer.from(text, 'utf8'), pieces),
    ),
  );
});

test('pieces change nothing: what is no text as a whole is none in pieces', () => {
  const bytes = fc.array(
    fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }), fc.constantFrom(0xe2, 0x82, 0xac, 0xf0, 0x9f)),
    {
      maxLength: 24,
    },
  );
  fc.assert(
    fc.property(bytes, lengths, (numbers, pieces) => {
      const buffer = Buffer.from(numbers);
      return isGood('text/plain', buffer, pieces) === isUtf8(buffer);
    }),
    { numRuns: 2000 },
  );
});

test('one NUL or control character anywhere makes it no text, wherever in memory the piece lies', () => {
  for (const byte of [0, 1, 7, 8, 0x0b, 0x0e, 0x1a, 0x1c, 0x1f]) {
    for (let at = 0; at < 24; at += 1) {
      for (let offset = 0; offset < 4; offset += 1) {
        const bytes = Buffer.from(new ArrayBuffer(64), offset, 24).fill('x');
        assert.ok(isGood('text/plain', bytes));
        bytes[at] = byte;
        assert.ok(!isGood('text/plain', bytes), `${byte} at ${at}`);
        assert.ok(!isGood('text/plain', bytes, [5]), `${byte} at ${at}, in pieces`);
      }
    }
  }
});

test('a character cut off is no text at the end of a file, and no harm at the end of its first bytes', () => {
  const bytes = Buffer.from('Preis: 12 €').subarray(0, -1);
  assert.equal(textEncodingOf(bytes, false), 'utf-8');
  assert.equal(textEncodingOf(bytes, true), undefined);
  assert.ok(!isGood('text/plain', bytes));
});

test('UTF-16 is a text, by its mark or by its looks, but not with half a character', () => {
  for (const isBigEndian of [false, true]) {
    for (const hasMark of [false, true]) {
      const bytes = utf16('Hello, wörld\r\n🎉', { isBigEndian, hasMark });
      assert.equal(textEncodingOf(bytes, true), isBigEndian ? 'utf-16be' : 'utf-16le');
      assert.equal(textEncodingOf(bytes.subarray(0, -1), true), undefined);
      assert.equal(textEncodingOf(bytes.subarray(0, -2), true), undefined);
      const check = createTextCheck({ type: 'text/plain', head: bytes, isWhole: true });
      assert.ok(check !== undefined && [...bytes].every((byte) => check.write(Buffer.of(byte))) && check.end());
    }
  }
  assert.equal(textEncodingOf(Buffer.alloc(64), true), undefined);
});

test('JSON has to begin and end as JSON does', () => {
  for (const text of ['{}', ' [1, 2]\r\n', '"a"', 'true', 'false', 'null', '-1.5', '12e3', '\ufeff{"a":1}', '{"a":1}\n{"b":2}\n']) {
    assert.ok(isGood('application/json', Buffer.from(text)), text);
    assert.ok(isGood('application/json', Buffer.from(text), [1]), text);
  }
  for (const text of ['', ' ', '{', '{"a":1', '[1}', '<html>', 'hello', '}', 'nullx', "{'a':1};alert(1)"]) {
    assert.ok(!isGood('application/json', Buffer.from(text)), text);
    assert.ok(!isGood('application/json', Buffer.from(text), [1, 2]), text);
  }
});

test('what rests on a signature may go on in an encoding that is not known here', () => {
  assert.equal(createTextCheck({ type: 'application/pdf', head: Buffer.from('%PDF-1.4'), isWhole: false }), undefined);
  const xml = '<?xml version="1.0" encoding="ISO-8859-1"?>';
  assert.equal(createTextCheck({ type: 'application/xml', head: Buffer.from(xml), isWhole: false }), undefined);
  assert.equal(createTextCheck({ type: 'application/xml', head: Buffer.from(`${xml}<a>Zürich</a>`, 'latin1'), isWhole: false }), undefined);
  assert.notEqual(createTextCheck({ type: 'application/xml', head: Buffer.from('<a/>'), isWhole: false }), undefined);
});
