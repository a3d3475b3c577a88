import { type Fault, Problem } from '../../foundation/problem.ts';

const longestName = 255;

/** Where in the request the name stood. */
export type NamePlace = Pick<Fault, 'in' | 'at'>;

/** Control characters (C0, DEL, C1) and the two separators that end a line as well. */
const control = /[\p{Cc}\u2028\u2029]/u;
/**
 * Embeddings, overrides and isolates turn text around, so that a program's name reads as a picture's (UAX #9 §2). The plain marks
 * (U+200E, U+200F, U+061C) only order neutral characters, and right-to-left names need them: they stay.
 */
const turnsAround = /[\u202a-\u202e\u2066-\u2069]/u;

const whyNot = (raw: string, name: string): string | undefined => {
  // What stood before the last separator counts too: whoever sends a NUL there wants something else than a name.
  if (!raw.isWellFormed()) return 'must be valid Unicode (it has half of a surrogate pair)';
  if (control.test(raw)) return 'must not have control characters';
  if (turnsAround.test(raw)) return 'must not have characters that turn the reading direction around (U+202A to U+202E, U+2066 to U+2069)';
  if (name === '') return 'must have at least one character behind the last / or \\';
  if (/^\.+$/.test(name)) return 'must not have dots only';
  // Code units first: a giant is not taken apart to be counted.
  if (name.length > longestName * 2 || [...name].length > longestName) return `must have at most ${longestName} characters`;
  return undefined;
};

/**
 * The name under which a file is kept: the last segment of what was sent (browsers and archives send paths, of either kind), in NFC, else
 * exactly as it was. Throws `bad-request`, naming the place, for what nobody should have to type, print or trust.
 */
export const cleanName = (raw: string, place: NamePlace = { in: 'query', at: '/name' }): string => {
  const name = raw.slice(Math.max(raw.lastIndexOf('/'), raw.lastIndexOf('\\')) + 1).normalize('NFC');
  const why = whyNot(raw, name);
  if (why === undefined) return name;
  throw new Problem('bad-request', `The file name ${why}.`, { errors: [{ ...place, why }] });
};

/** A name as compared: however its accents were typed, it is the same name. Case counts, as in the names that people see. */
export const nameKey = (name: string): string => name.normalize('NFC');
