import type { ItemTrace, TraceEntry } from '../../modules/trace/trace.ts';
import { bold, dim, type Line, plain, type Style, styled } from './spans.ts';
import { milliseconds } from './wording.ts';

/** How a word of the trace is coloured; others are as they are. */
const styles: Readonly<Record<string, Style>> = {
  accepted: 'cyan',
  delivered: 'green',
  retrying: 'yellow',
  throttled: 'yellow',
  dead: 'red',
  parked: 'red',
};

/** Every entry of an item's trace as a line, with the time since the first. `names` gives names to the ids of callers. */
export const traceLines = ({ id, entries, state }: ItemTrace, names: ReadonlyMap<string, string>): readonly Line[] => {
  const startAt = Date.parse(entries[0]?.at ?? '');
  return [
    [bold('  One event from beginning to end'), dim(`  GET /v1/trace/${id}`)],
    [],
    ...entries.map((entry) => entryLine(entry, startAt, names)),
    [dim(`${''.padStart(timeWidth)}  it is `), bold(state)],
  ];
};

const timeWidth = 12;
const whatWidth = 11;

const entryLine = (entry: TraceEntry, startAt: number, names: ReadonlyMap<string, string>): Line => {
  const style = styles[entry.what];
  const what = entry.what.padEnd(whatWidth);
  return [
    dim(`${since(Date.parse(entry.at) - startAt).padStart(timeWidth)}  `),
    style ? styled(style, what) : plain(what),
    plain(describe(entry, startAt, names)),
  ];
};

const since = (ms: number): string => (ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(3)} s`);

const describe = ({ what, who, where, detail }: TraceEntry, startAt: number, names: ReadonlyMap<string, string>): string => {
  const { targets, status, reason, durationMs, nextAt, retryAfterMs } = (detail ?? {}) as Readonly<Record<string, unknown>>; // each is looked at before it is shown
  const from = who === undefined ? '' : `from ${names.get(who) ?? who}, `;
  switch (what) {
    case 'accepted':
      return `${from}on disk before the 202`;
    case 'routed':
      return typeof targets === 'number' ? `to ${targets} ${targets === 1 ? 'target' : 'targets'}` : '';
    case 'retrying':
      return typeof nextAt === 'string' ? `from ${since(Math.max(0, Date.parse(nextAt) - startAt))} on, when a slot is free` : '';
    case 'delivered':
      return where === undefined ? '' : `to ${where}`;
    default:
      return [
        typeof status === 'number' ? String(status) : undefined,
        typeof reason === 'string' ? reason : undefined,
        typeof retryAfterMs === 'number' ? `pause of ${milliseconds(retryAfterMs)}` : undefined,
        typeof durationMs === 'number' ? `(${milliseconds(durationMs)})` : undefined,
      ]
        .filter((part) => part !== undefined)
        .join(' ');
  }
};
