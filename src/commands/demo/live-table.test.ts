import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DemoView, liveTable, plainLine } from './live-table.ts';
import { summaryLines } from './print-summary.ts';
import { cut, paint, widthOf } from './spans.ts';

const view: DemoView = {
  elapsedMs: 18_400,
  totalMs: 30_000,
  phase: 'flowing',
  url: 'http://127.0.0.1:40000',
  eventsEveryMs: 100,
  rate: { requests: 1, intervalMs: 2_000 },
  failsOneIn: 10,
  flow: { accepted: 184, waiting: 173, retrying: 1, delivered: 10, dead: 0, acceptedPerSecond: 10, deliveredPerSecond: 0.5 },
  usedShare: 0.993,
  tightestMs: 2_014,
  refused: 0,
  slowestMs: 13.2,
  medianMs: 3,
  slow: 0,
  limitMs: 500,
  refreshes: 2,
  refreshInMs: 4_100,
  happenings: [{ atMs: 17_200, kind: 'good', text: 'order-0003 delivered at the second try' }],
};

const shown = (width: number) => liveTable(view, width).map((line) => paint(line, false));

test('the table of the demo tells what flows and how the promises stand', () => {
  const table = shown(80).join('\n');
  for (const pattern of [
    /Entrepot demo +━+─+ +18 s of 30 s/,
    /accepted +184 +█+ +10\.0\/s/,
    /waiting +173/,
    /retrying +1 +\S/,
    /delivered +10 .* 0\.5\/s/,
    /dead +0/,
    /rate used +99 % +closest two 2,014 ms apart, none too early/,
    /slowest answer +14 ms +half within 3 ms, none over 500 ms/,
    /session +2 × +refreshed, again in 4 s/,
    /17\.2 s {2}✓ order-0003 delivered at the second try/,
  ])
    assert.match(table, pattern);
});

test('the table of the demo is never wider than the terminal, as long as that has 40 columns', () => {
  for (let width = 40; width <= 200; width += 1) {
    const tooWide = liveTable(view, width).filter((line) => widthOf(cut(line, width)) > width);
    assert.deepEqual(tooWide, []);
    const [, header, , , , , , ...rows] = liveTable(view, width);
    for (const line of [header ?? [], ...rows.slice(0, 5)]) assert.ok(widthOf(line) <= width, 'the line of time and the bars fit uncut');
  }
});

test('a line that is too long ends with a sign that there is more', () => {
  assert.equal(paint(cut([{ text: 'one ' }, { text: 'two', style: 'bold' }], 6), false), 'one t…');
  assert.equal(paint(cut([{ text: 'one two' }], 7), false), 'one two');
});

test('what broke a promise of the pace or of the answers is shown while it runs', () => {
  const bad = liveTable({ ...view, refused: 2, slow: 1 }, 90).map((line) => paint(line, false));
  assert.match(bad.join('\n'), /2 too early/);
  assert.match(bad.join('\n'), /1 over 500 ms/);
  assert.match(paint(plainLine({ ...view, slow: 1 }), false), /slowest answer 14 ms \(1 over 500 ms\)$/);
});

test('the summary fits into a narrow terminal', () => {
  const verdicts = [
    { promise: 'every event is accounted for', isKept: true, because: '301 = 13 delivered + 287 waiting + 1 retrying + 0 dead' },
    { promise: 'the pace was used', isKept: false, because: '9 requests, where 1 request in 2 s made 13 possible' },
  ];
  for (const width of [50, 80, 120]) {
    const lines = summaryLines(verdicts, { ranMs: 30_000, isCutShort: false, width }).map((line) => paint(line, false));
    assert.ok(
      lines.every((line) => line.length <= width),
      lines.join('\n'),
    );
    assert.match(lines.join('\n'), /✗ the pace was used/);
    assert.match(lines.join('\n'), /1 of 2 promises did not hold\./);
  }
});
