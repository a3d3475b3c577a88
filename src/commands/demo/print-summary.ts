import { failsOneIn } from './mock-target.ts';
import type { DemoOptions } from './options.ts';
import type { Verdict } from './promises.ts';
import { bold, dim, type Line, plain, styled } from './spans.ts';
import { describeDuration, describeRate } from './wording.ts';

/** Who takes part. */
export const introductionLines = ({ seconds, eventsEveryMs, rate }: DemoOptions, url: string): readonly Line[] => [
  [bold('  Entrepot demo'), plain(`, ${seconds} s: a source, a server and a target, each speaking real HTTP`)],
  [],
  [dim('  source  '), plain(`an event every ${describeDuration(eventsEveryMs)}, each sent once`)],
  [dim('  server  '), plain(`${url}, its data in a temporary folder`)],
  [dim('  target  '), plain(`GraphQL, takes ${describeRate(rate)}, fails one in ${failsOneIn}`)],
  [],
];

/** Each promise by its name, whether it was kept and by which figures, and what that makes in all. For a screen of that width. */
export const summaryLines = (
  verdicts: readonly Verdict[],
  { ranMs, isCutShort, width }: { ranMs: number; isCutShort: boolean; width: number },
): readonly Line[] => {
  const broken = verdicts.filter(({ isKept }) => !isKept).length;
  const nameWidth = Math.max(...verdicts.map(({ promise }) => promise.length));
  const left = width - signWidth - nameWidth - gapWidth;
  const time = `${(ranMs / 1_000).toFixed(0)} s${isCutShort ? ', stopped early' : ''}`;
  return [
    [bold('  The promises'), dim(`  after ${time}`)],
    [],
    ...verdicts.flatMap(({ promise, isKept, because }) => {
      const sign = isKept ? styled('green', '  ✓ ') : styled(['bold', 'red'], '  ✗ ');
      const name = isKept ? plain(promise) : styled('red', promise);
      const figures = (text: string) => (isKept ? dim(text) : bold(text));
      const indented = (indent: number, texts: readonly string[]): Line[] =>
        texts.map((text) => [plain(' '.repeat(indent)), figures(text)]);
      if (left < narrowestFigures) return [[sign, name], ...indented(signWidth, wrap(because, width - signWidth))];
      const [first = '', ...others] = wrap(because, left);
      const gap = plain(' '.repeat(nameWidth + gapWidth - promise.length));
      return [[sign, name, gap, figures(first)], ...indented(signWidth + nameWidth + gapWidth, others)];
    }),
    [],
    [
      broken === 0
        ? styled(['bold', 'green'], '  All promises held.')
        : styled(['bold', 'red'], `  ${broken} of ${verdicts.length} promises did not hold.`),
    ],
  ];
};

const signWidth = 4;
const gapWidth = 2;
/** In less than this, figures stand under their promise instead of beside it. */
const narrowestFigures = 30;

/** The words in lines of that width; a word that is longer has a line of its own. */
const wrap = (text: string, width: number): readonly string[] => {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
};
