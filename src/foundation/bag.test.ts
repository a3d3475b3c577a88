import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBag } from './bag.ts';

test('a bag holds what was added and not removed, whatever was removed before', () => {
  const bag = createBag<{ name: number; place: number }>();
  const made = Array.from({ length: 8 }, (_, name) => ({ name, place: 0 }));
  const names = () => bag.items.map(({ name }) => name).toSorted();
  for (const item of made) bag.add(item);
  for (const gone of [7, 0, 3, 6]) bag.remove(made[gone] ?? assert.fail());
  assert.deepEqual(names(), [1, 2, 4, 5]);
  bag.add(made[3] ?? assert.fail());
  for (const gone of [3, 1, 5, 2, 4]) {
    bag.remove(made[gone] ?? assert.fail());
    assert.ok(!names().includes(gone));
  }
  assert.deepEqual(names(), []);
});
