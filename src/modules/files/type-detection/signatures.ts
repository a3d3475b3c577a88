import { officeTypeOf } from './compound-file.ts';
import { hasMediaBoxes, mediaBrandType } from './media-boxes.ts';
import { plainType } from './type-names.ts';

// file-type is 200 KB of source, so it is loaded by the first file that is not text, not by the start.
let loading: Promise<typeof import('file-type')> | undefined;
const fileType = (): Promise<typeof import('file-type')> => (loading ??= import('file-type'));

const ascii = (head: Uint8Array, from: number, to: number): string =>
  Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1', from, to);

/** Formats in plain text. A text that only happens to begin like a binary format (`BM`, `MZ`, `MAC address`) is a text. */
const textSignatures: readonly (readonly [RegExp, string])[] = [
  [/^%PDF-\d/, 'application/pdf'],
  [/^\{\\rtf/, 'application/rtf'],
  [/^<\?xml\s/, 'application/xml'],
  [/^WEBVTT(\s|$)/, 'text/vtt'],
  [/^BEGIN:VCARD\s/i, 'text/vcard'],
  [/^BEGIN:VCALENDAR\s/i, 'text/calendar'],
  [/^%!PS-Adobe-[\d.]+ EPSF/, 'application/eps'],
  [/^%!PS/, 'application/postscript'],
  // A script written so that it is a picture too: as a picture it cannot run.
  [/^GIF8[79]a/, 'image/gif'],
];

/** The type that a text is by its first characters; undefined where it could be any. */
export const sniffText = (start: string): string | undefined => textSignatures.find(([pattern]) => pattern.test(start))?.[1];

interface Seen {
  readonly head: Uint8Array;
  readonly isWhole: boolean;
}

const view = (head: Uint8Array): DataView => new DataView(head.buffer, head.byteOffset, head.byteLength);

/** Where file-type is content with two or four bytes: what else must be true. A forged beginning must not make a type that is allowed. */
const furtherProofs = new Map<string, (seen: Seen) => boolean>([
  // BITMAPFILEHEADER: two reserved zeros, then where the pixels begin, then the size of one of the known headers.
  [
    'image/bmp',
    ({ head }) => head.length >= 26 && view(head).getUint32(6, true) === 0 && [12, 16, 40, 52, 56, 64, 108, 124].includes(head[14] ?? 0),
  ],
  ['image/gif', ({ head }) => /^GIF8[79]a/.test(ascii(head, 0, 6))],
  ['audio/aiff', ({ head }) => /^AIF[FC]$/.test(ascii(head, 8, 12))],
  ['audio/ape', ({ head }) => head.length >= 32 && view(head).getUint16(4, true) >= 3000 && view(head).getUint16(4, true) < 5000],
  ['application/pdf', ({ head }) => /^(\u00ef\u00bb\u00bf)?%PDF-\d/.test(ascii(head, 0, 9))],
  // ICONDIR: at least one picture, and its entry's reserved byte is zero.
  ['image/x-icon', ({ head }) => head.length >= 22 && view(head).getUint16(4, true) > 0 && head[9] === 0],
]);

const isMediaFile = (type: string, head: Uint8Array): boolean =>
  ascii(head, 4, 8) === 'ftyp' || (type === 'video/quicktime' && /^(free|mdat|moov|wide)$/.test(ascii(head, 4, 8)));

const detect = async (head: Uint8Array): Promise<string | undefined> => {
  const { fileTypeFromBuffer } = await fileType();
  try {
    return (await fileTypeFromBuffer(head))?.mime;
  } catch {
    // Bytes on which a parser stumbles are not of its format: they are what nothing else knows either.
    return undefined;
  }
};

/** The type that a signature says, by its kept name; undefined where there is none, or where it does not bear a second look. */
export const sniffBinary = async ({ head, isWhole }: Seen): Promise<string | undefined> => {
  // Not inflated to see what is inside: it is stored as it is.
  if (head[0] === 0x1f && head[1] === 0x8b && head[2] === 8) return 'application/gzip';
  const mime = await detect(head);
  if (mime === undefined) return undefined;
  const type = plainType(mime);
  if (isMediaFile(type, head)) return hasMediaBoxes({ head, isWhole }) ? mediaBrandType(type, head) : undefined;
  if (type === 'application/x-cfb') return officeTypeOf(head) ?? type;
  return (furtherProofs.get(type)?.({ head, isWhole }) ?? true) ? type : undefined;
};

/** Whether this type has a signature, so that bytes without it are not of it. */
export const hasSignature = async (type: string): Promise<boolean> => {
  const { supportedMimeTypes } = await fileType();
  return supportedMimeTypes.has(type) || [...supportedMimeTypes].some((mime) => plainType(mime) === type);
};
