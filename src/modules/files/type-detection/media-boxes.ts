// The boxes of MP4, QuickTime, HEIC and AVIF (ISO/IEC 14496-12 §4.2, §4.3): size, type, content.

interface Box {
  readonly size: number;
  readonly type: string;
}

const bytesOf = (head: Uint8Array): Buffer => Buffer.from(head.buffer, head.byteOffset, head.byteLength);
/** Letters, digits, spaces and signs, as all registered types and brands are; QuickTime's own begin with ©. */
const isCode = (text: string): boolean => /^[\xa9\x20-\x7e]{4}$/.test(text);

/** How the brands begin that files in the wild carry, of those that the MP4 registration authority lists. */
const knownBrand = new RegExp(
  `^(${[
    'iso[m2-9abc]|avc1|av01|mp4\\d|mp71|M4[ABPV]|F4[ABPV]|qt {2}|3g|mmp4|MSNV|nd[cxs]|dby1|iph|XAVC|CAEP|kddi|isml|caqv',
    'miaf|mif[12]|msf1|MiH|hei[cmsx]|hev[cmsx]|avi[fs]|crx |jp|mjp2',
    'dash|dsms|cmf|cmaf|ccff|piff|msdh|msix|hlsf|emsg',
  ].join('|')})`,
);

const boxAt = (bytes: Buffer, at: number): Box | undefined => {
  if (at + 8 > bytes.length) return undefined;
  const size = bytes.readUInt32BE(at);
  const type = bytes.toString('latin1', at + 4, at + 8);
  // 0 goes on to the end of the file, 1 has its size in 64 bits behind the type.
  if (size === 1) return at + 16 > bytes.length ? { size, type } : { size: Number(bytes.readBigUInt64BE(at + 8)), type };
  return { size, type };
};

const longestFileTypeBox = 4096;

const brandsOf = (bytes: Buffer): string[] => {
  const { size = 0 } = boxAt(bytes, 0) ?? {};
  const brands = [bytes.toString('latin1', 8, 12)];
  for (let at = 16; at + 4 <= Math.min(size, longestFileTypeBox, bytes.length); at += 4) brands.push(bytes.toString('latin1', at, at + 4));
  return brands;
};

/** The box that a file may begin with, so that a size and four letters alone make no film. */
const isGoodFileType = (bytes: Buffer, size: number): boolean => {
  if (size < 16 || size > longestFileTypeBox || size % 4 !== 0 || size > bytes.length) return false;
  const brands = brandsOf(bytes);
  // Some cameras fill the list up with zeros.
  return (
    brands.every((brand) => isCode(brand) || brand === '\0\0\0\0') &&
    isCode(brands[0] ?? '') &&
    brands.some((brand) => knownBrand.test(brand))
  );
};

/** Whether the file begins with boxes that hang together: the first as its type demands, behind it the beginning of another or the end. */
export const hasMediaBoxes = ({ head, isWhole }: { head: Uint8Array; isWhole: boolean }): boolean => {
  const bytes = bytesOf(head);
  const first = boxAt(bytes, 0);
  if (first === undefined) return false;
  if (first.type === 'ftyp' ? !isGoodFileType(bytes, first.size) : first.size !== 0 && first.size < 8) return false;
  if (first.size === 0 || (first.size >= bytes.length && !isWhole)) return true;
  if (first.size > bytes.length) return false;
  if (first.size === bytes.length) return true;
  const second = boxAt(bytes, first.size);
  if (second === undefined) return !isWhole;
  return isCode(second.type) && (second.size === 0 || second.size >= 8 || (second.size === 1 && !isWhole));
};

/** Pictures whose first brand names only the container (MIAF): the others say what is in it. */
export const mediaBrandType = (type: string, head: Uint8Array): string => {
  if (type !== 'image/heif' && type !== 'image/heif-sequence') return type;
  const brands = brandsOf(bytesOf(head));
  if (brands.includes('avif') || brands.includes('avis')) return 'image/avif';
  return type === 'image/heif' && brands.some((brand) => /^hei[cx]$/.test(brand)) ? 'image/heic' : type;
};
