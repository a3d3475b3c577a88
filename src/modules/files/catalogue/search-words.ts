// What a file is found by. Texts and questions go through the same mill, so that it does not matter how a letter is written: composed or
// not, with or without accents of Latin, Greek and Cyrillic letters, large or small.

const accents = /[\u0300-\u036f]/g;
/**
 * Letters with the marks that belong to them, or digits: "IMG_1234.jpg" has the words img, 1234 and jpg. In scripts without spaces between
 * words each letter is one.
 */
const wordLike =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]|[[\p{L}\p{M}]--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]]+|\p{N}+/gv;

const fold = (text: string): string =>
  text.toUpperCase().toLowerCase().normalize('NFKD').replaceAll(accents, '').replaceAll('ς', 'σ').toLowerCase().normalize('NFC');

const split = (text: string): string[] => fold(text).match(wordLike) ?? [];

/** Each word once, every one with a space before and behind it; empty where there are none. */
export const wordsOf = ({ name, title, description }: { name: string; title: string | null; description: string | null }): string => {
  const words = new Set([name, title ?? '', description ?? ''].flatMap(split));
  return words.size === 0 ? '' : ` ${[...words].join(' ')} `;
};

/** What is looked for: whole words, and one that may still be under the typing hand. */
export interface WantedWords {
  readonly whole: readonly string[];
  readonly beginning: string;
}

/** All must occur, the last one as the beginning of a word; undefined where the question holds no word. */
export const wantedWords = (question: string): WantedWords | undefined => {
  const words = split(question);
  const beginning = words.at(-1);
  if (beginning === undefined) return undefined;
  return { whole: [...new Set(words.slice(0, -1))], beginning };
};
