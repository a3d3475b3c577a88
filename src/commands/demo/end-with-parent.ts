import { isMainThread } from 'node:worker_threads';

// Loaded by Node.js before the demo's server. Standard input is a pipe from the demo: it ends when the demo does, however that
// comes about (SIGKILL too), and then the server stops in good order instead of staying behind.

if (isMainThread) {
  process.stdin.once('close', () => process.kill(process.pid, 'SIGTERM'));
  process.stdin.resume();
  // A server that stops by itself must not be kept alive by this.
  if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref();
}
