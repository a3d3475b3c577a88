import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createClock } from '../../foundation/clock.ts';
import { startMockTarget, type TargetAnswer } from './mock-target.ts';

const event = { id: 'e1', name: 'order.created', body: { total: '1.10' }, timestamp: '2026-11-02T09:00:00.000Z' };

const given = async (rate: { requests: number; intervalMs: number }) => {
  const answers: TargetAnswer[] = [];
  const target = await startMockTarget({
    rate,
    clock: createClock(),
    chance: () => 0.5,
    eventOf: (id) => (id === event.id ? event : undefined),
    onAnswer: (_id, answer) => answers.push(answer),
  });
  after(target.close);
  const send = async (input: object) =>
    await fetch(target.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: 'mutation M($input: I!) { m(input: $input) { id } }', variables: { input } }),
    });
  return { target, answers, send };
};

test('the target of the demo answers 429 with Retry-After to what comes too early, and counts it', async () => {
  const { target, answers, send } = await given({ requests: 1, intervalMs: 600_000 });
  assert.deepEqual(await (await send({ ...event, brand: 'testBrand' })).json(), { data: { processEvent: { id: 'e1' } } });
  const refused = await send({ ...event, brand: 'testBrand' });
  assert.equal(refused.status, 429);
  assert.match(refused.headers.get('retry-after') ?? '', /^(600|599|59\d|5[5-9]\d)$/);
  assert.deepEqual(answers, ['taken', 'refused']);
  assert.equal(target.refused, 1);
  assert.equal(target.arrivals.count, 1);
});

test('the target of the demo fails one in ten, by status and by GraphQL errors in turn', async () => {
  const { target, answers, send } = await given({ requests: 1_000, intervalMs: 1_000 });
  const failures: string[] = [];
  for (let number = 0; number < 20; number += 1) {
    const response = await send({ ...event, brand: 'testBrand' });
    const body = await response.text();
    if (answers[number] === 'failed') failures.push(`${response.status} ${body.includes('"errors"') ? 'errors' : 'no errors'}`);
  }
  assert.deepEqual(failures, ['500 no errors', '200 errors']);
  assert.equal(target.failed, 2);
  assert.deepEqual([...target.taken], [['e1', 18]]);
});

test('the target of the demo notices what differs from what was sent', async () => {
  const { target, send } = await given({ requests: 1_000, intervalMs: 1_000 });
  await send({ ...event, brand: 'testBrand' });
  await send({ ...event, body: { total: '1.1' }, brand: 'testBrand' });
  await send({ ...event, more: true, brand: 'testBrand' });
  await send({ ...event, id: 'e2', brand: 'testBrand' });
  await send(event);
  assert.deepEqual(target.wrongShapes, ['e1 differs from what was sent', 'e1 differs from what was sent', 'e2 differs from what was sent']);
  assert.deepEqual(target.notEnriched, ['e1']);
});
