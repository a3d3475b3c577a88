import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'entrepot-prepare-'));
after(() => rmSync(folder, { recursive: true }));

const prepare = (where: string, env: Record<string, string> = {}) => {
  const program = join(where, 'scripts/prepare.mjs');
  const { stdout, stderr, status } = spawnSync(process.execPath, [program], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 60_000,
  });
  return { stdout, stderr, status };
};

const cloneAs = (name: string): string => {
  const clone = join(folder, name);
  mkdirSync(join(clone, 'scripts'), { recursive: true });
  for (const file of ['package.json', 'package-lock.json', 'scripts/prepare.mjs']) cpSync(join(root, file), join(clone, file));
  return clone;
};

test('where everything is installed, preparing does and says nothing', () => {
  assert.deepEqual(prepare(root), { stdout: '', stderr: '', status: 0 });
});

test('without the network, preparing says what it tried and what to look at', () => {
  const clone = cloneAs('offline');
  const nowhere = { npm_config_registry: 'http://127.0.0.1:9/', npm_config_cache: join(folder, 'cache'), npm_config_fetch_retries: '0' };
  const { stdout, stderr, status } = prepare(clone, nowhere);
  assert.equal(status, 1);
  assert.match(stdout, /Installing the packages \(npm ci\)/);
  assert.match(stderr, /it did not reach its registry: look at the network/);
});

test('a clone without its lock file is told how to get it back', () => {
  const clone = cloneAs('no-lock');
  rmSync(join(clone, 'package-lock.json'));
  const { stderr, status } = prepare(clone);
  assert.equal(status, 1);
  assert.match(stderr, /package-lock\.json is missing or damaged/);
});
