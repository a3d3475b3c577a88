import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { suite, test } from 'node:test';

// What has to hold of the source text itself. As tests, so that one run and one summary tell everything.

// What a program printed says where the fault is; where this file noticed it does not matter.
Error.stackTraceLimit = 0;

const root = join(import.meta.dirname, '..');

/** Runs a program of the project; fails with all it printed unless it ends with 0. */
const mustPass = async (program: string, ...args: string[]): Promise<void> => {
  const child = spawn(process.execPath, [join(root, program), ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, complaints, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  if (code !== 0) assert.fail(`${[program, ...args].join(' ')} ended with ${code}:\n${output}${complaints}`);
};

suite('the source is in order', { concurrency: 2, timeout: 120_000 }, () => {
  test('the types fit (npm run types)', () => mustPass('node_modules/typescript/bin/tsc', '-p', '.'));
  test('it is formatted and without lint (npm run lint)', () =>
    mustPass('node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'));
  test('everybody imports only what it may (npm run deps)', () => mustPass('scripts/check-imports.ts'));
  test('the rules of the house are kept (npm run house)', () => mustPass('scripts/check-house.ts'));
  test('the generated documentation is fresh (npm run docs)', () => mustPass('scripts/generate-docs.ts', '--check'));
});
