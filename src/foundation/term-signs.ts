// A sign tells in a few whole numbers which terms a row may have, so that an index that holds it answers for almost all rows that do not
// have them, and the row itself is looked at where it says yes: it may err, but only that way. Each kind of terms (those of one beginning)
// has bits of its own: of its marks each term sets one, so that the signs of several rows can be laid over each other and still tell
// something; of its code, where a row has one term of the kind, it sets those that are set in a number. Signs are kept: whatever changes them
// needs a migration that makes all of them anew.

export interface SignField {
  /** How the terms begin, in two characters; those that begin like no field are of the fields whose beginning is empty. */
  readonly beginning: string;
  readonly marks: number;
  readonly code?: number;
  /** Only the first so many characters of a term count. */
  readonly characters?: number;
}

export type SignLayout = readonly SignField[];

/** Bits of one part: so many that JavaScript's operators keep it a positive number, and SQLite has it in four bytes. */
const partBits = 31;

const widthOf = ({ marks, code = 0 }: SignField): number => marks + code;
export const partsOf = (layout: SignLayout): number => Math.ceil(layout.reduce((bits, field) => bits + widthOf(field), 0) / partBits);

/** FNV-1a, and its bits mixed once more. */
const hashOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
};

/** The first characters, none of them cut in two. */
const firstOf = (text: string, characters: number): string => {
  let end = 0;
  for (let count = 0; count < characters && end < text.length; count += 1) end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
  return text.slice(0, end);
};

/** A field and where its bits are: those of the marks, and behind them those of the code. */
interface PlacedField extends SignField {
  readonly firstMark: number;
  readonly codeBits: number;
  readonly firstCode: number;
}

const placed = new WeakMap<SignLayout, ReadonlyMap<string, readonly PlacedField[]>>();

/** By their beginnings. */
const fieldsOf = (layout: SignLayout): ReadonlyMap<string, readonly PlacedField[]> => {
  const known = placed.get(layout);
  if (known !== undefined) return known;
  const fields = new Map<string, PlacedField[]>();
  let firstMark = 0;
  for (const field of layout) {
    const one = { ...field, firstMark, codeBits: field.code ?? 0, firstCode: firstMark + field.marks };
    fields.set(field.beginning, [...(fields.get(field.beginning) ?? []), one]);
    firstMark += widthOf(field);
  }
  placed.set(layout, fields);
  return fields;
};

const longestBeginning = 2;

/** Calls back with every bit that the term says something about. */
export const bitsOfTerm = (
  layout: SignLayout,
  term: string,
  { isWhole = true, hasCodes = true },
  told: (bit: number, isSet: boolean) => void,
): void => {
  const fields = fieldsOf(layout);
  for (const { characters, marks, firstMark, codeBits, firstCode } of fields.get(term.slice(0, longestBeginning)) ?? fields.get('') ?? []) {
    // Of a term of which only the beginning is known no field tells that looks at more of it.
    if (!isWhole && (characters === undefined || firstOf(term, characters - 1) === term)) continue;
    const hash = hashOf(characters === undefined ? term : firstOf(term, characters));
    told(firstMark + (hash % marks), true);
    if (hasCodes) for (let bit = 0; bit < codeBits; bit += 1) told(firstCode + bit, ((hash >>> (bit + 8)) & 1) === 1);
  }
};

export type SignParts = number[];
export const noParts = (layout: SignLayout): SignParts => Array.from({ length: partsOf(layout) }, () => 0);
export const setBit = (parts: SignParts, bit: number) => {
  const part = Math.floor(bit / partBits);
  parts[part] = (parts[part] ?? 0) | (1 << (bit % partBits));
};

/** The sign of a row by all its terms, which stand with spaces between them; case does not count. */
export const signOf = (layout: SignLayout, terms: string): readonly number[] => {
  const parts = noParts(layout);
  for (const term of terms.toLowerCase().split(' ')) {
    if (term === '') continue;
    bitsOfTerm(layout, term, {}, (bit, isSet) => {
      if (isSet) setBit(parts, bit);
    });
  }
  return parts;
};

/** A term that a row must have, or the beginning of one. */
export interface SoughtTerm {
  readonly text: string;
  readonly isBeginning?: boolean;
}

/** All of them must hold; of each one of the alternatives. */
export type SoughtTerms = readonly (readonly SoughtTerm[])[];
