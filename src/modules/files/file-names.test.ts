import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Problem } from '../../foundation/problem.ts';
import { cleanName, nameKey } from './file-names.ts';

const refused = (raw: string): void =>
  assert.throws(
    () => cleanName(raw, { in: 'body', at: '/name' }),
    (error) =>
      error instanceof Problem &&
      error.kind === 'bad-request' &&
      error.extras.errors?.[0]?.at === '/name' &&
      error.extras.errors[0].in === 'body',
    JSON.stringify(raw.slice(0, 40)),
  );

test('a name is kept as it was typed, in any script', () => {
  for (const name of [
    'Ferien 2026.jpg',
    'Grüße.txt',
    '日本語.pdf',
    'مستند.docx',
    '👩‍👩‍👧.png',
    '.env',
    'a..b',
    ' lead and trail ',
    'it\'s; "quoted"',
    '100%.txt',
  ]) {
    assert.equal(cleanName(name), name);
  }
});

test('of a path only the last segment is kept', () => {
  const names = { '../../etc/passwd': 'passwd', '/a/b/c.txt': 'c.txt', 'C:\\fakepath\\photo.jpg': 'photo.jpg', 'a\\b/c\\d.txt': 'd.txt' };
  for (const [raw, name] of Object.entries(names)) assert.equal(cleanName(raw), name);
});

test('accents typed in one or in two characters make the same name', () => {
  assert.equal(cleanName('u\u0308ber.txt'), '\u00fcber.txt');
  assert.equal(nameKey('A\u030angstro\u0308m'), nameKey('\u00c5ngstr\u00f6m'));
  assert.notEqual(nameKey('A'), nameKey('a'));
});

test('a name with control characters is refused, wherever they stand', () => {
  for (const raw of ['a\0.png', 'a\r\nSet-Cookie: x', '\tname', 'name\x7f', 'a\u0085b', 'a\u2028b', 'a\0b/name.txt', '\x1b[2J'])
    refused(raw);
});

test('a name that reads otherwise than it is typed is refused; marks that right-to-left names need are kept', () => {
  for (const code of [0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069])
    refused(`invoice${String.fromCharCode(code)}gpj.exe`);
  assert.equal(cleanName('\u200fשלום\u200e.txt'), '\u200fשלום\u200e.txt');
});

test('a name of nothing, of dots, or that is broken Unicode is refused', () => {
  for (const raw of ['', '.', '..', '...', 'folder/', 'a/..', 'a\\.', '\ud800', 'a\udc00.txt']) refused(raw);
});

test('a name may have 255 characters, as people count them by their code points', () => {
  assert.equal(cleanName('𝄞'.repeat(255)), '𝄞'.repeat(255));
  assert.equal(cleanName('u\u0308'.repeat(255)).length, 255);
  assert.equal(cleanName(`${'x'.repeat(9_000)}/short`), 'short');
  for (const raw of ['a'.repeat(256), '𝄞'.repeat(256), 'a'.repeat(10_240)]) refused(raw);
});

test('whatever is sent, a name comes out that could be sent again, or a refusal', () => {
  const text = fc.string({
    unit: fc.oneof(fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }), fc.constantFrom('/', '\\', '.', 'ü', '\0', '\u202e')),
  });
  fc.assert(
    fc.property(text, (raw) => {
      let name: string;
      try {
        name = cleanName(raw);
      } catch (error) {
        return error instanceof Problem && error.kind === 'bad-request';
      }
      return cleanName(name) === name && nameKey(name) === name && !/[/\\\p{Cc}]/u.test(name) && [...name].length <= 255 && name !== '';
    }),
    { numRuns: 500 },
  );
});
