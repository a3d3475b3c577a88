import type { Rate } from '../../config/parsers.ts';

/** `1,234` */
export const number = (value: number): string => value.toLocaleString('en-US');

/** Whole milliseconds; never 0 for what took some time. */
export const milliseconds = (ms: number): string => `${number(Math.ceil(ms))} ms`;

/** `1 request in 2 s` */
export const describeRate = ({ requests, intervalMs }: Rate): string =>
  `${number(requests)} ${requests === 1 ? 'request' : 'requests'} in ${describeDuration(intervalMs)}`;

/** `2 s`, `1.5 s`, `100 ms` */
export const describeDuration = (ms: number): string => (ms < 1_000 ? `${ms} ms` : `${number(ms / 1_000)} s`);

const shown = 3;

/** The first few, and that there are more. */
export const list = (items: readonly string[]): string =>
  items.length > shown ? `${items.slice(0, shown).join(', ')}, …` : items.join(', ');

/** `closest two 2,016 ms apart`, or how close together one more than the rate allows came. */
export const describeTightest = ({ requests }: Rate, tightestMs: number): string =>
  requests === 1 ? `closest two ${milliseconds(tightestMs)} apart` : `closest ${number(requests + 1)} within ${milliseconds(tightestMs)}`;
