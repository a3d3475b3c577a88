import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describeSettings } from '../src/config/describe-settings.ts';
import { describeApi } from './describe-api.ts';
import { describeProblems } from './describe-problems.ts';
import { describeScopes } from './describe-scopes.ts';

// Writes the generated documentation; with --check it writes nothing and fails where a page is stale.

interface Page {
  readonly path: string;
  text(): string | Promise<string>;
}

/** One line for each generated page. */
const pages: readonly Page[] = [
  { path: 'docs/configuration.md', text: describeSettings },
  { path: 'docs/problems.md', text: describeProblems },
  { path: 'docs/scopes.md', text: describeScopes },
  { path: 'docs/http-api.json', text: describeApi },
];

const root = join(import.meta.dirname, '..');

const readPage = (path: string): string | undefined => {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined; // not there yet
  }
};

const isCheck = process.argv.includes('--check');
for (const { path, text } of pages) {
  const fresh = await text();
  if (readPage(path) === fresh) continue;
  if (isCheck) {
    process.stdout.write(`${path} is stale: run "npm run docs" and commit what it writes.\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(join(root, path), fresh);
    process.stdout.write(`${path} written.\n`);
  }
}
if (isCheck && process.exitCode === undefined) process.stdout.write(`${pages.length} generated pages are fresh.\n`);
