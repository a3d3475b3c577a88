import type { Latency } from './parts/figures.ts';

/** One thing that was measured, a line of the table. */
export interface Measurement {
  /** What was measured, e.g. `this server` or `bare Fastify`. */
  readonly what: string;
  /** How many a second; undefined where the claim is not about a rate. */
  readonly perSecond?: number;
  readonly latency?: Latency;
  /** Resident memory of the process when it was measured. */
  readonly rssMib?: number;
}

/** What came out of measuring a claim. */
export interface Finding {
  readonly measurements: readonly Measurement[];
  /** What the claim is about: a ratio against the baseline, MiB, or a share. */
  readonly result: string;
  readonly isReached: boolean;
  /** What else a reader has to know to judge the figures. */
  readonly notes: readonly string[];
}

/** Something that we say about the speed or the size of the server, and how it is measured against a baseline in the same run. */
export interface Claim {
  readonly name: string;
  readonly title: string;
  /** What is to be reached. */
  readonly reach: string;
  measure(say: (line: string) => void): Promise<Finding>;
}
