#!/usr/bin/env node
// The way in for everybody, also for those whose Node.js is older than the one the project brings along: plain JavaScript that
// Node.js 20 understands. It goes on in cli.ts, in this process where that can be, else in one with the project's own Node.js.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const neededMajor = 24;
/**
 * Left to itself V8 lets what is young grow without need under load. Measured with 64 requests at a time: this much keeps memory flat and
 * costs nothing, a quarter of it lets what is young grow old.
 */
const leanFlags = ['--max-semi-space-size=16'];
/**
 * Left to itself glibc gives every thread an arena of its own, and each keeps what it once needed; with one alone threads wait for each other.
 * Node's pool of four threads would be waiting for four disk syncs most of the time: with more the file system makes many files durable at
 * once, and who opens a file does not wait behind them.
 */
const leanEnvironment = { MALLOC_ARENA_MAX: '4', UV_THREADPOOL_SIZE: '16' };
const pathTo = (relative) => fileURLToPath(new URL(relative, import.meta.url));

const isNewEnough = Number.parseInt(process.versions.node, 10) >= neededMajor;
if (isNewEnough) {
  beginLean();
  // Compiled sources are kept beside what they are made from; where that cannot be written, everything works without. The
  // variable is for worker threads and child processes, which a call does not reach.
  process.env.NODE_COMPILE_CACHE ??= pathTo('../../node_modules/.cache/entrepot');
  module.enableCompileCache();
  // Node.js writes them when it ends in good order, which a server that is killed never does.
  setTimeout(() => module.flushCompileCache(), 2000).unref();
  await import('./cli.ts');
} else {
  const ownNode = [pathTo('../../node_modules/.bin/node'), pathTo('../../node_modules/node/bin/node.exe')].find(existsSync);
  if (ownNode === undefined) {
    process.stderr.write(
      `entrepot needs Node.js ${neededMajor} and brings it along, but it is not installed yet. Run "npm ci" in ${pathTo('../..')}\n`,
    );
    process.exit(69); // EX_UNAVAILABLE of sysexits
  }
  runWith(ownNode);
}

/**
 * A server begins once more under the same process id, with what only counts when a process begins; the first beginning has loaded
 * nothing yet. Where the system cannot do that, everything works without.
 */
function beginLean() {
  const isServer = process.argv[2] === 'serve';
  // Who watches or commands this process by a channel of Node's would lose it.
  const isWatched = process.send !== undefined || process.env.WATCH_REPORT_DEPENDENCIES !== undefined;
  const isLean = process.env.MALLOC_ARENA_MAX !== undefined;
  if (!isServer || isLean || isWatched || process.platform !== 'linux' || process.execve === undefined) return;
  const args = [process.execPath, ...leanFlags, ...process.execArgv, ...process.argv.slice(1)];
  process.execve(process.execPath, args, { ...leanEnvironment, ...process.env });
}

/** Stands in for the child: hands signals on, and ends as it ended. */
function runWith(node) {
  const child = spawn(node, [...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => isFromTerminal(signal) || child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`entrepot cannot start ${node}: ${error.message}\n`);
    process.exit(69);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

/** A terminal sends these to the child as well, and a second one would end it at once instead of in good order. */
function isFromTerminal(signal) {
  return signal !== 'SIGTERM' && [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
}
