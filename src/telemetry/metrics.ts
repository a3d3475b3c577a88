import { createRequire } from 'node:module';
import type { Registry } from 'prom-client';
import { createRequestDurations } from './request-durations.ts';

type Labels = Readonly<Record<string, string | number>>;

/** How a metric is called (Prometheus' rules: base units), what it tells, and the labels it has. */
export interface MetricDescription {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Sets one series of a gauge. */
export type SetGauge = (value: number, labels?: Labels) => void;

/** All figures of the process. Names are taken once: a second metric of a name is an error. */
export interface Metrics {
  /** `collect` sets all series whenever the figures are read, so that nothing has to be kept up to date in between. */
  gauge(description: MetricDescription, collect: (set: SetGauge) => void | Promise<void>): void;
  /** Counts an answered request. */
  observe(route: string, method: string, status: number, ms: number): void;
  /** Everything in the Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

// Loaded when somebody asks for figures, since many instances have nobody who does.
const require = createRequire(import.meta.url);

type Register = (registry: Registry, promClient: typeof import('prom-client')) => void;

export const createMetrics = (): Metrics => {
  const requests = createRequestDurations();
  const registers = new Map<string, Register>();
  let registry: Registry | undefined;

  const open = (): Registry => {
    const promClient = require('prom-client') as typeof import('prom-client');
    const opened = new promClient.Registry();
    promClient.collectDefaultMetrics({ register: opened });
    for (const register of registers.values()) register(opened, promClient);
    return opened;
  };

  return {
    gauge({ name, help, labels = [] }, collect) {
      if (registry !== undefined || registers.has(name)) throw new Error(`The metric ${name} is there already, or comes too late.`);
      registers.set(name, (opened, { Gauge }) => {
        const gauge = new Gauge({
          name,
          help,
          labelNames: [...labels],
          registers: [opened],
          async collect() {
            gauge.reset(); // what is not told any more is gone
            await collect((value, given = {}) => gauge.set({ ...given }, value));
          },
        });
      });
    },
    observe: requests.observe,
    async text() {
      registry ??= open();
      return `${await registry.metrics()}\n${requests.text()}`;
    },
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  };
};
