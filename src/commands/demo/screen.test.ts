import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { openScreen } from './screen.ts';
import { bold } from './spans.ts';

/** What a terminal of that size is written. */
const openTerminal = ({ columns = 40, rows = 10, isColoured = true, env = {} }) => {
  const stream = new PassThrough();
  const output = Object.assign(stream, { isTTY: true, columns, rows, hasColors: () => isColoured });
  const screen = openScreen(output as unknown as NodeJS.WriteStream, env); // what the screen uses of one
  return { screen, output, written: () => String(stream.read() ?? '') };
};

test('a frame is drawn over the one before, in one piece, and cut to the terminal', () => {
  const { screen, written } = openTerminal({ columns: 10, rows: 3 });
  screen.draw([[bold('one')], [bold('two')], [bold('three')]]);
  assert.equal(written(), '\x1b[?2026h\x1b[?25l\r\x1b[1mone\x1b[22m\x1b[K\n\x1b[1mtwo\x1b[22m\x1b[K\n\x1b[J\x1b[?2026l');
  screen.draw([[{ text: 'a line that is too long' }]]);
  assert.equal(written(), '\x1b[?2026h\x1b[?25l\r\x1b[2Aa line th\x1b[2m…\x1b[22m\x1b[K\n\x1b[J\x1b[?2026l');
});

test('in a window that became narrower, the frame before is found where the terminal wrapped it', () => {
  const { screen, output, written } = openTerminal({ columns: 20 });
  screen.draw([[{ text: 'fifteen letters' }], []]);
  written();
  output.columns = 10;
  screen.draw([[{ text: 'short' }]]);
  assert.match(written(), /\r\x1b\[3Ashort/);
});

test('the cursor is back before anything is printed under the last frame', () => {
  const { screen, written } = openTerminal({});
  screen.draw([[{ text: 'frame' }]]);
  written();
  screen.print([[{ text: 'end' }]]);
  assert.equal(written(), '\x1b[?25hend\n');
});

test('without colours the frame is drawn all the same', () => {
  const { screen, written } = openTerminal({ isColoured: false });
  screen.draw([[bold('one')]]);
  assert.doesNotMatch(written(), /\x1b\[1m/);
});

test('a terminal that cannot move its cursor gets plain lines', () => {
  const { screen, written } = openTerminal({ env: { TERM: 'dumb' } });
  assert.equal(screen.isLive, false);
  screen.draw([[bold('frame')]]);
  screen.print([[bold('line')]]);
  assert.equal(written(), 'line\n');
});

test('when nobody reads any more, that is told and nothing fails', () => {
  const { screen, output } = openTerminal({});
  let isTold = false;
  screen.onGone(() => {
    isTold = true;
  });
  output.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  assert.equal(isTold, true);
  screen.print([[bold('line')]]);
});
