import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

// npm test                 everything but the soak tests: the checks of the source, then src, then tests
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

const run = (): void => {
  const options = [
    '--test',
    '--test-reporter=spec',
    // Most files wait more than they work, so two run at a time even on one core.
    `--test-concurrency=${Math.max(2, Math.min(4, availableParallelism()))}`,
    `--test-timeout=${longestFileMs}`,
  ];
  const child = spawn(process.execPath, [...options, ...files], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: withoutSettings,
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  child.on('exit', (code) => {
    process.exitCode = code ?? 1;
  });
};

if (files.length === 0) {
  process.stderr.write(`There is no test file with ${words.map((word) => `"${word}"`).join(' or ') || 'tests/soak'} in its path.\n`);
  process.exitCode = 1;
} else run();
