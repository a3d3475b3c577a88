import type { WriteStream } from 'node:tty';
import { cut, type Line, paint, widthOf } from './spans.ts';

/** Where the demo is looked at: a terminal, with a frame that is drawn again in place, or anything that takes plain lines. */
export interface Screen {
  /** Frames can be drawn; else only what is printed is seen. */
  readonly isLive: boolean;
  /** In cells. */
  readonly width: number;
  /** Lines that stay, under a frame that stays as it was drawn last. They are not cut: what is too long wraps. */
  print(lines: readonly Line[]): void;
  /** Replaces the frame before. Lines are cut to the width, and the frame to the height, from below. */
  draw(frame: readonly Line[]): void;
  /** Calls back when nobody reads any more what is written. */
  onGone(callback: () => void): void;
}

const plainWidth = 100;
const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';
const eraseLineEnd = '\u001b[K';
const eraseBelow = '\u001b[J';
// A terminal that knows these shows a frame only when it is whole; others ignore them.
const beginFrame = '\u001b[?2026h';
const endFrame = '\u001b[?2026l';
const up = (rows: number): string => (rows > 0 ? `\u001b[${rows}A` : '');

/** Colours and frames only where they can be seen: not in a pipe, not with `TERM=dumb`; no colours with `NO_COLOR`. */
export const openScreen = (output: NodeJS.WriteStream, env: NodeJS.ProcessEnv): Screen => {
  const callbacks: (() => void)[] = [];
  let isGone = false;
  // Whoever reads may go (`| head`, a closed terminal): nothing to show then, but still much to clean up.
  output.on('error', () => {
    isGone = true;
    for (const callback of callbacks) callback();
  });
  const write = (text: string) => {
    if (!isGone && text !== '') output.write(text);
  };
  const onGone = (callback: () => void) => {
    callbacks.push(callback);
  };
  return output.isTTY && env.TERM !== 'dumb' ? openTerminal(output, { write, onGone }, env) : openPlain({ write, onGone });
};

interface Way extends Pick<Screen, 'onGone'> {
  write(text: string): void;
}

const paintLines = (lines: readonly Line[], isColoured: boolean, end: string) =>
  lines.map((line) => `${paint(line, isColoured)}${end}`).join('');

const openPlain = ({ write, onGone }: Way): Screen => ({
  isLive: false,
  width: plainWidth,
  print: (lines) => write(paintLines(lines, false, '\n')),
  draw: () => undefined,
  onGone,
});

const openTerminal = (output: WriteStream, { write, onGone }: Way, env: NodeJS.ProcessEnv): Screen => {
  const isColoured = output.hasColors(env);
  let frame: readonly Line[] = [];

  /** In a window that became narrower since, the terminal has wrapped what was drawn. */
  const rowsTaken = () => frame.reduce((rows, line) => rows + Math.max(1, Math.ceil(widthOf(line) / output.columns)), 0);
  const leaveFrame = () => {
    if (frame.length > 0) write(showCursor);
    frame = [];
  };
  // However the process ends, the cursor is there again.
  process.once('exit', leaveFrame);

  return {
    isLive: true,
    get width() {
      return output.columns;
    },
    print(lines) {
      leaveFrame();
      write(paintLines(lines, isColoured, '\n'));
    },
    draw(next) {
      const back = `\r${up(rowsTaken())}`;
      // The cursor rests on the row under the frame.
      frame = next.slice(0, Math.max(1, output.rows - 1)).map((line) => cut(line, output.columns));
      write(`${beginFrame}${hideCursor}${back}${paintLines(frame, isColoured, `${eraseLineEnd}\n`)}${eraseBelow}${endFrame}`);
    },
    onGone,
  };
};
