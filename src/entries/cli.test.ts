import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('./entrepot.js', import.meta.url));

const run = async (args: readonly string[], env: Record<string, string> = {}) => {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env, timeout: 30_000 });
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { output, complaint, code };
};

test('whoever asks for help gets the list of commands', async () => {
  for (const args of [[], ['help'], ['--help'], ['-h']]) {
    const { output, code } = await run(args);
    assert.equal(code, 0);
    assert.match(output, /^ {2}serve +Start the server\.$/m);
    assert.match(output, /^ {2}settings /m);
  }
});

test('each command tells how it is called', async () => {
  for (const args of [
    ['help', 'settings'],
    ['settings', '--help'],
  ]) {
    const { output, code } = await run(args);
    assert.equal(code, 0);
    assert.match(output, /^Usage: entrepot settings \[--json\]$/m);
  }
});

test('a word that is no command is refused with the one that was probably meant', async () => {
  for (const args of [['srve'], ['help', 'srve'], ['srve', '--help']]) {
    const { output, complaint, code } = await run(args);
    assert.equal(code, 64);
    assert.equal(output, '');
    assert.match(complaint, /there is no command "srve"\. Did you mean "serve"\?/);
  }
});

test('an option that does not exist is refused in one line, without a stack', async () => {
  const { complaint, code } = await run(['settings', '--jsn']);
  assert.equal(code, 64);
  assert.match(complaint, /^entrepot settings: Unknown option '--jsn'/);
  assert.doesNotMatch(complaint, /\n {4}at /);
});

test('wrong settings end the program with code 78 and everything that is wrong', async () => {
  const { output, complaint, code } = await run(['settings'], { ENTREPOT_PROT: '1', ENTREPOT_ROLE: 'boss' });
  assert.equal(code, 78);
  assert.equal(output, '');
  assert.match(complaint, /ENTREPOT_PROT is not a setting; did you mean ENTREPOT_PORT\?/);
  assert.match(complaint, /ENTREPOT_ROLE is "boss", but must be one of all, api, worker\./);
});

test('the effective settings are shown with their source, and secrets are hidden', async () => {
  const { output, code } = await run(['settings'], {
    ENTREPOT_PORT: '9000',
    ENTREPOT_OPERATOR: 'root:correct horse',
    ENTREPOT_MAIL: 'smtp://me:horse@localhost',
  });
  assert.equal(code, 0);
  assert.match(output, /^ENTREPOT_PORT +environment +9000$/m);
  assert.match(output, /^ENTREPOT_HOST +default +127\.0\.0\.1$/m);
  assert.match(output, /^ENTREPOT_OPERATOR +environment +\[secret\]$/m);
  assert.match(output, /^ENTREPOT_MAIL +environment +\[secret\]$/m);
  assert.doesNotMatch(output, /horse/);
});

test('the effective settings are shown to programs as JSON', async () => {
  const { output } = await run(['settings', '--json'], { ENTREPOT_SECRET_KEY: 'a key of some length' });
  const rows: { name: string }[] = JSON.parse(output);
  assert.deepEqual(
    rows.filter(({ name }) => /_(SECRET_KEY|ROLE|PUBLIC_URL)$/.test(name)),
    [
      { name: 'ENTREPOT_PUBLIC_URL', value: null, source: 'default' },
      { name: 'ENTREPOT_ROLE', value: 'all', source: 'default' },
      { name: 'ENTREPOT_SECRET_KEY', value: '[secret]', source: 'environment' },
    ],
  );
});

test('a server keeps the process id under which it was started, and gives memory back', {
  skip: process.platform !== 'linux',
}, async (context) => {
  const data = await mkdtemp(join(tmpdir(), 'entrepot-cli-'));
  const env = { ENTREPOT_DATA: data, ENTREPOT_PORT: '0' };
  const child = spawn(process.execPath, [program, 'serve'], { stdio: ['ignore', 'pipe', 'inherit'], env });
  const ended = once(child, 'exit');
  context.after(async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(data, { recursive: true, force: true });
  });
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (output.includes('server.listening')) break;
  }
  const environment = await readFile(`/proc/${child.pid}/environ`, 'utf8');
  assert.ok(environment.split('\0').includes('MALLOC_ARENA_MAX=4'));
  assert.match(await readFile(`/proc/${child.pid}/cmdline`, 'utf8'), /--max-semi-space-size=/);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null], 'a signal to that process id ends it in good order');
});

test('the version is told with that of Node.js', async () => {
  const { output, code } = await run(['--version']);
  assert.equal(code, 0);
  assert.match(output, /^entrepot \d+\.\d+\.\d+, Node\.js 24\./);
});
