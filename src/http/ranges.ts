/** Both ends belong to it. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export type WantedRanges =
  /** One or several, in the order in which they were asked for; none overlaps another. */
  | { readonly are: 'some'; readonly ranges: readonly ByteRange[] }
  /** There is nothing to be made of the header: the answer is the whole (RFC 9110 §14.2). */
  | { readonly are: 'ignored' }
  /** The answer is 416. */
  | { readonly are: 'unsatisfiable' };

/** Whoever asks for more parts than this gets the whole instead. */
const mostRanges = 16;
/** What a part of a multipart answer costs beside its bytes: parts with less than that between them are sent as one (§15.3.7.2). */
const partOverheadBytes = 80;

const unitForm = /^bytes=(.*)$/i;
const rangeForm = /^([0-9]*)-([0-9]*)$/;

const ignored: WantedRanges = { are: 'ignored' };

/**
 * What one part of the header asks for: a range, `nothing` of what is there, or `nonsense`. The numbers of a client may be of any length
 * (§14.1.1), so they are compared as such before they become ours.
 */
const rangeOf = (spec: string, size: number): ByteRange | 'nothing' | 'nonsense' => {
  const [, from = '', to = ''] = rangeForm.exec(spec) ?? [];
  if (from === '' && to === '') return 'nonsense';
  const end = BigInt(size) - 1n;
  if (from === '') {
    const length = BigInt(to);
    if (length === 0n || size === 0) return 'nothing';
    return { first: length > end ? 0 : size - Number(length), last: size - 1 };
  }
  const first = BigInt(from);
  const last = to === '' ? end : BigInt(to);
  if (to !== '' && last < first) return 'nonsense';
  if (first > end) return 'nothing';
  return { first: Number(first), last: last > end ? size - 1 : Number(last) };
};

const areNear = (one: ByteRange, other: ByteRange): boolean =>
  one.first <= other.last + 1 + partOverheadBytes && other.first <= one.last + 1 + partOverheadBytes;

/** Joins what overlaps or lies close together; the joined part stands where the earlier of them was asked for. */
const coalesced = (ranges: readonly ByteRange[]): readonly ByteRange[] => {
  const kept: ByteRange[] = [];
  for (let range of ranges) {
    let place = kept.length;
    for (let near = kept.findIndex((one) => areNear(one, range)); near !== -1; near = kept.findIndex((one) => areNear(one, range))) {
      const [{ first, last } = range] = kept.splice(near, 1);
      range = { first: Math.min(first, range.first), last: Math.max(last, range.last) };
      place = Math.min(place, near);
    }
    kept.splice(place, 0, range);
  }
  return kept;
};

/** Reads a `Range` header against a body of `size` bytes. */
export const parseRange = (header: string, size: number): WantedRanges => {
  const [, list] = unitForm.exec(header.trim()) ?? [];
  const specs = (list ?? '')
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '');
  if (specs.length === 0 || specs.length > mostRanges) return ignored;
  const found = specs.map((spec) => rangeOf(spec, size));
  if (found.includes('nonsense')) return ignored;
  const ranges = found.filter((range) => typeof range === 'object');
  if (ranges.length > 0) return { are: 'some', ranges: coalesced(ranges) };
  // The last bytes of nothing are nothing, and no Content-Range can say so.
  const areLastOfNothing = size === 0 && specs.some((spec) => /^-0*[1-9]/.test(spec));
  return areLastOfNothing ? ignored : { are: 'unsatisfiable' };
};

export const contentRange = ({ first, last }: ByteRange, size: number): string => `bytes ${first}-${last}/${size}`;

export const bytesIn = ({ first, last }: ByteRange): number => last - first + 1;
