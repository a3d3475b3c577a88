import { spawn } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { refusalsFileVariable } from '../tests/support/refusals-seen.ts';

// npm test                 everything but the soak tests: the checks of the source, then src, then tests; then whether every documented
//                          refusal occurred in one
// npm test -- lane trace   the test files with "lane" or "trace" in their path
// npm run test:soak        the soak tests

const longestFileMs = 5 * 60_000;

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const words = args.filter((arg) => arg !== '--soak');
const soak = 'tests/soak/**/*.test.ts';

const all = args.includes('--soak')
  ? globSync(soak, { cwd: root })
  : globSync(['{scripts,src,tests}/**/*.test.ts'], { cwd: root, exclude: [soak] });
const files = words.length === 0 ? all : all.filter((file) => words.some((word) => file.includes(word)));

/** The settings of whoever runs the tests must not change what they show. */
const withoutSettings = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ENTREPOT_')));

/** Runs a program to its end; resolves with its exit code. Whoever ends us ends it. */
const runToEnd = (programArgs: readonly string[], env: NodeJS.ProcessEnv): Promise<number> => {
  const child = spawn(process.execPath, programArgs, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env });
  const hand = (signal: NodeJS.Signals) => child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, hand);
  return new Promise((resolve) => {
    child.on('exit', (code) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, hand);
      resolve(code ?? 1);
    });
  });
};

const run = async (): Promise<number> => {
  const options = [
    '--test',
    '--test-reporter=spec',
    // Most files wait more than they work, so two run at a time even on one core.
    `--test-concurrency=${Math.max(2, Math.min(4, availableParallelism()))}`,
    `--test-timeout=${longestFileMs}`,
  ];
  const isWhole = words.length === 0 && !args.includes('--soak');
  if (!isWhole) return await runToEnd([...options, ...files], withoutSettings);

  const folder = mkdtempSync(join(tmpdir(), 'entrepot-refusals-'));
  const refusals = join(folder, 'refusals.ndjson');
  writeFileSync(refusals, '');
  try {
    const code = await runToEnd([...options, ...files], { ...withoutSettings, [refusalsFileVariable]: refusals });
    return code === 0 ? await runToEnd(['scripts/check-refusals.ts', refusals], withoutSettings) : code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

if (files.length === 0) {
  process.stderr.write(`There is no test file with ${words.map((word) => `"${word}"`).join(' or ') || 'tests/soak'} in its path.\n`);
  process.exitCode = 1;
} else process.exitCode = await run();
