import { isUtf8 } from 'node:buffer';
import { sniffText } from './signatures.ts';

/** How a text is written down. Other encodings (Latin-1, Shift-JIS) cannot be told from bytes that are no text at all. */
export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be';

/** Looks at a whole stream, piece by piece, and keeps a few bytes of it at most. */
export interface TextCheck {
  /** Takes the next bytes; false once it cannot come out well any more. */
  write(chunk: Uint8Array): boolean;
  /** Whether all of it was text (and had the form that its type asks for). */
  end(): boolean;
}

/**
 * The "binary data bytes" of the WHATWG MIME Sniffing Standard (§3). A text has tabs, line ends, form feeds and escapes (logs with
 * colours), and nothing else below a space; above all no NUL.
 */
const isBinaryUnit = (unit: number): boolean => unit < 0x20 && !/[\t\n\f\r\x1b]/.test(String.fromCharCode(unit));
const binaryBytes = Uint8Array.from({ length: 256 }, (_, byte) => (isBinaryUnit(byte) ? 1 : 0));

const hasBinaryByteIn = (bytes: Uint8Array, from: number, to: number): boolean => {
  for (let index = from; index < to; index += 1) if (binaryBytes[bytes[index] ?? 0] === 1) return true;
  return false;
};

/** Four bytes at once, one by one only where one of them is below a space: eight times as fast, so that a text costs less than its hash. */
const hasBinaryByte = (bytes: Uint8Array): boolean => {
  const begin = (4 - (bytes.byteOffset % 4)) % 4;
  if (bytes.length < begin + 4) return hasBinaryByteIn(bytes, 0, bytes.length);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + begin, (bytes.length - begin) >> 2);
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? 0;
    const isAnyBelowSpace = ((word - 0x20202020) & ~word & 0x80808080) !== 0;
    if (isAnyBelowSpace && hasBinaryByteIn(bytes, begin + index * 4, begin + index * 4 + 4)) return true;
  }
  return hasBinaryByteIn(bytes, 0, begin) || hasBinaryByteIn(bytes, begin + words.length * 4, bytes.length);
};

/** How long the character is that begins with this byte (RFC 3629 §3). */
const characterBytes = (first: number): number => (first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1);

/** How many bytes at the end begin a character that goes on in the next piece: 0 to 3. */
const unfinishedBytes = (bytes: Uint8Array): number => {
  for (let back = 1; back <= 3; back += 1) {
    const byte = bytes[bytes.length - back];
    if (byte === undefined || byte < 0x80) return 0;
    if (byte >= 0xc0) return characterBytes(byte) > back ? back : 0;
  }
  return 0;
};

const createUtf8Check = (): TextCheck => {
  let unfinished = Buffer.alloc(0);
  let isText = true;
  return {
    write(chunk) {
      if (!isText) return false;
      let rest = chunk;
      const [first] = unfinished;
      if (first !== undefined) {
        const missing = characterBytes(first) - unfinished.length;
        unfinished = Buffer.concat([unfinished, chunk.subarray(0, missing)]);
        if (chunk.length < missing) {
          isText = !hasBinaryByte(chunk);
          return isText;
        }
        isText = isUtf8(unfinished);
        rest = chunk.subarray(missing);
      }
      const whole = rest.length - unfinishedBytes(rest);
      isText &&= isUtf8(rest.subarray(0, whole)) && !hasBinaryByte(chunk);
      unfinished = Buffer.from(rest.subarray(whole));
      return isText;
    },
    end: () => isText && unfinished.length === 0,
  };
};

const createUtf16Check = (isBigEndian: boolean): TextCheck => {
  let odd: number | undefined;
  let waitsForLowSurrogate = false;
  let isText = true;
  const take = (unit: number): boolean => {
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    if (isLow !== waitsForLowSurrogate) return false;
    waitsForLowSurrogate = unit >= 0xd800 && unit <= 0xdbff;
    return unit >= 0x20 || binaryBytes[unit] === 0;
  };
  return {
    write(chunk) {
      for (let index = 0; index < chunk.length && isText; index += 1) {
        const byte = chunk[index] ?? 0;
        if (odd === undefined) {
          odd = byte;
          continue;
        }
        isText = take(isBigEndian ? odd * 256 + byte : byte * 256 + odd);
        odd = undefined;
      }
      return isText;
    },
    end: () => isText && odd === undefined && !waitsForLowSurrogate,
  };
};

const isJsonSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
/** The bytes of a byte order mark, which RFC 8259 §8.1 lets readers ignore. */
const isMark = (byte: number): boolean => byte === 0xef || byte === 0xbb || byte === 0xbf;

/** Whether a JSON text can begin and end so (RFC 8259 §2); what is between is judged by those who read it. */
const createJsonCheck = (): TextCheck => {
  let first = '';
  let last = '';
  const canBegin = (): boolean => first === '' || '{["-0123456789tfn'.includes(first);
  return {
    write(chunk) {
      if (first === '') first = String.fromCharCode(chunk.find((byte) => !isJsonSpace(byte) && !isMark(byte)) ?? 0).replace('\0', '');
      last = String.fromCharCode(chunk.findLast((byte) => !isJsonSpace(byte)) ?? 0).replace('\0', '') || last;
      return canBegin();
    },
    end() {
      if (first === '' || !canBegin()) return false;
      if (first === '{') return last === '}';
      if (first === '[') return last === ']';
      if (first === '"') return last === '"';
      return /[tf]/.test(first) ? last === 'e' : first === 'n' ? last === 'l' : /\d/.test(last);
    },
  };
};

const both = (one: TextCheck, other: TextCheck): TextCheck => ({
  write(chunk) {
    const isOne = one.write(chunk);
    return other.write(chunk) && isOne;
  },
  end: () => one.end() && other.end(),
});

const createEncodingCheck = (encoding: TextEncoding): TextCheck =>
  encoding === 'utf-8' ? createUtf8Check() : createUtf16Check(encoding === 'utf-16be');

/** Whether the bytes are text in this encoding. Where they are not the whole file, its last character may be cut off. */
const isTextIn = (encoding: TextEncoding, bytes: Uint8Array, isWhole: boolean): boolean => {
  const check = createEncodingCheck(encoding);
  return check.write(bytes) && (!isWhole || check.end());
};

/**
 * UTF-16 without a byte order mark, as far as it can be known: at least half of the high bytes are zero (letters of Latin scripts, digits,
 * spaces, line ends), and no low byte is.
 */
const guessUtf16 = (head: Uint8Array): TextEncoding | undefined => {
  const looked = head.subarray(0, 4096);
  if (!looked.includes(0)) return undefined;
  let even = 0;
  let odd = 0;
  for (let at = 0; at < looked.length; at += 1) {
    if (looked[at] !== 0) continue;
    if (at % 2 === 0) even += 1;
    else odd += 1;
  }
  if (looked.length < 4 || Math.max(even, odd) * 4 < looked.length) return undefined;
  return odd === 0 ? 'utf-16be' : even === 0 ? 'utf-16le' : undefined;
};

/** The encoding of the text that begins with these bytes; undefined where they are no text. */
export const textEncodingOf = (head: Uint8Array, isWhole: boolean): TextEncoding | undefined => {
  const [first, second] = head;
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : (guessUtf16(head) ?? 'utf-8');
  return isTextIn(encoding, head, isWhole) ? encoding : undefined;
};

/** Types that promise nothing but text, which only the whole stream can keep. */
export const isTextType = (type: string): boolean =>
  type.startsWith('text/') || type === 'application/json' || type === 'application/xml' || type === 'image/svg+xml';

/**
 * Goes along with the whole stream of a file whose first bytes (`head`, only looked at here: they are written like all others) were judged
 * to be `type`. Undefined where there is nothing to see: the type rests on a signature (XML and calendars may go on in other encodings).
 */
export const createTextCheck = ({ type, head, isWhole }: { type: string; head: Uint8Array; isWhole: boolean }): TextCheck | undefined => {
  if (!isTextType(type)) return undefined;
  const encoding = textEncodingOf(head, isWhole);
  if (encoding === 'utf-8' && sniffText(new TextDecoder().decode(head.subarray(0, 64))) === type) return undefined;
  // JSON is UTF-8 (RFC 8259 §8.1).
  if (encoding === undefined || (type === 'application/json' && encoding !== 'utf-8')) return undefined;
  const check = createEncodingCheck(encoding);
  return type === 'application/json' ? both(check, createJsonCheck()) : check;
};
