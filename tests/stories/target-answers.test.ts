import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Scene, startScene } from '../support/delivery-scene.ts';
import { eventually, type Json } from '../support/given.ts';
import type { Answer, ReceiverOptions } from '../support/receiver.ts';

type Answering = NonNullable<ReceiverOptions['answer']>;

const contented: Answer = { body: { data: { processEvent: { id: '1' } } } };
/** The first answers in order, then contentment. */
const first = (...answers: readonly Answer[]): Answering => {
  let next = 0;
  return () => answers[next++] ?? contented;
};
const outcomesOf = (delivery: Json): string[] => delivery.attempts.map(({ outcome }: Json) => outcome);
const wordsOf = async (scene: Scene, id: string): Promise<string[]> =>
  (await scene.call('GET', `/v1/trace/${id}`)).body.entries.map(({ what }: Json) => what);

// Each test has a target of its own, so they need not wait for each other.
describe("what a target's answer means", { concurrency: 8 }, () => {
  let scene: Scene;
  before(async () => {
    scene = await startScene();
  });
  after(() => scene.stop());

  for (const kind of ['webhook', 'graphql']) {
    describe(`of a ${kind}`, { concurrency: 8 }, () => {
      const faults: [string, Answer, RegExp][] = [
        ['hangs', 'hang', /within 200 ms/],
        ['resets the connection', 'reset', /closed|reset|ended/i],
        ['answers garbage', 'garbage', /HTTP/],
        ['redirects', 'redirect', /redirect/],
        ['answers 401', { status: 401 }, /401/],
        ['answers 403', { status: 403 }, /403/],
        ['answers 404', { status: 404 }, /404/],
        ['answers 500', { status: 500 }, /500/],
        ['answers 503 without Retry-After', { status: 503 }, /503/],
      ];
      for (const [what, answer, reason] of faults) {
        it(`a target that ${what} is tried again, as often as it is allowed, and then the delivery is dead`, async () => {
          const target = await scene.target(() => answer, { kind, timeoutMs: answer === 'hang' ? 200 : 15_000 });
          await target.send('x');
          const dead = await target.delivery('x', 'dead');
          assert.deepEqual(outcomesOf(dead), ['failed', 'failed', 'failed']);
          for (const attempt of dead.attempts) assert.match(attempt.reason, reason);
          assert.match(dead.reason, reason);
          assert.equal(target.received().length, 3);
          assert.deepEqual(await wordsOf(scene, dead.id), ['attempted', 'retrying', 'attempted', 'retrying', 'attempted', 'dead']);
          assert.ok(
            scene.receiver.received.every(({ path }) => path !== '/elsewhere'),
            'no redirect is followed',
          );
        });
      }

      it('a target that recovers gets it', async () => {
        const target = await scene.target(first('reset', { status: 500 }), { kind });
        await target.send('x');
        assert.deepEqual(outcomesOf(await target.delivery('x', 'delivered')), ['failed', 'failed', 'delivered']);
      });

      for (const status of [400, 413, 415, 422]) {
        it(`${status} is about the item: dead at once`, async () => {
          const target = await scene.target(() => ({ status, body: { errors: [{ message: 'the item is wrong' }] } }), { kind });
          await target.send('x');
          const dead = await target.delivery('x', 'dead');
          assert.deepEqual(
            dead.attempts.map(({ outcome, status: answered }: Json) => [outcome, answered]),
            [['refused', status]],
          );
          assert.equal((await scene.event(`${target.type}-x`, 'dead')).state, 'dead');
        });
      }

      const throttled: [string, Answer][] = [
        ['429 with Retry-After', { status: 429, headers: { 'retry-after': '1' } }],
        ['503 with Retry-After', { status: 503, headers: { 'retry-after': '1' } }],
        ['429 without Retry-After', { status: 429 }],
      ];
      for (const [what, answer] of throttled) {
        it(`${what} pauses the lane and spends no attempt`, async () => {
          const target = await scene.target(first(answer, answer), {
            kind,
            retry: { attempts: 1 },
            rate: { requests: 20, intervalMs: 1000 },
          });
          await target.send('x');
          const delivered = await target.delivery('x', 'delivered');
          assert.deepEqual(outcomesOf(delivered), ['delivered']);
          const words = await wordsOf(scene, delivered.id);
          assert.deepEqual(words, ['throttled', 'throttled', 'attempted', 'delivered']);
        });
      }
    });
  }

  it('GraphQL: 200 with a validation error is dead at once, with the message', async () => {
    const errors = [{ message: 'Variable "$input" is wrong', extensions: { code: 'BAD_USER_INPUT' } }];
    const target = await scene.target(() => ({ body: { data: null, errors } }), { kind: 'graphql' });
    await target.send('x');
    const dead = await target.delivery('x', 'dead');
    assert.deepEqual([outcomesOf(dead), dead.reason], [['refused'], 'Variable "$input" is wrong']);
  });

  it('GraphQL: 200 with a throttling error pauses the lane and spends no attempt', async () => {
    const slow: Answer = { body: { errors: [{ message: 'slow down', extensions: { code: 'THROTTLED' } }] } };
    const target = await scene.target(first(slow), { kind: 'graphql', retry: { attempts: 1 } });
    await target.send('x');
    const delivered = await target.delivery('x', 'delivered');
    assert.deepEqual(outcomesOf(delivered), ['delivered']);
    assert.ok((await wordsOf(scene, delivered.id)).includes('throttled'));
  });

  it('GraphQL: 200 with any other error, without data, or with half an answer is tried again', async () => {
    const answers: Answer[] = [
      { body: { data: { processEvent: null }, errors: [{ message: 'it broke' }] } },
      { body: 'OK' },
      { body: {} },
      'half',
    ];
    const target = await scene.target(first(...answers), { kind: 'graphql', retry: { attempts: 5, minDelayMs: 1, maxDelayMs: 5 } });
    await target.send('x');
    const delivered = await target.delivery('x', 'delivered');
    assert.deepEqual(outcomesOf(delivered), ['failed', 'failed', 'failed', 'failed', 'delivered']);
    assert.equal(delivered.attempts[0].reason, 'it broke');
  });

  it('webhook: any 2xx is delivered, whatever body comes with it, also one without end', async () => {
    const target = await scene.target(first({ status: 204 }, { status: 200, body: '<html>' }, { status: 202 }, 'flood'), {
      concurrency: 1,
    });
    for (const id of [1, 2, 3, 4]) await target.send(id);
    for (const id of [1, 2, 3, 4]) assert.deepEqual(outcomesOf(await target.delivery(id, 'delivered')), ['delivered']);
    assert.equal(target.received().length, 4);
  });

  it('an answer that comes drop by drop is cut off at the time limit', async () => {
    const target = await scene.target(() => 'drip', { kind: 'graphql', timeoutMs: 200, retry: { attempts: 1 } });
    await target.send('x');
    assert.match((await target.delivery('x', 'dead')).reason, /within 200 ms/);
  });

  it('410 from a webhook pauses the target and tells so; nothing is lost, and resumed it goes on', async () => {
    const watcher = await scene.target(undefined, { types: ['target.paused'] });
    const target = await scene.target(() => ({ status: 410, afterMs: 50 }));
    for (const id of [1, 2, 3, 4, 5]) await target.send(id);
    const paused = await eventually(
      () => scene.call('GET', `/v1/targets/${target.id}`),
      ({ body }) => body.state === 'paused',
    );
    assert.match(paused.body.reason, /410/);
    await eventually(
      () => target.deliveries(),
      (items) => items.length === 5 && items.every(({ state }) => state === 'waiting'),
    );
    await eventually(async () => watcher.received().length, Boolean);
    target.answerWith(() => contented);
    const resumed = await scene.call('POST', `/v1/targets/${target.id}/resume`);
    assert.deepEqual([resumed.body.state, resumed.body.reason], ['active', undefined]);
    for (const id of [1, 2, 3, 4, 5]) {
      const outcomes = outcomesOf(await target.delivery(id, 'delivered'));
      assert.deepEqual([outcomes.filter((outcome) => outcome !== 'gone')], [['delivered']]);
    }
    const facts = watcher.received().map(({ json }) => json as Json);
    assert.equal(facts.length, 1, 'it was paused once');
    assert.deepEqual([facts[0].type, facts[0].data.body.id, facts[0].data.body.state], ['target.paused', target.id, 'paused']);
  });

  it('a name that does not resolve, or a port where nobody listens, is tried again with the reason', async () => {
    for (const [url, reason] of [
      ['http://nowhere.invalid/hook', /nowhere\.invalid/],
      ['http://127.0.0.1:1/hook', /127\.0\.0\.1/],
    ] as const) {
      const target = await scene.target(undefined, { config: { url }, retry: { attempts: 2, minDelayMs: 1, maxDelayMs: 5 } });
      await target.send('x');
      const dead = await target.delivery('x', 'dead');
      assert.deepEqual(outcomesOf(dead), ['failed', 'failed']);
      assert.match(dead.reason, reason);
    }
  });

  it('a target that is away is only probed, so that a backlog does not spend its attempts on it', async () => {
    let isAway = true;
    const target = await scene.target(() => (isAway ? { status: 500 } : contented), {
      retry: { attempts: 10, minDelayMs: 1, maxDelayMs: 5 },
    });
    const ids = Array.from({ length: 30 }, (_, index) => index);
    await scene.send(ids.map((id) => ({ id: `${target.type}-${id}`, name: target.type })));
    await eventually(
      async () => target.received().length,
      (length) => length >= 10,
    );
    const failures = target.received().length;
    await eventually(
      async () => target.received().length,
      (length) => length > failures,
    );
    isAway = false;
    await eventually(
      () => target.deliveries('&state=delivered'),
      (items) => items.length === 30,
    );
  });

  it('a target that hangs slows no other', async () => {
    const hanging = await scene.target(() => 'hang', { timeoutMs: 3_000 });
    const well = await scene.target();
    for (const id of Array.from({ length: 20 }, (_, index) => index)) {
      await hanging.send(id);
      await well.send(id);
    }
    await eventually(
      () => well.deliveries('&state=delivered'),
      (items) => items.length === 20,
    );
    assert.equal((await hanging.deliveries('&state=delivered')).length, 0);
  });
});
