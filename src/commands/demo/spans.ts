import { styleText } from 'node:util';

export type Style = Parameters<typeof styleText>[0];

/** A piece of a line in one style. A line is measured and cut by its text alone, so every character must be one cell wide. */
export interface Span {
  readonly text: string;
  readonly style?: Style;
}

export type Line = readonly Span[];

export const plain = (text: string): Span => ({ text });
export const styled = (style: Style, text: string): Span => ({ text, style });
export const bold = (text: string): Span => styled('bold', text);
export const dim = (text: string): Span => styled('dim', text);

export const widthOf = (line: Line): number => line.reduce((width, { text }) => width + text.length, 0);

/** The line as far as it fits into the width, with a sign that there is more. */
export const cut = (line: Line, width: number): Line => {
  if (widthOf(line) <= width) return line;
  let left = width - 1;
  const kept: Span[] = [];
  for (const span of line) {
    const text = span.text.slice(0, Math.max(0, left));
    left -= text.length;
    if (text !== '') kept.push({ ...span, text });
  }
  return width < 1 ? [] : [...kept, dim('…')];
};

/** The line as it is written. */
export const paint = (line: Line, isColoured: boolean): string =>
  line
    .map(({ text, style }) => (isColoured && style !== undefined ? styleText(style, text, { validateStream: false }) : text))
    .join('')
    .trimEnd();
