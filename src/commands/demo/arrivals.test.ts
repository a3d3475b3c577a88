import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createArrivals } from './arrivals.ts';

const readAtOnce = (at: number) => at;

test('one request more than the rate allows in any window is not admitted, and says when it may come', () => {
  const arrivals = createArrivals({ requests: 2, intervalMs: 1_000 }, readAtOnce);
  assert.deepEqual(
    [0, 900, 999, 1_000, 1_899, 1_900].map((at) => arrivals.admits(at)),
    [true, true, false, true, false, true],
  );
  assert.equal(arrivals.count, 4);
  assert.equal(arrivals.freeAt, 2_000);
  assert.equal(arrivals.tightestMs, 999);
});

test('a request that was read late does not make the next one early', () => {
  // Read at 1,050, but it may have been there from 1,000 on: the next one at 3,010 keeps to one in two seconds.
  const arrivals = createArrivals({ requests: 1, intervalMs: 2_000 }, (at) => (at === 1_050 ? 1_000 : at));
  assert.equal(arrivals.admits(1_050), true);
  assert.equal(arrivals.admits(2_999), false);
  assert.equal(arrivals.admits(3_010), true);
});
