import { crc32, deflateSync } from 'node:zlib';

// Real bytes of real formats, made here, and some that lie about what they are. All are small enough to read in a hex dump.

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const pngSignature = Buffer.from('89504e470d0a1a0a', 'hex');

const pngChunk = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  return Buffer.concat([uint32(data.length), body, uint32(crc32(body))]);
};

/** IHDR of a picture with 8 bits of red, green and blue. */
const pngHeader = (width: number, height: number): Buffer =>
  pngChunk('IHDR', Buffer.concat([uint32(width), uint32(height), Buffer.from([8, 2, 0, 0, 0])]));

/** A picture that fades from red (left) to blue (right); decodable, with right checksums. */
export const png = ({ width = 16, height = 12 }: { width?: number; height?: number } = {}): Buffer => {
  const row = Buffer.alloc(1 + width * 3);
  for (let x = 0; x < width; x += 1) {
    const share = width === 1 ? 0 : x / (width - 1);
    row.set([Math.round(255 * (1 - share)), 40, Math.round(255 * share)], 1 + x * 3);
  }
  const rows = Buffer.concat(Array.from({ length: height }, () => row));
  return Buffer.concat([pngSignature, pngHeader(width, height), pngChunk('IDAT', deflateSync(rows)), pngChunk('IEND', Buffer.alloc(0))]);
};

/** A picture cut off in the middle, as a lost connection leaves it. */
export const brokenPng = (): Buffer => {
  const whole = png({ width: 64, height: 64 });
  return whole.subarray(0, Math.floor(whole.length / 2));
};

/** A few bytes that say they are a picture of 7.5 GB. */
export const imageBomb = ({ width = 50_000, height = 50_000 }: { width?: number; height?: number } = {}): Buffer =>
  Buffer.concat([
    pngSignature,
    pngHeader(width, height),
    pngChunk('IDAT', deflateSync(Buffer.alloc(100_000))),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);

/** 12 × 8 pixels, left half red, right half blue, that EXIF says to turn by 90° (orientation 6): shown, it is 8 × 12 and red above. */
const exifJpegText = [
  '/9j/4QC8RXhpZgAASUkqAAgAAAAGABIBAwABAAAABgAAABoBBQABAAAAVgAAABsBBQABAAAAXgAAACgBAwABAAAAAgAAABMCAwABAAAAAQAAAG',
  'mHBAABAAAAZgAAAAAAAAA4YwAA6AMAADhjAADoAwAABgAAkAcABAAAADAyMTABkQcABAAAAAECAwAAoAcABAAAADAxMDABoAMAAQAAAP//AAAC',
  'oAQAAQAAAAwAAAADoAQAAQAAAAgAAAAAAAAA/9sAQwANCQoLCggNCwoLDg4NDxMgFRMSEhMnHB4XIC4pMTAuKS0sMzpKPjM2RjcsLUBXQUZMTl',
  'JTUjI+WmFaUGBKUVJP/9sAQwEODg4TERMmFRUmTzUtNU9PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09P',
  '/8AAEQgACAAMAwERAAIRAQMRAf/EABQAAQAAAAAAAAAAAAAAAAAAAAX/xAAhEAAAAQ0AAAAAAAAAAAAAAAAAAgQFFSMkQlFhY3Gi4f/EABYBAQ',
  'EBAAAAAAAAAAAAAAAAAAYEBf/EAB4RAAEBCQAAAAAAAAAAAAAAAAABAgQFFCEkUWGx/9oADAMBAAIRAxEAPwA47RTsW3lBXInhDzeMUzxTcir3',
  'aN0x1A1VX9OhrM6B03o//9k=',
].join('');
export const exifJpeg = (): Buffer => Buffer.from(exifJpegText, 'base64');

/** One red pixel. */
export const gif = (): Buffer =>
  Buffer.concat([
    Buffer.from('GIF89a', 'latin1'),
    Buffer.from([1, 0, 1, 0, 0x80, 0, 0, 0xff, 0, 0, 0, 0, 0]),
    Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0]),
    Buffer.from([2, 2, 0x44, 1, 0, 0x3b]),
  ]);

/** A picture (its width is the beginning of a comment) that is a valid script as well. */
export const gifWithScript = (): Buffer => {
  const picture = gif();
  picture.write('/*', 6, 'latin1');
  return Buffer.concat([picture, Buffer.from('*/=1;alert(document.domain);//', 'latin1')]);
};

const box = (type: string, ...parts: readonly Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  return Buffer.concat([uint32(8 + content.length), Buffer.from(type, 'latin1'), content]);
};

/** Film of no length: `ftyp` at offset 4, then `moov` with its header, then `mdat` with `bytes` bytes. */
export const mp4 = ({ bytes = 64 }: { bytes?: number } = {}): Buffer => {
  const header = Buffer.alloc(100);
  header.writeUInt32BE(1000, 12); // a thousand units a second
  header.writeUInt32BE(0x00010000, 20); // at its own speed
  header.writeUInt16BE(0x0100, 24); // at its own volume
  for (const [at, value] of [
    [36, 0x00010000],
    [52, 0x00010000],
    [68, 0x40000000],
    [96, 1],
  ] as const)
    header.writeUInt32BE(value, at);
  return Buffer.concat([
    box('ftyp', Buffer.from('isom', 'latin1'), uint32(0x200), Buffer.from('isomiso2avc1mp41', 'latin1')),
    box('moov', box('mvhd', header)),
    box('mdat', Buffer.alloc(bytes, 0x5a)),
  ]);
};

/** The letters of an MP4 without its boxes. */
export const forgedMp4 = (): Buffer =>
  Buffer.concat([
    uint32(24),
    Buffer.from('ftypisomXXXX', 'latin1'),
    Buffer.alloc(200, 0x07),
    Buffer.from('<script>alert(1)</script>', 'latin1'),
  ]);

const pdfObjects = (title: string): readonly string[] => {
  const drawing = `BT /F1 18 Tf 20 50 Td (${title}) Tj ET`;
  return [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 100] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>',
    `<< /Length ${drawing.length} >>\nstream\n${drawing}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
  ];
};

/** One page with one line; the table of its objects is right. `title` in ASCII, without brackets. */
export const pdf = ({ title = 'A page', note = '' }: { title?: string; note?: string } = {}): Buffer => {
  let text = `%PDF-1.4\n${note}`;
  const offsets: number[] = [];
  for (const [index, object] of pdfObjects(title).entries()) {
    offsets.push(text.length);
    text += `${index + 1} 0 obj\n${object}\nendobj\n`;
  }
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  const end = `trailer\n<< /Size ${offsets.length + 1} /Root 1 0 R >>\nstartxref\n${text.length}\n%%EOF\n`;
  return Buffer.from(`${text}xref\n0 ${offsets.length + 1}\n0000000000 65535 f \n${table}${end}`, 'latin1');
};

/** A page of PDF that a browser would run as HTML, were it told so. */
export const pdfWithHtml = (): Buffer => pdf({ note: '%<html><body><script>alert(document.domain)</script></body></html>\n' });

/** Text without a byte order mark, in more than one script. */
export const utf8Text = (): Buffer => Buffer.from('Grüße aus Zürich,\nΚαλημέρα κόσμε,\n日本語のテキスト 🎉\n', 'utf8');

export const csv = (): Buffer => Buffer.from('Name;Größe\r\nÄpfel;12\r\n"Birnen; rot";7\r\n', 'utf8');

export const json = (): Buffer => Buffer.from('{\n  "title": "Straße",\n  "pages": [1, 2, 3]\n}\n', 'utf8');

export const html = (): Buffer => Buffer.from('<!doctype html>\n<title>Hello</title>\n<script>alert(document.domain)</script>\n', 'utf8');

/** A drawing that carries a script. */
export const svg = ({ isDeclared = true }: { isDeclared?: boolean } = {}): Buffer =>
  Buffer.from(
    `${isDeclared ? '<?xml version="1.0" encoding="UTF-8"?>\n' : ''}<!-- made by hand -->\n` +
      '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><script>alert(document.domain)</script><circle r="4"/></svg>\n',
    'utf8',
  );

/** The header of a program for Linux on x86-64, and nothing to run. */
export const executable = (): Buffer => {
  const header = Buffer.alloc(120);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  header.writeUInt16LE(2, 16); // may be executed
  header.writeUInt16LE(0x3e, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeUInt16LE(64, 52); // bytes of this header
  return header;
};

const uint16Le = (...values: readonly number[]): Buffer => Buffer.from(values.flatMap((value) => [value & 0xff, value >> 8]));
const uint32Le = (...values: readonly number[]): Buffer => Buffer.concat(values.map((value) => uint32(value).reverse()));

/** An archive of these entries, stored (APPNOTE 4.3): local headers with right checksums, central directory, end. */
export const zip = (
  entries: Readonly<Record<string, string | Buffer>> = { 'hello.txt': 'Hello\n', 'folder/notes.txt': 'Notes\n' },
): Buffer => {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, content] of Object.entries(entries)) {
    const name = Buffer.from(path, 'utf8');
    const data = Buffer.from(content);
    // Version, flags (names in UTF-8), method (stored), time, date (the first of January 1980), then the sums.
    const common = Buffer.concat([
      uint16Le(20, 0x0800, 0, 0, 0x21),
      uint32Le(crc32(data), data.length, data.length),
      uint16Le(name.length, 0),
    ]);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), common, name, data]);
    directory.push(Buffer.from('PK\x01\x02', 'latin1'), uint16Le(20), common, uint16Le(0, 0, 0), uint32Le(0, offset), name);
    locals.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const count = locals.length;
  const end = Buffer.concat([uint16Le(0, 0, count, count), uint32Le(central.length, offset), uint16Le(0)]);
  return Buffer.concat([...locals, central, Buffer.from('PK\x05\x06', 'latin1'), end]);
};

const xmlHead = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const openXml = 'http://schemas.openxmlformats.org';
const wordMain = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml';

/** A document of one paragraph that Word opens. */
export const docx = ({ text = 'Grüße' }: { text?: string } = {}): Buffer =>
  zip({
    '[Content_Types].xml':
      `${xmlHead}<Types xmlns="${openXml}/package/2006/content-types">` +
      '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
      `<Override PartName="/word/document.xml" ContentType="${wordMain}"/></Types>`,
    '_rels/.rels':
      `${xmlHead}<Relationships xmlns="${openXml}/package/2006/relationships"><Relationship Id="rId1" ` +
      `Type="${openXml}/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
    'word/document.xml':
      `${xmlHead}<w:document xmlns:w="${openXml}/wordprocessingml/2006/main">` +
      `<w:body><w:p><w:r><w:t>${text}</w:t></w:r></w:p></w:body></w:document>`,
  });

/** The container of Word, Excel and PowerPoint up to 2003 with one stream of this name, directory in its first sector. */
export const compoundFile = (stream = 'WordDocument'): Buffer => {
  const file = Buffer.alloc(512 * 4, 0xff);
  file.fill(0, 0, 76);
  file.set(Buffer.from('d0cf11e0a1b11ae1', 'hex'));
  file.write('3e000300feff09000600', 24, 'hex'); // versions, little-endian, sectors of 512 and 64 bytes
  file.writeUInt32LE(1, 44); // one sector of the allocation table: sector 1
  file.writeUInt32LE(0, 48); // the directory: sector 0
  file.writeUInt32LE(4096, 56);
  file.writeUInt32LE(1, 76);
  file.fill(0, 512, 1024);
  for (const [index, name] of ['Root Entry', stream].entries()) {
    const at = 512 + index * 128;
    file.write(name, at, 'utf16le');
    file.writeUInt16LE((name.length + 1) * 2, at + 64);
    file[at + 66] = index === 0 ? 5 : 2; // the root, a stream
  }
  file.writeInt32LE(-2, 1024); // the directory is one sector long
  file.writeInt32LE(-3, 1028); // the table itself
  return file;
};
