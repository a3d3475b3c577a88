import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { type Received, type ReceiverOptions, startReceiver } from '../../../../tests/support/receiver.ts';
import { Problem } from '../../../foundation/problem.ts';
import { createOutbound } from './outbound-http.ts';
import type { Sending, TargetConfig } from './target.ts';
import { webhookKind } from './webhook.ts';

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
});

const dayMs = 24 * 3_600_000;
const never = new AbortController().signal;
const sendingOf = (content: string, more: Partial<Sending> = {}): Sending => ({
  deliveryId: 'dlv_01h455vb4pex5vsknk084sn02q',
  factId: 'fact_01',
  type: 'order.created',
  occurredAt: Date.parse('2026-11-24T12:00:00.123Z'),
  attemptAt: Date.now(),
  content,
  timeoutMs: 5000,
  onSent() {},
  ...more,
});
const openTarget = async (answer?: ReceiverOptions['answer'], change?: (config: TargetConfig) => TargetConfig) => {
  const receiver = await startReceiver(answer === undefined ? {} : { answer });
  const outbound = createOutbound({ allow: ['127.0.0.0/8'] });
  open.push(receiver, { stop: () => outbound.close() });
  const { config } = webhookKind.complete({ url: receiver.url });
  const used = change?.(config) ?? config;
  return { receiver, config: used, target: webhookKind.open(used, outbound) };
};
const secretOf = (config: TargetConfig): string => String(config.secret);
const headersOf = ({ headers }: Received) => ({
  'webhook-id': String(headers['webhook-id']),
  'webhook-timestamp': String(headers['webhook-timestamp']),
  'webhook-signature': String(headers['webhook-signature']),
});
const only = (received: readonly Received[]): Received => {
  const [first] = received;
  assert.ok(first);
  return first;
};

describe('a webhook target', () => {
  it('sends what a Standard Webhooks library verifies', async () => {
    const { receiver, config, target } = await openTarget();
    const judged = await target.send(sendingOf('{"id":"e1","text":"grüße 😀"}'), never);
    assert.equal(judged.outcome, 'delivered');
    const received = only(receiver.received);
    const verified = new Webhook(secretOf(config)).verify(received.body, headersOf(received));
    assert.deepEqual(verified, { type: 'order.created', timestamp: '2026-11-24T12:00:00.123Z', data: { id: 'e1', text: 'grüße 😀' } });
    assert.equal(received.headers['content-type'], 'application/json');
    assert.throws(() => new Webhook(secretOf(config)).verify(`${received.body} `, headersOf(received)));
  });

  it('signs each try at its own time under the same id', async () => {
    const { receiver, config, target } = await openTarget();
    const attemptAt = Date.now();
    await target.send(sendingOf('{}', { attemptAt }), never);
    await target.send(sendingOf('{}', { attemptAt: attemptAt + 60_000 }), never);
    const [first, second] = receiver.received.map(headersOf);
    assert.equal(first?.['webhook-id'], second?.['webhook-id']);
    assert.equal(Number(second?.['webhook-timestamp']) - Number(first?.['webhook-timestamp']), 60);
    for (const received of receiver.received) new Webhook(secretOf(config)).verify(received.body, headersOf(received));
  });

  it('hands numbers and texts on exactly as they came, and continues the trace', async () => {
    const { receiver, target } = await openTarget();
    const content = '{"n":12345678901234567890,"d":1.10,"t":"\\u00fc","type":"x"}';
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await target.send(sendingOf(content, { type: 'a"b', traceparent }), never);
    const received = only(receiver.received);
    assert.equal(received.body, `{"type":"a\\"b","timestamp":"2026-11-24T12:00:00.123Z","data":${content}}`);
    assert.equal(received.headers.traceparent, traceparent);
  });

  it('signs with both secrets for a day after a change, then with the new one alone', async () => {
    const at = Date.now();
    let before: TargetConfig = {};
    const { receiver, config, target } = await openTarget(undefined, (made) => {
      before = made;
      return webhookKind.complete({ url: made.url }, { before: made, at }).config;
    });
    assert.notEqual(secretOf(config), secretOf(before));
    await target.send(sendingOf('{}', { attemptAt: at }), never);
    const received = only(receiver.received);
    for (const secret of [secretOf(before), secretOf(config)]) new Webhook(secret).verify(received.body, headersOf(received));
    await target.send(sendingOf('{}', { attemptAt: at + dayMs }), never);
    assert.doesNotMatch(String(receiver.received[1]?.headers['webhook-signature']), / /);
  });

  it('judges statuses, and every way in which a target can misbehave', async () => {
    const { receiver, target } = await openTarget();
    const outcomeOf = async (answer: NonNullable<ReceiverOptions['answer']>) => {
      receiver.answerWith(answer);
      return (await target.send(sendingOf('{}', { timeoutMs: 200 }), never)).outcome;
    };
    assert.equal(await outcomeOf(() => ({ status: 204 })), 'delivered');
    assert.equal(await outcomeOf(() => ({ status: 410 })), 'gone');
    assert.equal(await outcomeOf(() => ({ status: 401 })), 'failed');
    assert.equal(await outcomeOf(() => ({ status: 422 })), 'refused');
    assert.equal(await outcomeOf(() => ({ status: 503 })), 'failed');
    assert.equal(await outcomeOf(() => ({ status: 503, headers: { 'retry-after': '1' } })), 'throttled');
    for (const answer of ['reset', 'garbage', 'hang', 'redirect'] as const) assert.equal(await outcomeOf(() => answer), 'failed', answer);
  });
});

describe('the config of a webhook target', () => {
  const url = 'https://hooks.example.com/in';
  const keyOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;
  const faultsOf = (config: unknown): string[] => {
    try {
      webhookKind.complete(config);
      return [];
    } catch (error) {
      assert.ok(error instanceof Problem && error.kind === 'bad-body', String(error));
      assert.doesNotMatch(JSON.stringify(error.extras), /whsec_B/);
      return (error.extras.errors ?? []).map(({ at }) => at);
    }
  };

  it('gets a secret of its own, shown once and never again', () => {
    const { config, shownOnce } = webhookKind.complete({ url });
    assert.match(secretOf(config), /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.deepEqual(shownOnce, { secret: secretOf(config) });
    assert.deepEqual(webhookKind.show(config), { url, secret: '[secret]' });
    assert.notEqual(secretOf(webhookKind.complete({ url }).config), secretOf(config));
  });

  it('takes a secret of 24 to 64 bytes, with or without padding, and no other', () => {
    for (const secret of [keyOf(24), keyOf(32), keyOf(64), keyOf(32).replace('=', '')]) {
      assert.deepEqual(webhookKind.complete({ url, secret }), { config: { url, secret } });
    }
    for (const secret of [
      '',
      'whsec_',
      keyOf(23),
      keyOf(65),
      keyOf(32).slice(6),
      `${keyOf(32)}!`,
      keyOf(32).replace('B', '-'),
      'whsec_%%%%',
      '[secret]',
    ]) {
      assert.deepEqual(faultsOf({ url, secret }), ['/config/secret'], secret);
    }
    assert.deepEqual(faultsOf({ url, secret: 5 }), ['/config/secret']);
    assert.deepEqual(faultsOf({ url, headers: {} }), ['/config/headers']);
  });

  it('keeps its secret when it is given back as it was shown', () => {
    const before = webhookKind.complete({ url }).config;
    const { config, shownOnce } = webhookKind.complete({ ...webhookKind.show(before), url: 'https://b.example/' }, { before, at: 0 });
    assert.deepEqual(config, { url: 'https://b.example/', secret: secretOf(before) });
    assert.equal(shownOnce, undefined);
  });

  it('keeps the former secret through further changes until its day is over', () => {
    const first = webhookKind.complete({ url }).config;
    const second = webhookKind.complete({ url }, { before: first, at: 1000 }).config;
    const third = webhookKind.complete(webhookKind.show(second), { before: second, at: 2000 }).config;
    assert.equal(third.formerSecret, secretOf(first));
    assert.equal(third.formerUntil, 1000 + dayMs);
    const later = webhookKind.complete(webhookKind.show(third), { before: third, at: 1000 + dayMs }).config;
    assert.deepEqual(later, { url, secret: secretOf(second) });
  });
});
