import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

// Runs dependency-cruiser over src and prints each violation with the reason of its rule.

interface Cruise {
  readonly modules: readonly { readonly source: string }[];
  readonly summary: {
    readonly violations: readonly { readonly from: string; readonly to: string; readonly rule: { readonly name: string } }[];
    readonly ruleSetUsed: { readonly forbidden: readonly { readonly name: string; readonly comment: string }[] };
  };
}

const root = join(import.meta.dirname, '..');

const cruise = (): Cruise => {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const { stdout, stderr, error } = spawnSync(process.execPath, [program, '--output-type', 'json', 'src'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
  if (error !== undefined || stdout === '') throw new Error(`dependency-cruiser did not run: ${stderr}`, { cause: error });
  return JSON.parse(stdout);
};

const { modules, summary } = cruise();

// Without its parser dependency-cruiser reads no file, and then finds nothing wrong either.
const read = new Set(modules.map(({ source }) => source));
const unread = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => join('src', path))
  .filter((path) => !read.has(path.replaceAll('\\', '/')));
if (unread.length > 0)
  process.stdout.write(
    `dependency-cruiser did not read ${unread.length} files, among them ${unread[0]}; does it know this version of TypeScript? (npx depcruise --info)\n`,
  );

const whyOf = new Map(summary.ruleSetUsed.forbidden.map(({ name, comment }) => [name, comment]));
for (const { from, to, rule } of summary.violations) {
  process.stdout.write(`${from} must not import ${to}\n  ${rule.name}: ${whyOf.get(rule.name)}\n`);
}
if (unread.length > 0 || summary.violations.length > 0) process.exitCode = 1;
else process.stdout.write(`The imports of ${read.size} files and packages keep the rules.\n`);
