import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { ServerDidNotStart, startChildServer } from './start-child-server.ts';

const temporary = mkdtempSync(join(tmpdir(), 'entrepot-test-child-'));
after(() => rmSync(temporary, { recursive: true, force: true }));
const never = new AbortController().signal;

test('a server that does not start tells why, and leaves nothing behind', { timeout: 90_000 }, async () => {
  await assert.rejects(startChildServer({ env: {}, settings: { ENTREPOT_ROLE: 'boss' }, signal: never, temporary }), (error) => {
    assert.ok(error instanceof ServerDidNotStart);
    assert.match(error.message, /it ended with code 78\./);
    assert.match(error.message, /ENTREPOT_ROLE is "boss", but must be one of all, api, worker\./);
    return true;
  });
  assert.deepEqual(readdirSync(temporary), []);
});

test('a start that is broken off leaves nothing behind', { timeout: 90_000 }, async () => {
  const stopping = new AbortController();
  const starting = startChildServer({ env: {}, settings: {}, signal: stopping.signal, temporary });
  setTimeout(() => stopping.abort(), 50);
  await assert.rejects(starting, (error) => error === stopping.signal.reason);
  assert.deepEqual(readdirSync(temporary), []);
});
