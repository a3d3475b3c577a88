import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { type Latency, latencyOf } from './figures.ts';

/** Where figures come from: they mean nothing without it. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly date: string;
  /** How long it takes to make 4 KiB durable where the servers keep their data, in milliseconds. */
  readonly fsync: Latency;
}

const samples = 300;

const measureFsync = (): Latency => {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-bench-disk-'));
  const file = openSync(join(folder, 'file'), 'w');
  try {
    const block = Buffer.alloc(4096);
    const times = Array.from({ length: samples }, () => {
      writeSync(file, block);
      const from = performance.now();
      fdatasyncSync(file);
      return performance.now() - from;
    });
    return latencyOf(times);
  } finally {
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  }
};

export const describeMachine = (): Machine => ({
  processor: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryGib: totalmem() / 2 ** 30,
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
  fsync: measureFsync(),
});
