import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHandClock, limiterContract } from './limiter.contract.ts';
import { createMemoryLimiter } from './memory-limiter.ts';
import { openLimiter } from './open-limiter.ts';

limiterContract('memory', (clock) => openLimiter({ url: 'memory:', clock }));

test('a guesser who invents names fills no more than the bounded number of counters; the oldest is forgotten', async () => {
  const limiter = createMemoryLimiter({ clock: createHandClock(), maxKeys: 2 });
  const policy = { name: 'tries', limit: 1, windowMs: 1_000 };
  for (const key of ['a', 'b', 'c']) await limiter.take(policy, key);
  assert.equal((await limiter.peek(policy, 'a')).isAllowed, true);
  assert.equal((await limiter.peek(policy, 'b')).isAllowed, false);
  assert.equal((await limiter.peek(policy, 'c')).isAllowed, false);
});

test('a limiter that does not exist stops the start by name', async () => {
  await assert.rejects(openLimiter({ url: 'carrier-pigeon:', clock: createHandClock() }), /carrier-pigeon/);
});
