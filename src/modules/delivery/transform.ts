import { createRequire } from 'node:module';
import { createTransformProcess } from './transform-process.ts';

export { TransformFailed } from './transform-process.ts';

/** Runs the JSONata expressions of targets, bounded in time and memory. */
export interface Transformer {
  /** What is wrong with the expression, with the place where it can be told; undefined when it can be run. */
  check(expression: string): string | undefined;
  /**
   * The JSON object that the expression makes of `content`, as text. Each run has `limitMs` (default 250 ms,
   * counted without the wait for its turn). Rejects with TransformFailed where expression and content are at fault, with Unavailable where the server is
   * (stopping, no process to be had).
   */
  run(expression: string, content: string, limitMs?: number): Promise<string>;
  /** Resolves when the processes of the transforms are gone; what still waits is rejected with Unavailable. */
  close(): Promise<void>;
}

const maxExpressionBytes = 8 * 1024;
const defaultLimitMs = 250;
/** An expression that took longer than this goes on among the slow ones until it is quick again. */
const slowMs = 50;
const maxSlowKnown = 1_000;

const require = createRequire(import.meta.url);
/** Loaded with the first expression that is checked, not with the server. */
const loadJsonata = () => require('jsonata') as typeof import('jsonata');

/** Runs come one after the other, the slow ones among themselves: a target whose transform takes long does not hold up the others. */
export const createTransformer = (): Transformer => {
  const quick = createTransformProcess();
  const slow = createTransformProcess();
  /** The longest known first. */
  const slowExpressions = new Set<string>();

  const learn = (expression: string, ms: number) => {
    slowExpressions.delete(expression);
    if (ms <= slowMs) return;
    const [oldest] = slowExpressions;
    if (slowExpressions.size >= maxSlowKnown && oldest !== undefined) slowExpressions.delete(oldest);
    slowExpressions.add(expression);
  };

  return {
    check(expression) {
      if (Buffer.byteLength(expression) > maxExpressionBytes) return 'It is longer than 8 KiB.';
      try {
        loadJsonata()(expression);
        return undefined;
      } catch (error) {
        return complaintOf(error);
      }
    },
    async run(expression, content, limitMs = defaultLimitMs) {
      const request = { expression, content, limitMs };
      const onRan = (ms: number) => learn(expression, ms);
      const isQuick = () => !slowExpressions.has(expression);
      const result = isQuick() ? await quick.runIf(isQuick, request, onRan) : undefined;
      return result ?? (await slow.run(request, onRan));
    },
    async close() {
      await Promise.all([quick.close(), slow.close()]);
    },
  };
};

/** JSONata throws plain objects and errors with a code, and for very deep nesting the engine's own error. */
const complaintOf = (error: unknown): string => {
  if (error instanceof RangeError) return 'It is nested too deeply.';
  const { message, position } = error as { message?: string; position?: number }; // the shape that jsonata documents
  const place = typeof position === 'number' ? ` (at character ${position})` : '';
  return `${message ?? 'It is not a JSONata expression'}${place}.`;
};
