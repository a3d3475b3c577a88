import { parseArgs } from 'node:util';
import { duration, type Parser, type Rate, rate, wholeNumber } from '../../config/parsers.ts';

/** What the demo is asked to show. */
export interface DemoOptions {
  readonly seconds: number;
  /** What the target accepts, and how it is written. */
  readonly rate: Rate;
  readonly rateText: string;
  readonly eventsEveryMs: number;
}

const second = 1_000;

/** Throws as `parseArgs` does for options that do not exist; values that are wrong are all complained about at once. */
export const readOptions = (args: readonly string[]): { options: DemoOptions } | { complaints: readonly string[] } => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '30' },
      rate: { type: 'string', default: '1/2s' },
      'events-every': { type: 'string', default: '100ms' },
    },
  });
  const complaints: string[] = [];
  const read = <Value>(name: keyof typeof values, parser: Parser<Value>): Value | undefined => {
    const value = parser.read(values[name]);
    if (value === undefined) complaints.push(`--${name} is ${JSON.stringify(values[name])}, but must be ${parser.takes}.`);
    return value;
  };
  const seconds = read('seconds', wholeNumber(1, 86_400));
  const targetRate = read('rate', rate);
  const eventsEveryMs = read('events-every', duration('5ms', '1h'));
  if (seconds === undefined || targetRate === undefined || eventsEveryMs === undefined) return { complaints };
  return { options: { seconds, rate: targetRate, rateText: values.rate, eventsEveryMs } };
};

/** Short enough that a session runs out several times within the demo, so that refreshing is seen; long enough for a busy machine. */
export const accessTokenSeconds = ({ seconds }: Pick<DemoOptions, 'seconds'>): number => Math.min(10, Math.max(3, Math.floor(seconds / 3)));

/** How often plain lines tell what flows. */
export const plainEveryMs = ({ seconds }: Pick<DemoOptions, 'seconds'>): number => Math.min(5, Math.ceil(seconds / 6)) * second;
