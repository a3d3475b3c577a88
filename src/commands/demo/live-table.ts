import type { Rate } from '../../config/parsers.ts';
import { percent } from './promises.ts';
import { bold, dim, type Line, plain, type Span, type Style, styled } from './spans.ts';
import type { FlowCounts } from './take-stock.ts';
import { describeDuration, describeRate, describeTightest, milliseconds, number } from './wording.ts';

/** Everything that the demo shows while it runs. */
export interface DemoView {
  readonly elapsedMs: number;
  readonly totalMs: number;
  readonly phase: 'flowing' | 'taking stock' | 'over';
  readonly url: string;
  readonly eventsEveryMs: number;
  readonly rate: Rate;
  readonly failsOneIn: number;
  readonly flow: FlowCounts;
  readonly usedShare: number | undefined;
  readonly tightestMs: number | undefined;
  readonly refused: number;
  readonly slowestMs: number;
  readonly medianMs: number;
  readonly slow: number;
  readonly limitMs: number;
  readonly refreshes: number;
  readonly refreshInMs: number;
  /** What happened last, newest first. */
  readonly happenings: readonly Happening[];
}

export interface Happening {
  /** Since the start. */
  readonly atMs: number;
  readonly kind: 'good' | 'bad' | 'neutral';
  readonly text: string;
}

const narrowest = 40;
const widest = 92;
const labelWidth = 16;
const countWidth = 7;
const perSecondWidth = 10;
const happeningsShown = 4;

const seconds = (ms: number, digits = 0): string => `${(ms / 1_000).toFixed(digits)} s`;

/** The table as lines for a screen of that width. */
export const liveTable = (view: DemoView, screenWidth: number): readonly Line[] => {
  const width = Math.min(widest, Math.max(narrowest, screenWidth)) - 2;
  const { flow } = view;
  const row = (label: string, count: number, style: Style, perSecond?: number): Line => [
    styled(count > 0 ? style : 'dim', `  ${label.padEnd(labelWidth - countWidth)}${number(count).padStart(countWidth)}  `),
    ...bar(count, flow.accepted, width - labelWidth - 2 - perSecondWidth, style),
    dim(perSecond === undefined ? '' : `${perSecond.toFixed(1)}/s`.padStart(perSecondWidth)),
  ];
  return [
    [],
    header(view, width),
    [],
    [dim('  source  '), plain(`an event every ${describeDuration(view.eventsEveryMs)}, each sent once`)],
    [dim('  server  '), plain(view.url)],
    [dim('  target  '), plain(`GraphQL, takes ${describeRate(view.rate)}, fails one in ${view.failsOneIn}`)],
    [],
    row('accepted', flow.accepted, 'cyan', flow.acceptedPerSecond),
    row('waiting', flow.waiting, 'blueBright'),
    row('retrying', flow.retrying, 'yellow'),
    row('delivered', flow.delivered, 'green', flow.deliveredPerSecond),
    row('dead', flow.dead, 'red'),
    [],
    ...figures(view),
    [],
    ...view.happenings.slice(0, happeningsShown).map(happeningLine),
  ];
};

const header = ({ elapsedMs, totalMs, phase }: DemoView, width: number): Line => {
  const title = '  Entrepot demo  ';
  const time = phase === 'taking stock' ? '  taking stock' : `  ${seconds(Math.min(elapsedMs, totalMs))} of ${seconds(totalMs)}`;
  const cells = Math.max(0, width + 2 - title.length - time.length);
  const done = Math.round(cells * Math.min(1, elapsedMs / totalMs));
  return [bold(title), styled('cyan', '━'.repeat(done)), dim('─'.repeat(cells - done)), plain(time)];
};

const eighths = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** A bar of exactly `cells` cells; what is there at all is seen, however little it is. */
const bar = (amount: number, whole: number, cells: number, style: Style): readonly Span[] => {
  const filled = whole === 0 ? 0 : Math.min(cells * 8, Math.max(amount > 0 ? 1 : 0, Math.round((amount / whole) * cells * 8)));
  const text = `${'█'.repeat(Math.floor(filled / 8))}${eighths[filled % 8] ?? ''}`;
  return [styled(style, text), plain(' '.repeat(Math.max(0, cells - text.length)))];
};

const figures = (view: DemoView): readonly Line[] => {
  const { usedShare, tightestMs, rate, refused, slow, limitMs } = view;
  const tightest = tightestMs === undefined ? '' : describeTightest(rate, tightestMs);
  return [
    figure('rate used', usedShare === undefined ? '–' : percent(usedShare), tightest, [
      refused > 0 ? styled(['bold', 'red'], `${number(refused)} too early`) : dim('none too early'),
    ]),
    figure('slowest answer', milliseconds(view.slowestMs), `half within ${milliseconds(view.medianMs)}`, [
      slow > 0 ? styled(['bold', 'red'], `${number(slow)} over ${limitMs} ms`) : dim(`none over ${limitMs} ms`),
    ]),
    figure('session', `${view.refreshes} ×`, 'refreshed', [dim(`again in ${seconds(Math.max(0, view.refreshInMs))}`)]),
  ];
};

const figure = (label: string, value: string, first: string, others: readonly Span[]): Line => [
  plain(`  ${label.padEnd(labelWidth)}`),
  bold(value.padStart(8)),
  dim(`   ${first}${first === '' ? '' : ', '}`),
  ...others,
];

const signs = { good: ['green', '✓'], bad: ['yellow', '✗'], neutral: ['cyan', '↻'] } as const satisfies Record<
  Happening['kind'],
  readonly [Style, string]
>;

const happeningLine = ({ atMs, kind, text }: Happening): Line => {
  const [style, sign] = signs[kind];
  return [dim(`${seconds(atMs, 1).padStart(8)}  `), styled(style, sign), plain(` ${text}`)];
};

/** The same in one line, for where nothing can be drawn. */
export const plainLine = ({ elapsedMs, flow, usedShare, slowestMs, slow, limitMs }: DemoView): Line => [
  plain(
    [
      `${seconds(elapsedMs).padStart(6)}  accepted ${flow.accepted}`,
      `waiting ${flow.waiting}`,
      `retrying ${flow.retrying}`,
      `delivered ${flow.delivered}`,
      `dead ${flow.dead}`,
      `rate used ${usedShare === undefined ? '–' : percent(usedShare)}`,
      `slowest answer ${milliseconds(slowestMs)}${slow > 0 ? ` (${slow} over ${limitMs} ms)` : ''}`,
    ].join(' · '),
  ),
];
