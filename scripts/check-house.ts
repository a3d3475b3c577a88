import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join, sep } from 'node:path';

// The rules of the house that neither the compiler, nor the linter, nor the import rules can see.

const root = join(import.meta.dirname, '..');

interface SourceFile {
  /** From the root, with `/`. */
  readonly path: string;
  readonly lines: readonly string[];
}

interface Rule {
  readonly why: string;
  /** Which files it looks at. */
  applies(path: string): boolean;
  /** A line that breaks it. */
  readonly forbids: RegExp;
}

const isIn =
  (...places: string[]) =>
  (path: string): boolean =>
    places.some((place) => path === place || path.startsWith(`${place}/`));
const isProduct = isIn('src', 'console/src');
const isTest = (path: string): boolean => /\.(test|contract|fixture)\.ts$/.test(path);
/** This file has to spell what it forbids. */
const isOwn = isIn('scripts/check-house.ts');

const rules: readonly Rule[] = [
  {
    why: 'settings are read in src/config alone, and handed in',
    applies: (path) => isProduct(path) && !isIn('src/config', 'src/entries')(path),
    forbids: /\bprocess\.env\b/,
  },
  {
    why: 'time and chance come from outside: clock.now(), ids.next()',
    applies: (path) => isProduct(path) && !isIn('src/foundation', 'console/src')(path) && !isTest(path),
    forbids: /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(/,
  },
  {
    why: 'a test that is left out, or leaves others out, promises nothing',
    applies: isTest,
    forbids: /\b(test|describe|it|suite)\.(only|skip|todo)\b/,
  },
  {
    why: 'a hole in the types or the linter',
    applies: () => true,
    forbids: /@ts-(ignore|nocheck|expect-error)|biome-ignore/,
  },
  {
    why: 'unfinished',
    applies: isProduct,
    forbids: /\b(TODO|FIXME|XXX)\b|not implemented/,
  },
];

const sourceFolders = ['src', 'tests', 'bench', 'scripts', 'console/src', 'clients'];
const sourceEndings = new Set(['.ts', '.tsx', '.js', '.mjs', '.cjs']);
const emptyNames = new Set([
  'index',
  'util',
  'utils',
  'common',
  'helper',
  'helpers',
  'shared',
  'type',
  'types',
  'dto',
  'service',
  'services',
  'manager',
  'managers',
  'constants',
  'misc',
]);

const listFiles = (folder: string): string[] => {
  try {
    return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.includes(`${sep}node_modules`))
      .map((entry) =>
        join(entry.parentPath, entry.name)
          .slice(root.length + 1)
          .replaceAll(sep, '/'),
      );
  } catch {
    return []; // a folder that is not there yet
  }
};

const readSource = (path: string): SourceFile => ({ path, lines: readFileSync(join(root, path), 'utf8').replace(/\n$/, '').split('\n') });

const checkLength = ({ path, lines }: SourceFile): string[] => {
  const limit = isTest(path) || /\/migrations\/|\.generated\./.test(path) ? 600 : 400;
  return lines.length > limit ? [`${path} has ${lines.length} lines, more than ${limit}: split it by reason to change`] : [];
};

const checkName = ({ path }: SourceFile): string[] => {
  const parts = path.split('/').slice(1);
  const isEmpty = parts.some((part) => emptyNames.has(basename(part, extname(part))));
  return isEmpty ? [`${path}: its name says nothing about what is in it`] : [];
};

const checkLines = ({ path, lines }: SourceFile): string[] =>
  rules
    .filter((rule) => rule.applies(path) && !isOwn(path))
    .flatMap(({ forbids, why }) =>
      lines.flatMap((line, index) => (forbids.test(line) ? [`${path}:${index + 1} ${line.trim()}\n    ${why}`] : [])),
    );

/** A clone installs from the registry of whoever installs, so no address of one is written down. */
const checkLockFile = (): string[] => {
  const { lines } = readSource('package-lock.json');
  const isAddress = (line: string): boolean =>
    /"resolved":/.test(line) || /https?:\/\/[^"]*(registry|npmjs|verdaccio|artifactory|nexus)/i.test(line);
  const count = lines.filter(isAddress).length;
  return count === 0 ? [] : [`package-lock.json names a registry in ${count} lines: with this .npmrc, delete it and run npm install`];
};

const checkNpmrc = (): string[] =>
  readSource('.npmrc').lines.flatMap((line, index) =>
    /registry\s*=|_auth|_password|:\/\//.test(line.replace(/^omit-lockfile-registry-resolved/, ''))
      ? [`.npmrc:${index + 1} names a registry or a key to one`]
      : [],
  );

const files = sourceFolders
  .flatMap(listFiles)
  .filter((path) => sourceEndings.has(extname(path)))
  .map(readSource);
const complaints = [
  ...files.flatMap((file) => [...checkLength(file), ...checkName(file), ...checkLines(file)]),
  ...checkLockFile(),
  ...checkNpmrc(),
];

for (const complaint of complaints) process.stdout.write(`${complaint}\n`);
if (complaints.length > 0) process.exitCode = 1;
else process.stdout.write(`${files.length} files keep the rules of the house.\n`);
