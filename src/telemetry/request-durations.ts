/** One series of the histogram: how many requests took up to each bound (not cumulated), how many there were, and how long in all. */
interface Series {
  readonly labels: string;
  readonly counts: number[];
  count: number;
  sumSeconds: number;
}

/** Upper bounds in seconds. The promise to sources is 0.5; the bounds tell how near to it answers come. */
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];

const metricName = 'http_request_duration_seconds';

const quoted = (value: string | number): string =>
  `"${String(value).replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

const linesOf = ({ labels, counts, count, sumSeconds }: Series): string[] => {
  let cumulated = 0;
  const buckets = bounds.map((bound, index) => {
    cumulated += counts[index] ?? 0;
    return `${metricName}_bucket{le="${bound}",${labels}} ${cumulated}`;
  });
  return [
    ...buckets,
    `${metricName}_bucket{le="+Inf",${labels}} ${count}`,
    `${metricName}_sum{${labels}} ${sumSeconds}`,
    `${metricName}_count{${labels}} ${count}`,
  ];
};

/** The histogram of answered requests, in the Prometheus text format. */
export interface RequestDurations {
  observe(route: string, method: string, status: number, ms: number): void;
  text(): string;
}

/**
 * Every request goes through here, and prom-client's histogram costs 4 µs a time (it works its labels out anew), a fifth of what such a
 * request costs in all; this costs 0.2 µs. There are few series: routes × methods × statuses.
 */
export const createRequestDurations = (): RequestDurations => {
  const series = new Map<string, Map<string, Map<number, Series>>>();

  const seriesOf = (route: string, method: string, status: number): Series => {
    const known = series.get(route)?.get(method)?.get(status);
    if (known !== undefined) return known;
    const labels = `route=${quoted(route)},method=${quoted(method)},status="${status}"`;
    const made: Series = { labels, counts: bounds.map(() => 0), count: 0, sumSeconds: 0 };
    const ofRoute = series.get(route) ?? new Map<string, Map<number, Series>>();
    const ofMethod = ofRoute.get(method) ?? new Map<number, Series>();
    series.set(route, ofRoute.set(method, ofMethod.set(status, made)));
    return made;
  };

  return {
    observe(route, method, status, ms) {
      const one = seriesOf(route, method, status);
      const seconds = ms / 1000;
      one.count += 1;
      one.sumSeconds += seconds;
      const index = bounds.findIndex((bound) => seconds <= bound);
      if (index !== -1) one.counts[index] = (one.counts[index] ?? 0) + 1;
    },
    text() {
      const all = [...series.values()].flatMap((methods) => [...methods.values()]).flatMap((statuses) => [...statuses.values()]);
      const head = [`# HELP ${metricName} Answered requests and how long they took.`, `# TYPE ${metricName} histogram`];
      return `${[...head, ...all.flatMap(linesOf)].join('\n')}\n`;
    },
  };
};
