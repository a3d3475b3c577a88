import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { Secret } from '../foundation/secret.ts';
import { createLog } from './pino-log.ts';

const collect = (level: 'debug' | 'info' | 'silent' = 'info') => {
  const lines: string[] = [];
  const log = createLog({ level, pretty: false, replica: 'r1', destination: { write: (line: string) => lines.push(line) } });
  return { log, lines };
};

test('a line says when, how bad, where, what happened, and everything about it', () => {
  const { log, lines } = collect();
  log.info({ event: 'a-1', ms: 3 }, 'event.accepted');
  const { time, ...line } = JSON.parse(lines[0] ?? '');
  assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(line, { level: 'info', replica: 'r1', event: 'a-1', ms: 3, message: 'event.accepted' });
});

test('what is less important than the level is not logged', () => {
  const { log, lines } = collect();
  log.debug({}, 'small.thing');
  collect('silent').log.fatal({}, 'nothing.at.all');
  assert.deepEqual(lines, []);
});

test('a secret is never logged, wherever it stands', () => {
  const { log, lines } = collect();
  const headers = { authorization: 'Bearer hush', Cookie: 'a=hush', 'set-cookie': ['hush'], accept: '*/*' };
  const error = Object.assign(new Error('failed', { cause: Object.assign(new Error('deep'), { password: 'hush' }) }), {
    request: { headers },
  });
  log.info({ token: 'hush', session: { refreshToken: 'hush', list: [{ pin: '1234hush' }] }, key: new Secret('hush'), headers }, 'x');
  log.error({ err: error }, 'y');
  assert.equal(lines.length, 2);
  assert.doesNotMatch(lines.join(''), /hush/);
  assert.match(lines.join(''), /"accept":"\*\/\*"/);
});

test('logging does not change what is logged', () => {
  const { log } = collect();
  const fields = { session: { token: 'kept' } };
  log.info(fields, 'x');
  assert.deepEqual(fields, { session: { token: 'kept' } });
});

test('an error is logged with its stack and its causes', () => {
  const { log, lines } = collect();
  log.error({ err: new TypeError('outer', { cause: new Error('inner') }) }, 'worker.failed');
  const { err } = JSON.parse(lines[0] ?? '');
  assert.equal(err.type, 'TypeError');
  assert.match(err.stack, /pino-log\.test\.ts/);
  assert.equal(err.cause.message, 'inner');
  assert.match(err.cause.stack, /pino-log\.test\.ts/);
});

test('fields that point in a circle, or are huge numbers, do no harm', () => {
  const { log, lines } = collect();
  const circle: Record<string, unknown> = { count: 12345678901234567890n };
  circle.self = circle;
  log.info({ circle }, 'x');
  assert.equal(JSON.parse(lines[0] ?? '').message, 'x');
});

const outputOf = async (script: string): Promise<{ output: string; code: number | null }> => {
  const source = `import { createLog } from ${JSON.stringify(new URL('./pino-log.ts', import.meta.url).href)};
    const log = createLog({ level: 'info', pretty: false, replica: 'r1' }); ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { output, code };
};

test('no line is lost when the process ends, however it does', { timeout: 30_000 }, async () => {
  const lines = `for (let n = 0; n < 200; n += 1) log.info({ n }, 'line');`;
  for (const end of [
    '',
    'process.exit(3);',
    'log.flush(); process.kill(process.pid, "SIGKILL");',
    'log.fatal({}, "end"); process.kill(process.pid, "SIGKILL");',
  ]) {
    const { output } = await outputOf(lines + end);
    assert.equal(output.split('\n').filter((line) => line.includes('"message":"line"')).length, 200, end);
  }
});

test('a reader that goes away does not end the process', { timeout: 30_000 }, async () => {
  const source = `import { createLog } from ${JSON.stringify(new URL('./pino-log.ts', import.meta.url).href)};
    const log = createLog({ level: 'info', pretty: false, replica: 'r1' });
    process.stdin.on('end', () => { for (let n = 0; n < 200; n += 1) log.info({ n }, 'line'); setTimeout(() => process.exit(7), 300); }).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdout.destroy();
  child.stdin.end();
  const [code] = await once(child, 'exit');
  assert.equal(code, 7);
});
