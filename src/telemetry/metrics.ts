import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { createRequestDurations } from './request-durations.ts';

type Labels = Readonly<Record<string, string | number>>;

/** What counts or measures something. Amounts are never negative for a counter. */
export interface CounterMetric {
  add(amount?: number, labels?: Labels): void;
}
export interface GaugeMetric {
  set(value: number, labels?: Labels): void;
  /** Forgets the series with these labels, e.g. those of a removed target. */
  remove(labels: Labels): void;
}
export interface HistogramMetric {
  observe(value: number, labels?: Labels): void;
}

/** How a metric is called (Prometheus' rules: base units, counters end in `_total`), what it tells, and the labels it has. */
export interface MetricDescription {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** All figures of the process. Names are taken once: a second metric of a name is an error. */
export interface Metrics {
  counter(description: MetricDescription): CounterMetric;
  /** `collect` sets the value whenever the figures are read, so that nothing has to be kept up to date in between. */
  gauge(description: MetricDescription, collect?: (gauge: GaugeMetric) => void | Promise<void>): GaugeMetric;
  /** `buckets` are upper bounds, ascending. */
  histogram(description: MetricDescription & { readonly buckets: readonly number[] }): HistogramMetric;
  /** Counts an answered request. */
  observe(route: string, method: string, status: number, ms: number): void;
  /** Everything in the Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

export const createMetrics = (): Metrics => {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const requests = createRequestDurations();

  return {
    counter({ name, help, labels = [] }) {
      const counter = new Counter({ name, help, labelNames: [...labels], registers });
      return { add: (amount = 1, given = {}) => counter.inc({ ...given }, amount) };
    },
    gauge({ name, help, labels = [] }, collect) {
      const gauge = new Gauge({ name, help, labelNames: [...labels], registers, ...(collect ? { collect: () => collect(metric) } : {}) });
      const metric: GaugeMetric = {
        set: (value, given = {}) => gauge.set({ ...given }, value),
        remove: (given) => gauge.remove({ ...given }),
      };
      return metric;
    },
    histogram({ name, help, buckets, labels = [] }) {
      const histogram = new Histogram({ name, help, labelNames: [...labels], buckets: [...buckets], registers });
      return { observe: (value, given = {}) => histogram.observe({ ...given }, value) };
    },
    observe: requests.observe,
    text: async () => `${await registry.metrics()}\n${requests.text()}`,
    contentType: registry.contentType,
  };
};
