// Runs before `npm start`, `npm test`, `npm run demo`, …: makes sure that what package-lock.json names is installed, Node.js 24
// among it. Says what it does; does and says nothing when nothing is missing. Plain JavaScript for Node.js 20, needs no package.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const neededMajor = 24;
const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const isWindows = process.platform === 'win32';

const readPackages = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages ?? {};
  } catch {
    return undefined;
  }
};

/** npm writes down what it installed as the last act of an installation: each package must be there as the lock file wants it. */
const isInstalled = () => {
  const wanted = readPackages(join(root, 'package-lock.json'));
  const present = readPackages(join(modules, '.package-lock.json'));
  if (wanted === undefined) fail('package-lock.json is missing or damaged; "git checkout package-lock.json" brings it back.');
  if (present === undefined) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const found = present[path];
    if (path === '' || (found === undefined && optional)) return true; // optional: for another system or processor
    return found !== undefined && found.version === version && found.integrity === integrity;
  });
};

/** The child must not run on a Node.js of the folder that is being replaced. */
const pathWithoutModules = () =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.startsWith(modules + sep))
    .join(delimiter);

const install = () => {
  say('Installing the packages (npm ci); this needs the network and is done once …');
  const { status, error } = spawnSync('npm', ['ci', '--include=dev', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: pathWithoutModules() },
    shell: isWindows,
  });
  if (status === 0) return;
  fail(
    error === undefined ? `npm ci ended with code ${status}; its own message stands above.` : `npm cannot be run: ${error.message}`,
    'If it speaks of ENOTFOUND, EAI_AGAIN, ECONNREFUSED or ETIMEDOUT, it did not reach its registry: look at the network,',
    'or at "npm config get registry" and "npm config get proxy", and run the same command again.',
  );
};

const majorOf = (version) => Number.parseInt(version.replace(/^v/, ''), 10);

/** The version of the Node.js that npm puts first on the PATH of a script. */
const findNodeVersion = () => {
  const own = join(modules, '.bin', isWindows ? 'node.cmd' : 'node');
  if (process.execPath.startsWith(modules + sep) || !existsSync(own)) return process.version;
  const { status, stdout } = spawnSync(own, ['--version'], { encoding: 'utf8', shell: isWindows });
  return status === 0 ? stdout.trim() : 'none';
};

const checkNode = () => {
  const version = findNodeVersion();
  if (majorOf(version) >= neededMajor) return;
  fail(
    `Node.js ${neededMajor} is needed, but node_modules/.bin/node is ${version === process.version ? 'not there' : version}.`,
    'The package "node" brings it by its install script, which npm did not run ("ignore-scripts" is set, or package.json lacks',
    '"allowScripts": { "node": true }), or which failed. To run just that script:',
    '  npm rebuild node --ignore-scripts=false',
    `Or use a Node.js ${neededMajor} of your own.`,
  );
};

const say = (line) => process.stdout.write(`entrepot: ${line}\n`);

const fail = (...lines) => {
  process.stderr.write(`\nentrepot: ${lines.join('\n          ')}\n`);
  process.exit(1);
};

if (majorOf(process.version) < 20) fail(`Node.js ${process.version} is too old; 20 is the oldest that can start this.`);
if (!isInstalled()) {
  install();
  say('Installed.');
}
checkNode();
