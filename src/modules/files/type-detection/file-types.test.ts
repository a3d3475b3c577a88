import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import * as samples from '../../../../tests/support/sample-files.ts';
import { defaultFileTypes } from '../../../config/default-file-types.ts';
import { Problem } from '../../../foundation/problem.ts';
import { isAllowed, isInlineType, judgeType } from './file-types.ts';

const judge = (bytes: Uint8Array, declared?: string, isWhole = true): Promise<string> => judgeType(bytes, { isWhole, declared });
const refused = (bytes: Uint8Array, declared: string, isWhole = true): Promise<void> =>
  assert.rejects(
    judge(bytes, declared, isWhole),
    (error) => error instanceof Problem && error.kind === 'unsupported-type' && error.message.includes('declared'),
    declared,
  );

const docxType = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
const xlsxType = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');
const webm = Buffer.from('1a45dfa39f4286810142f7810142f2810442f381084282847765626d42878104428581020000', 'hex');
const ogg = Buffer.concat([latin1('OggS\0\x02'), Buffer.alloc(22), latin1('OpusHead'), Buffer.alloc(20)]);
const wav = Buffer.concat([latin1('RIFF\x24\0\0\0WAVEfmt '), Buffer.alloc(24)]);
const mp3 = Buffer.concat([latin1('ID3\x04\0\0\0\0\0\x0a'), Buffer.alloc(10), Buffer.from('fffb9064', 'hex'), Buffer.alloc(400)]);
const box = (type: string, content: Buffer): Buffer => {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(8 + content.length);
  return Buffer.concat([size, latin1(type), content]);
};
const media = (brands: string): Buffer => Buffer.concat([box('ftyp', latin1(brands)), box('meta', Buffer.alloc(40))]);

test('real files are what they are, declared or not', async () => {
  const real: readonly (readonly [Buffer, string, ...string[]])[] = [
    [samples.png(), 'image/png', 'image/x-png'],
    [samples.exifJpeg(), 'image/jpeg', 'image/jpg', 'image/pjpeg', 'IMAGE/JPEG; q=1'],
    [samples.gif(), 'image/gif'],
    [samples.mp4(), 'video/mp4', 'video/x-m4v', 'application/mp4', 'video/quicktime'],
    [media('M4A \0\0\0\0M4A mp42'), 'audio/mp4', 'audio/x-m4a', 'audio/m4a', 'video/mp4'],
    [media('qt  \x20\x05\x03\0qt  \0\0\0\0'), 'video/quicktime', 'video/mp4'],
    [media('heic\0\0\0\0mif1heic'), 'image/heic', 'image/heif'],
    [media('mif1\0\0\0\0mif1heic'), 'image/heic', 'image/heif'],
    [media('mif1\0\0\0\0mif1avifmiaf'), 'image/avif'],
    [Buffer.concat([box('wide', Buffer.alloc(0)), box('mdat', Buffer.alloc(40, 7))]), 'video/quicktime'],
    [webm, 'video/webm', 'audio/webm'],
    [ogg, 'audio/ogg', 'audio/opus', 'application/ogg'],
    [wav, 'audio/wav', 'audio/x-wav', 'audio/wave'],
    [mp3, 'audio/mpeg', 'audio/mp3'],
    [samples.pdf(), 'application/pdf', 'application/x-pdf'],
    [Buffer.concat([samples.pdf(), Buffer.from([0, 0xff])]), 'application/pdf'],
    [samples.docx(), docxType, 'application/zip', 'application/msword'],
    [samples.zip(), 'application/zip', 'application/x-zip-compressed', 'application/vnd.google-earth.kmz'],
    [samples.zip({ mimetype: 'application/epub+zip' }), 'application/epub+zip', 'application/zip'],
    [samples.zip({ 'META-INF/MANIFEST.MF': 'a' }), 'application/java-archive', 'application/zip'],
    [samples.compoundFile('WordDocument'), 'application/msword'],
    [samples.compoundFile('Workbook'), 'application/vnd.ms-excel'],
    [samples.compoundFile('PowerPoint Document'), 'application/vnd.ms-powerpoint'],
    [gzipSync('text'), 'application/gzip', 'application/x-gzip', 'application/x-tgz'],
    [latin1('{\\rtf1\\ansi Hello}'), 'application/rtf', 'text/rtf'],
    [samples.executable(), 'application/x-elf', 'application/x-executable'],
  ];
  for (const [bytes, type, ...aliases] of real) {
    for (const declared of [undefined, '', 'application/octet-stream', 'application/x-www-form-urlencoded', 'nonsense', type, ...aliases]) {
      assert.equal(await judge(bytes, declared), type, `${type} declared as ${declared}`);
    }
  }
});

test('a text is the text it was declared to be, and plain text where nothing was declared', async () => {
  const texts: readonly (readonly [Buffer, string])[] = [
    [samples.utf8Text(), 'text/plain'],
    [samples.csv(), 'text/csv'],
    [samples.json(), 'application/json'],
    [samples.html(), 'text/html'],
    [samples.utf8Text(), 'text/markdown'],
    [Buffer.from('\ufeffmit Marke\n'), 'text/plain'],
    [Buffer.from('\ufeffUTF-16\n', 'utf16le'), 'text/plain'],
    [Buffer.from('Hello in UTF-16\n', 'utf16le').swap16(), 'text/plain'],
  ];
  for (const [bytes, declared] of texts) {
    assert.equal(await judge(bytes, declared), declared);
    assert.equal(await judge(bytes, `${declared}; charset=utf-8`), declared);
    assert.equal(await judge(bytes), 'text/plain');
    assert.equal(await judge(bytes, 'application/octet-stream'), 'text/plain');
  }
  assert.equal(await judge(latin1('const a = 1;'), 'application/javascript'), 'text/javascript');
  assert.equal(await judge(latin1('a: 1\n'), 'application/yaml'), 'text/plain');
});

test('what other programs misname is taken: a CSV as Excel, TypeScript as a transport stream', async () => {
  assert.equal(await judge(samples.csv(), 'application/vnd.ms-excel'), 'text/csv');
  assert.equal(await judge(latin1('export const a = 1;\n'), 'video/mp2t'), 'text/plain');
});

test('a text that begins like a binary format by chance is a text', async () => {
  for (const begin of [
    'BMW is a car',
    'MZ is short',
    'MAC address,Vendor',
    'The wide world',
    'FORM 27',
    'GIFts',
    'solid ground',
    'ID3 tags',
    '%!TEX root',
    'BZh',
  ]) {
    assert.equal(await judge(latin1(`${begin}\n${'and so on '.repeat(40)}`)), 'text/plain', begin);
  }
  assert.equal(await judge(latin1('G'.repeat(600))), 'text/plain');
});

test('text formats with a signature are known by it', async () => {
  assert.equal(await judge(latin1('BEGIN:VCARD\r\nVERSION:4.0\r\n'), 'text/x-vcard'), 'text/vcard');
  assert.equal(await judge(latin1('BEGIN:VCALENDAR\r\n'), 'text/plain'), 'text/calendar');
  assert.equal(await judge(latin1('WEBVTT\n\n'), 'text/vtt'), 'text/vtt');
  assert.equal(await judge(latin1('<?xml version="1.0"?><feed/>')), 'application/xml');
  assert.equal(await judge(latin1('<?xml version="1.0"?><feed/>'), 'text/xml'), 'application/xml');
  assert.equal(await judge(latin1('<feed/>'), 'application/xml'), 'application/xml');
  assert.equal(await judge(latin1('<?xml version="1.0" encoding="ISO-8859-1"?><a>\xe4</a>'), 'text/xml'), 'application/xml');
});

test('an SVG is known by its root element, with or without a declaration of XML', async () => {
  for (const isDeclared of [true, false]) {
    assert.equal(await judge(samples.svg({ isDeclared }), 'image/svg+xml'), 'image/svg+xml');
    assert.equal(await judge(samples.svg({ isDeclared })), 'image/svg+xml');
    assert.equal(await judge(samples.svg({ isDeclared }), 'text/plain'), 'text/plain');
  }
  const prolog = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd" [<!ENTITY ns "a>b">]>';
  assert.equal(
    await judge(latin1(`<?xml version="1.0"?>${prolog}<x:svg xmlns:x="http://www.w3.org/2000/svg"/>`), 'image/svg+xml'),
    'image/svg+xml',
  );
  await refused(latin1('<!-- <svg> --><html></html>'), 'image/svg+xml');
  await refused(samples.utf8Text(), 'image/svg+xml');
});

test('a declaration that the bytes contradict is refused', async () => {
  await refused(samples.executable(), 'image/png');
  await refused(samples.png(), 'image/jpeg');
  await refused(samples.png(), 'text/plain');
  await refused(samples.png(), 'application/x-unheard-of');
  await refused(samples.utf8Text(), 'image/png');
  await refused(samples.utf8Text(), 'application/pdf');
  await refused(samples.utf8Text(), 'application/json');
  await refused(latin1('{"cut": '), 'application/json');
  await refused(latin1('Gr\xfc\xdfe'), 'text/plain');
  await refused(Buffer.alloc(100), 'text/csv');
  await refused(Buffer.alloc(100), 'video/mp4');
  await refused(samples.pdfWithHtml(), 'text/html');
  await refused(samples.gifWithScript(), 'text/javascript');
  await refused(samples.zip(), docxType);
  await refused(samples.docx(), xlsxType);
  await refused(samples.docx(), 'application/vnd.ms-excel');
  await refused(samples.docx(), 'application/epub+zip');
  await refused(samples.forgedMp4(), 'video/mp4');
  await refused(samples.compoundFile('Workbook'), 'application/msword');
});

test('a file of two natures is what its signature says', async () => {
  assert.equal(await judge(samples.pdfWithHtml()), 'application/pdf');
  assert.equal(await judge(samples.gifWithScript()), 'image/gif');
  assert.equal(await judge(latin1('GIF89a=1;alert(1)')), 'image/gif');
});

test('four letters make no film: its boxes have to hang together', async () => {
  const whole = samples.mp4();
  const forged = [
    samples.forgedMp4(),
    latin1('\0\0\0\x18ftypisomXXXX'),
    Buffer.concat([latin1('\0\0\0\x18ftypisom\0\0\x02\0isomXXXX'), Buffer.alloc(300, 1)]),
    Buffer.concat([latin1('\xff\xff\xff\xffftypisom'), Buffer.alloc(300, 1)]),
    Buffer.concat([latin1('\0\0\0\x11ftypisom\0\0\x02\0isom'), Buffer.alloc(300, 1)]),
    Buffer.concat([latin1('\0\0\0\x14ftypXXXX\0\0\0\0YYYY'), whole.subarray(32)]),
    Buffer.concat([latin1('\0\0\0\x01mdat'), Buffer.alloc(300, 0xff)]),
    Buffer.concat([latin1('\0\0\0\x09free\0'), Buffer.alloc(300, 1)]),
  ];
  for (const bytes of forged) assert.equal(await judge(bytes), 'application/octet-stream', bytes.subarray(0, 24).toString('latin1'));
  assert.equal(await judge(whole.subarray(0, 100), undefined, false), 'video/mp4');
  await refused(latin1('ftypisomXXXX'), 'video/mp4'); // plain text, whatever it says
});

test('a forged beginning makes no picture and no sound', async () => {
  for (const begin of ['BM\0\x01', 'GIF00', 'FORM\0\0\0\0ILBM', 'MAC \0\0', '%PDF\0', '\0\0\x01\0\0\0']) {
    assert.equal(await judge(Buffer.concat([latin1(begin), Buffer.alloc(200, 2)])), 'application/octet-stream', begin);
  }
});

test('the first bytes of a large file are enough', async () => {
  const document = samples.docx({ text: 'x'.repeat(100_000) });
  assert.equal(await judge(document.subarray(0, 65_536), docxType, false), docxType);
  const reversed = samples.zip({ 'word/document.xml': 'x'.repeat(100_000), '[Content_Types].xml': '<Types/>' });
  assert.equal(await judge(reversed.subarray(0, 65_536), docxType, false), docxType);
  const text = Buffer.from('ü'.repeat(50_000));
  assert.equal(await judge(text.subarray(0, 65_535), 'text/plain', false), 'text/plain');
  // The directory of an old document lies at its end.
  const old = Buffer.concat([samples.compoundFile().subarray(0, 512), Buffer.alloc(65_024, 1)]);
  old.writeUInt32LE(4000, 48);
  assert.equal(await judge(old, 'application/msword', false), 'application/msword');
  assert.equal(await judge(old, undefined, false), 'application/x-cfb');
});

test('whatever bytes come, they are judged or refused', async () => {
  const begins = Object.values(samples).map((make) => make());
  const bytes = fc
    .tuple(fc.constantFrom(Buffer.alloc(0), ...begins), fc.nat({ max: 120 }), fc.uint8Array({ maxLength: 80 }), fc.boolean())
    .map(([begin, cut, rest, isWhole]) => ({ head: Buffer.concat([begin.subarray(0, cut), rest]), isWhole }));
  const declared = fc.constantFrom(undefined, 'text/plain', 'application/json', 'image/svg+xml', 'video/mp4', docxType, 'application/xml');
  await fc.assert(
    fc.asyncProperty(bytes, declared, async ({ head, isWhole }, type) => {
      const outcome = await judgeType(head, { isWhole, declared: type }).catch((error: unknown) => error);
      return typeof outcome === 'string' ? /^[a-z]+\/[a-z0-9.+-]+$/.test(outcome) : outcome instanceof Problem;
    }),
    { numRuns: 1500 },
  );
});

test('a hostile beginning of a drawing is judged quickly', async () => {
  for (const part of ['<!--', '<?', '<!DOCTYPE ', '<!DOCTYPE a [', ' ', '<a', '"', "'", '<!-- -->', '<??>']) {
    const begin = Date.now();
    await judge(Buffer.from(`<!DOCTYPE x ${part.repeat(65_000 / part.length)}`), undefined, false);
    await judge(Buffer.from(`<${part.repeat(65_000 / part.length)}`), undefined, false);
    assert.ok(Date.now() - begin < 1000, part);
  }
});

test('what people look at, listen to, read and pack is taken; programs and the unknown are not', () => {
  for (const type of [
    'image/jpeg',
    'image/svg+xml',
    'video/mp4',
    'audio/mpeg',
    'text/html',
    'text/csv',
    'application/json',
    docxType,
    'application/zip',
  ]) {
    assert.ok(isAllowed(type, defaultFileTypes), type);
  }
  for (const type of [
    'application/octet-stream',
    'application/x-elf',
    'application/x-msdownload',
    'application/java-archive',
    'application/wasm',
    'font/ttf',
  ]) {
    assert.ok(!isAllowed(type, defaultFileTypes), type);
  }
});

test('a list of allowed types may name patterns, and types by any of their names', () => {
  assert.ok(isAllowed('image/png', ['image/*']));
  assert.ok(!isAllowed('video/png', ['image/*']));
  assert.ok(isAllowed('image/jpeg', ['image/jpg']));
  assert.ok(isAllowed('application/octet-stream', ['*/*']));
  assert.ok(!isAllowed('image/png', []));
});

test('what can carry a script is never shown inline', () => {
  for (const type of [
    'text/html',
    'image/svg+xml',
    'application/xml',
    'application/xhtml+xml',
    'text/javascript',
    'text/css',
    'application/octet-stream',
  ]) {
    assert.ok(!isInlineType(type), type);
  }
  for (const type of ['image/png', 'video/mp4', 'audio/mpeg', 'application/pdf', 'text/plain']) assert.ok(isInlineType(type), type);
});
