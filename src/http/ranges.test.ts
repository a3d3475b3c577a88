import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contentRange, parseRange } from './ranges.ts';

const rangesOf = (header: string, size = 10_000): string => {
  const wanted = parseRange(header, size);
  return wanted.are === 'some' ? wanted.ranges.map(({ first, last }) => `${first}-${last}`).join(',') : wanted.are;
};

test('§14.1.2 one range: from to, open at the end, the last so many', () => {
  assert.equal(rangesOf('bytes=0-499'), '0-499');
  assert.equal(rangesOf('bytes=9500-'), '9500-9999');
  assert.equal(rangesOf('bytes=-500'), '9500-9999');
  assert.equal(rangesOf('bytes=0-0'), '0-0');
  assert.equal(rangesOf('bytes=-1'), '9999-9999');
  assert.equal(rangesOf('BYTES=0-1'), '0-1');
  assert.equal(contentRange({ first: 0, last: 499 }, 10_000), 'bytes 0-499/10000');
});

test('§14.1.2 what reaches beyond the end is cut there, whatever the length of its numbers', () => {
  assert.equal(rangesOf('bytes=9000-99999'), '9000-9999');
  assert.equal(rangesOf('bytes=-99999'), '0-9999');
  const huge = '9'.repeat(400);
  assert.equal(rangesOf(`bytes=5-${huge}`), '5-9999');
  assert.equal(rangesOf(`bytes=-${huge}`), '0-9999');
  assert.equal(rangesOf(`bytes=${huge}-`), 'unsatisfiable');
  assert.equal(rangesOf('bytes=9007199254740993-9007199254740992'), 'ignored'); // equal as numbers of JavaScript
  assert.equal(rangesOf('bytes=000000000000000000000005-6'), '5-6');
});

test('§14.1.2 a range with none of its bytes is not satisfiable; of several those that are count', () => {
  for (const header of ['bytes=10000-', 'bytes=20000-30000', 'bytes=-0', 'bytes=10000-,-0'])
    assert.equal(rangesOf(header), 'unsatisfiable');
  assert.equal(rangesOf('bytes=20000-30000,5-6'), '5-6');
  assert.equal(rangesOf('bytes=0-', 0), 'unsatisfiable');
  assert.equal(rangesOf('bytes=-5', 0), 'ignored');
});

test('§14.2 another unit, nonsense and a range that runs backwards are ignored as a whole', () => {
  for (const header of ['lines=0-1', 'bytes', 'bytes=', 'bytes=,', 'bytes=-', 'bytes=a-b', 'bytes=5-4', 'bytes=0-1,x', 'bytes=1', '0-1'])
    assert.equal(rangesOf(header), 'ignored', header);
  for (const header of ['bytes=0-1, bytes=4-5', 'bytes=+1-2', 'bytes=1.5-2', 'bytes=0 - 1', 'bytes = 0-1', 'bytes=0-1-2', 'bytes=0x1-2'])
    assert.equal(rangesOf(header), 'ignored', header);
});

test('§14.1.1 several ranges keep their order; empty places in the list count for nothing', () => {
  assert.equal(rangesOf('bytes=500-600,0-10'), '500-600,0-10');
  assert.equal(rangesOf('bytes= 0-10 ,, 500-600\t,'), '0-10,500-600');
});

test('§15.3.7.2 ranges that overlap or nearly touch are joined, so that many cannot ask for more than there is', () => {
  assert.equal(rangesOf('bytes=0-10,5-20'), '0-20');
  assert.equal(rangesOf('bytes=0-10,11-20'), '0-20');
  assert.equal(rangesOf('bytes=0-10,50-60'), '0-60');
  assert.equal(rangesOf('bytes=0-10,1000-2000,5-20'), '0-20,1000-2000');
  assert.equal(rangesOf('bytes=0-10,1000-1010,5000-5010,5-1005'), '0-1010,5000-5010');
  assert.equal(rangesOf('bytes=0-,0-,0-,0-'), '0-9999');
});

test('§14.2 more than 16 ranges get the whole', () => {
  const many = (count: number) => `bytes=${Array.from({ length: count }, (_, index) => `${index * 500}-${index * 500}`).join(',')}`;
  assert.equal(rangesOf(many(16)).split(',').length, 16);
  assert.equal(rangesOf(many(17)), 'ignored');
});
