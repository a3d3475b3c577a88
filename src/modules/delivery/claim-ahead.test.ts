import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClaimAhead } from './claim-ahead.ts';

const events = (count: number, characters: number) => Array.from({ length: count }, () => ({ content: 'x'.repeat(characters) }));

test('a lane takes many small events into memory at once, and few large ones', () => {
  const ahead = createClaimAhead(8);
  assert.equal(ahead.most, 8 + 64, 'before it knows them it is careful');
  ahead.learn(events(10, 300));
  assert.equal(ahead.most, 8 + 256);
  assert.equal(ahead.worthwhile, 128);
  ahead.learn(events(10, 32 * 1024));
  assert.equal(ahead.most, 8 + 128, '4 MiB together');
  ahead.learn(events(10, 256 * 1024));
  assert.equal(ahead.most, 8 + 64);
  ahead.learn([]);
  assert.equal(ahead.most, 8 + 64, 'nothing teaches nothing');
});

test('a lane that sends more at once than that has as many again in hand', () => {
  const ahead = createClaimAhead(500);
  assert.equal(ahead.most, 1000);
});
