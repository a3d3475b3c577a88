import { closeSync, openSync, rmSync } from 'node:fs';
import { devNull } from 'node:os';
import { isMainThread } from 'node:worker_threads';

// Loaded by Node.js before the demo's server. Standard input is a pipe from the demo: it ends when the demo does, however that
// comes about (SIGKILL too), and then the server stops in good order instead of staying behind, and takes its data with it. Where
// that is, the query of this file's own address says.

const endInGoodOrder = () => {
  // Nobody reads the log any more. A file that is opened gets the lowest number that is free, so this becomes standard output.
  closeSync(1);
  openSync(devNull, 'w');
  const folder = new URL(import.meta.url).searchParams.get('data');
  if (folder !== null) process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  process.kill(process.pid, 'SIGTERM');
};

if (isMainThread) {
  process.stdin.once('end', endInGoodOrder).resume();
  // A server that stops by itself must not be kept alive by this.
  if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();
}
