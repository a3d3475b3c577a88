import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { contentDisposition } from './content-disposition.ts';

/** Reads the name as RFC 6266 §4.3 tells a client to: `filename*` before `filename`. */
const nameIn = (header: string): string => {
  const [, extended] = /; filename\*=UTF-8''(\S*)$/.exec(header) ?? [];
  if (extended !== undefined) return decodeURIComponent(extended);
  const [, quoted = ''] = /; filename="((?:[^"\\]|\\.)*)"$/.exec(header) ?? [];
  return quoted.replaceAll(/\\(.)/g, '$1');
};

test('a plain name stands as it is', () => {
  assert.equal(contentDisposition('attachment', 'report 2026.pdf'), 'attachment; filename="report 2026.pdf"');
  assert.equal(contentDisposition('inline', 'a"b\\c.txt'), 'inline; filename="a\\"b\\\\c.txt"');
});

test('RFC 8187: a name beyond ASCII stands exactly in filename*, with something readable for old clients', () => {
  assert.equal(
    contentDisposition('attachment', '€ rates.txt'),
    `attachment; filename="_ rates.txt"; filename*=UTF-8''%E2%82%AC%20rates.txt`,
  );
  assert.equal(contentDisposition('inline', "é'(1)*.txt"), `inline; filename="_'(1)*.txt"; filename*=UTF-8''%C3%A9%27%281%29%2A.txt`);
  assert.match(contentDisposition('inline', '😀.png'), /filename="_\.png"/);
});

test('a name that looks encoded is not decoded into another one', () => {
  assert.equal(contentDisposition('inline', 'a%41.txt'), `inline; filename="a%41.txt"; filename*=UTF-8''a%2541.txt`);
});

test('no name can end the line or begin a header', () => {
  for (const name of ['a\r\nset-cookie: x=1', 'a\n\nb', 'a\u0000b', 'a\u0085b', 'a\u2028b', '"; filename="evil.exe', 'a\tb\u007f']) {
    const header = contentDisposition('attachment', name);
    assert.match(header, /^[\x20-\x7e]+$/);
    assert.equal(nameIn(header), name);
  }
});

test('every name comes back exactly, and its header is printable ASCII', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('inline' as const, 'attachment' as const), (name, disposition) => {
      const header = contentDisposition(disposition, name);
      assert.match(
        header,
        /^(inline|attachment); filename="(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"(; filename\*=UTF-8''[!#$&+.^_`|~%\w-]*)?$/,
      );
      assert.equal(nameIn(header), name.toWellFormed());
    }),
  );
  assert.equal(nameIn(contentDisposition('inline', 'half \ud800')), 'half \ufffd');
});
