import type { Claim, Finding } from '../claim.ts';
import type { Machine } from './machine.ts';

export interface Measured {
  readonly claim: Claim;
  readonly finding: Finding;
}

const head = ['claim', 'measured', 'a second', 'p50 ms', 'p99 ms', 'max ms', 'RSS MiB'];

const whole = (value: number | undefined): string =>
  value === undefined || Number.isNaN(value) ? '' : Math.round(value).toLocaleString('en');
const fine = (value: number | undefined): string => (value === undefined ? '' : value.toFixed(value < 10 ? 2 : 0));

const rowsOf = ({ claim, finding }: Measured): string[][] =>
  finding.measurements.map(({ what, perSecond, latency, rssMib }, index) => [
    index === 0 ? claim.name : '',
    what,
    perSecond !== undefined && perSecond < 100 ? fine(perSecond) : whole(perSecond),
    fine(latency?.p50),
    fine(latency?.p99),
    fine(latency?.max),
    whole(rssMib),
  ]);

const verdict = ({ finding }: Measured): string => (finding.isReached ? 'reached' : 'not reached');

/** The table for a terminal. */
export const printTable = (all: readonly Measured[]): string => {
  const rows = [head, ...all.flatMap(rowsOf)];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const print = (row: readonly string[]) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  const results = all.map((one) => `${one.claim.name}: ${one.finding.result} (to reach: ${one.claim.reach}; ${verdict(one)})`);
  return `${rows.map(print).join('\n')}\n\n${results.join('\n')}\n`;
};

const markdownRow = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** The page `docs/benchmarks.md`. */
export const printPage = (all: readonly Measured[], machine: Machine): string => {
  const { processor, cores, memoryGib, node, date, fsync } = machine;
  const sections = all.map((one) =>
    [
      `## ${one.claim.name}`,
      `${one.claim.title}.`,
      `To reach: ${one.claim.reach}. **Measured: ${one.finding.result}** (${verdict(one)}).`,
      [
        markdownRow(head.slice(1)),
        markdownRow(['---', ...head.slice(2).map(() => '--:')]),
        ...rowsOf(one).map((row) => markdownRow(row.slice(1))),
      ].join('\n'),
      one.finding.notes.join(' '),
    ].join('\n\n'),
  );
  return `# Benchmarks

Written by \`npm run bench -- --write\`. Each figure is a ratio against a baseline that is measured in the same run, in turn with it, or a
quantity that does not depend on the machine's speed: absolute rates are those of the machine below, which other work may have shared. The load
generator, the receiver and each baseline have a process of their own. Rates and latencies are medians of the rounds, the greatest latency is
the greatest of all.

| | |
| --- | --- |
| date | ${date} |
| processor | ${processor}, ${cores} cores |
| memory | ${memoryGib.toFixed(0)} GiB |
| Node.js | ${node} |
| fdatasync of 4 KiB | p50 ${fsync.p50.toFixed(2)} ms, p99 ${fsync.p99.toFixed(2)} ms, max ${fsync.max.toFixed(2)} ms |

${markdownRow(['claim', 'to reach', 'measured', ''])}
| --- | --- | --- | --- |
${all.map((one) => markdownRow([one.claim.name, one.claim.reach, one.finding.result, verdict(one)])).join('\n')}

${sections.join('\n\n')}
`;
};
