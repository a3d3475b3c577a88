import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../foundation/problem.ts';
import type { LimitDecision } from '../../limits/limiter.ts';
import { openLimiter } from '../../limits/open-limiter.ts';
import { createGuessing } from './guessing.ts';
import { createTurnableClock } from './identity.fixture.ts';

const minuteMs = 60_000;

const given = async () => {
  const clock = createTurnableClock();
  const guessing = createGuessing({ limiter: await openLimiter({ url: 'memory:', clock }) });
  const told: LimitDecision[] = [];
  let made = 0;
  const attempt = async (name: string, address: string, isRight: boolean): Promise<'right' | 'wrong' | 'too-many'> => {
    try {
      const outcome = await guessing.guard({ name, address, tell: (decision) => told.push(decision) }, async () => {
        made += 1;
        await new Promise((resolve) => setImmediate(resolve));
        return isRight ? {} : undefined;
      });
      return outcome ? 'right' : 'wrong';
    } catch (error) {
      assert.ok(error instanceof Problem && error.kind === 'too-many', String(error));
      assert.ok((error.extras.retryAfterMs ?? 0) > 0);
      return 'too-many';
    }
  };
  const repeat = async (times: number, act: (index: number) => Promise<string>) => {
    const outcomes: string[] = [];
    for (let index = 0; index < times; index += 1) outcomes.push(await act(index));
    return outcomes;
  };
  return { clock, attempt, repeat, told, made: () => made };
};

test('after ten failures the right secret is refused too from there, while another address goes on', async () => {
  const { attempt, repeat, told, made } = await given();
  assert.deepEqual(new Set(await repeat(10, () => attempt('ada', '192.0.2.1', false))), new Set(['wrong']));
  assert.equal(await attempt('ada', '192.0.2.1', true), 'too-many');
  assert.equal(made(), 10);
  assert.equal(await attempt('ada', '192.0.2.2', true), 'right');
  assert.equal(await attempt('bob', '192.0.2.1', true), 'right');
  assert.equal(told[0]?.remaining, 9);
  assert.equal(told[10]?.isAllowed, false);
});

test('a quarter of an hour later the right secret is taken again', async () => {
  const { clock, attempt, repeat } = await given();
  await repeat(10, () => attempt('ada', '192.0.2.1', false));
  clock.turn(14 * minuteMs);
  assert.equal(await attempt('ada', '192.0.2.1', true), 'too-many');
  clock.turn(minuteMs + 1);
  assert.equal(await attempt('ada', '192.0.2.1', true), 'right');
});

test('signing in rightly never uses up the limit', async () => {
  const { attempt, repeat } = await given();
  assert.deepEqual(new Set(await repeat(150, () => attempt('ada', '192.0.2.1', true))), new Set(['right']));
});

test('a hundred failures with whatever names lock an address, and no other', async () => {
  const { attempt, repeat } = await given();
  assert.deepEqual(new Set(await repeat(100, (index) => attempt(`name-${index}`, '192.0.2.1', false))), new Set(['wrong']));
  assert.equal(await attempt('ada', '192.0.2.1', true), 'too-many');
  assert.equal(await attempt('ada', '192.0.2.2', true), 'right');
});

test('all addresses of an IPv6 network count as one', async () => {
  const { attempt, repeat } = await given();
  await repeat(10, (index) => attempt('ada', `2001:db8:1:2::${index + 1}`, false));
  assert.equal(await attempt('ada', '2001:db8:1:2:ffff::1', true), 'too-many');
  assert.equal(await attempt('ada', '2001:db8:1:3::1', true), 'right');
});

test('a hundred guesses at once are no more than ten', async () => {
  const { attempt, made } = await given();
  const outcomes = await Promise.all(Array.from({ length: 100 }, () => attempt('ada', '192.0.2.1', false)));
  assert.equal(outcomes.filter((outcome) => outcome === 'wrong').length, 10);
  assert.equal(made(), 10);
});

test('fifty right sign-ins at once are all let in', async () => {
  const { attempt } = await given();
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => attempt('ada', '192.0.2.1', true)));
  assert.deepEqual(new Set(outcomes), new Set(['right']));
});

test('a try that failed for our own reasons does not count', async () => {
  const clock = createTurnableClock();
  const guessing = createGuessing({ limiter: await openLimiter({ url: 'memory:', clock }) });
  const broken = async () => {
    throw new Problem('unavailable', 'The database is away.');
  };
  for (let index = 0; index < 20; index += 1) {
    await assert.rejects(guessing.guard({ name: 'ada', address: '192.0.2.1', tell() {} }, broken), { kind: 'unavailable' });
  }
  assert.deepEqual(await guessing.guard({ name: 'ada', address: '192.0.2.1', tell() {} }, async () => ({ ok: 1 })), { ok: 1 });
});

test('a limit from everywhere holds for all addresses, is forgotten by being right, and counts no failure of our own', async () => {
  const guessing = createGuessing({ limiter: await openLimiter({ url: 'memory:', clock: createTurnableClock() }) });
  const everywhere = { policy: { name: 'pin', limit: 3, windowMs: minuteMs }, key: 'phone' };
  let address = 0;
  const attempt = (outcome: object | undefined | Error) => {
    address += 1;
    return guessing.guard({ name: 'phone', address: `192.0.2.${address}`, everywhere, tell() {} }, async () => {
      if (outcome instanceof Error) throw outcome;
      return outcome;
    });
  };
  for (let round = 0; round < 3; round += 1) {
    await attempt(undefined);
    await attempt(undefined);
    for (let times = 0; times < 4; times += 1) await assert.rejects(attempt(new Problem('unavailable', 'The database is away.')));
    assert.deepEqual(await attempt({}), {});
  }
  for (let tries = 0; tries < 3; tries += 1) assert.equal(await attempt(undefined), undefined);
  await assert.rejects(attempt({}), { kind: 'too-many' });
  assert.deepEqual(await guessing.guard({ name: 'phone', address: '192.0.2.1', tell() {} }, async () => ({ ok: 1 })), { ok: 1 });
});
