import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(new URL('../compose.ts', import.meta.url));

test('a server that starts does not load the HTTP client that comes with Node.js and that nothing of it uses', async () => {
  const script = `await import(${JSON.stringify(source)}); console.log(process.moduleLoadList.join('\\n'))`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { timeout: 30_000 });
  const loaded = stdout.split('\n');
  assert.ok(loaded.includes('NativeModule http'), 'the list tells what is loaded');
  assert.deepEqual(
    loaded.filter((name) => name.includes('undici')),
    [],
    "somewhere node:http or another module of Node's is imported that loads it: see node-http.ts",
  );
});
