import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../entries/entrepot.js', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'entrepot-test-demo-'));
after(() => rmSync(temporary, { recursive: true, force: true }));

/** The demo as a program would run it; its temporary files are where they can be counted. */
const start = (...args: readonly string[]) =>
  spawn(process.execPath, [program, 'demo', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // A data folder of the server that whoever runs the demo may have set: it must stay out of it.
    env: { TMPDIR: temporary, ENTREPOT_DATA: '/nowhere/precious' },
    timeout: 120_000,
  });

const promised = [
  'every event was acknowledged',
  'every answer came within 500 ms',
  'the session was refreshed in time',
  'every event is accounted for',
  'the pace was never exceeded',
  'the pace was used',
  'every event arrived as it was sent',
  'every event arrived enriched',
];

test('the demo shows what flows, the whole way of one event, and that every promise held, in plain lines', {
  timeout: 150_000,
}, async () => {
  const child = start('--seconds', '6');
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  assert.equal(code, 0, output + complaint);
  assert.equal(complaint, '');
  for (const line of output.split('\n')) assert.match(line, /^[^\p{Cc}]*$/u, 'a line with control characters');
  assert.match(
    output,
    /^ +\d s {2}accepted \d+ · waiting \d+ · retrying \d · delivered \d · dead 0 · rate used .+ · slowest answer \d+ ms$/m,
  );
  for (const what of ['accepted', 'routed', 'attempted', 'delivered'])
    assert.match(output, new RegExp(`^ +[\\d.]+ m?s {2}${what}\\b`, 'm'));
  for (const promise of promised) assert.match(output, new RegExp(`^ {2}✓ ${promise}`, 'm'));
  assert.match(output, /^ {2}All promises held\.$/m);
  assert.match(output, /the session was refreshed in time +\d+ times?, at least/);
  assert.deepEqual(readdirSync(temporary), []);
});

test('a demo that is stopped early says how it stood, and leaves nothing behind', { timeout: 150_000 }, async () => {
  const child = start('--seconds', '600', '--rate', '10/1s', '--events-every', '50ms');
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (output.includes('target  GraphQL')) setTimeout(() => child.kill('SIGINT'), 1_000);
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0, output);
  assert.match(output, /The promises {2}after \d+ s, stopped early/);
  assert.match(output, /All promises held\./);
  assert.deepEqual(readdirSync(temporary), []);
});

test('values that the demo cannot work with are refused, all at once', { timeout: 60_000 }, async () => {
  const child = start('--seconds', '0', '--rate', 'fast', '--events-every', '1');
  const [complaint, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(code, 64);
  assert.match(complaint, /--seconds is "0", but must be a whole number from 1 to 86400\./);
  assert.match(complaint, /--rate is "fast", but must be requests per interval/);
  assert.match(complaint, /--events-every is "1", but must be a duration/);
});
