import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('./batched-output.ts', import.meta.url));

/** Runs the script with its standard output piped to us. */
const start = (script: string) =>
  spawn(process.execPath, ['--input-type=module', '-e', `import { openBatchedOutput } from ${JSON.stringify(file)}; ${script}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

it('every line is written, in order, also those of the last moment', async () => {
  const child = start('const out = openBatchedOutput(1, () => {}); for (let n = 0; n < 20000; n += 1) out.write(`${n}\\n`);');
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  const numbers = text.trim().split('\n').map(Number);
  assert.deepEqual(
    numbers,
    Array.from({ length: 20_000 }, (_, index) => index),
  );
});

it('a process whose log has no reader any more goes on, and ends when it wants to', async () => {
  const child = start(`
    const out = openBatchedOutput(1, () => {});
    const timer = setInterval(() => out.write('x'.repeat(1000) + '\\n'), 1);
    setTimeout(() => { clearInterval(timer); out.write('last\\n'); out.flushSync(); process.exitCode = 3; }, 600);
  `);
  child.stdout.once('data', () => child.stdout.destroy());
  const [code] = await once(child, 'exit');
  assert.equal(code, 3);
});

it('a reader that does not read costs no more memory than the limit, and is told what was dropped', async () => {
  const child = start(`
    let told = 0;
    const out = openBatchedOutput(1, (lines) => { told += lines; });
    const line = 'y'.repeat(9999) + '\\n';
    for (let n = 0; n < 2000; n += 1) out.write(line);
    setTimeout(() => { out.write('end ' + told + '\\n'); }, 1500);
  `);
  await new Promise((resolve) => setTimeout(resolve, 300));
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  const [, told] = /end (\d+)\n$/.exec(text) ?? [];
  const arrived = text.split('\n').filter((line) => line.startsWith('y')).length;
  assert.ok(Number(told) > 0);
  assert.equal(arrived + Number(told), 2_000);
});
