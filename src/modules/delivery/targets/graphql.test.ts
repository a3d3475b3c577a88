import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { buildSchema, graphql } from 'graphql';
import { type Received, type ReceiverOptions, startReceiver } from '../../../../tests/support/receiver.ts';
import { Problem } from '../../../foundation/problem.ts';
import { graphqlKind } from './graphql.ts';
import { createOutbound } from './outbound-http.ts';
import type { Sending, TargetConfig } from './target.ts';

const open: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.stop();
});

const sendingOf = (content: string, more: Partial<Sending> = {}): Sending => ({
  deliveryId: 'dlv_01',
  factId: 'fact_01',
  type: 'order.created',
  occurredAt: 0,
  attemptAt: Date.now(),
  content,
  timeoutMs: 5000,
  onSent() {},
  ...more,
});
const never = new AbortController().signal;

/** A target over a real receiver, with what it needs opened and closed. */
const openTarget = async (answer: ReceiverOptions['answer'], config: object = {}) => {
  const receiver = await startReceiver(answer === undefined ? {} : { answer });
  const outbound = createOutbound({ allow: ['127.0.0.0/8'] });
  open.push(receiver, { stop: () => outbound.close() });
  const target = graphqlKind.open(graphqlKind.complete({ url: receiver.url, ...config }).config, outbound);
  return { receiver, target };
};
const faultsOf = (config: unknown, before?: TargetConfig): string[] => {
  try {
    graphqlKind.complete(config, before && { before, at: 0 });
    return [];
  } catch (error) {
    assert.ok(error instanceof Problem && error.kind === 'bad-body', String(error));
    return (error.extras.errors ?? []).map(({ at }) => at);
  }
};

describe('a GraphQL target', () => {
  it('is understood by a real GraphQL server', async () => {
    const schema = buildSchema(
      'scalar Body input ProcessEventInput { id: ID! name: String! body: Body brand: String } type Done { id: ID! } type Query { a: Int } type Mutation { processEvent(input: ProcessEventInput!): Done! }',
    );
    const answer = async ({ json }: Received) => {
      const { query, variables } = json as { query: string; variables: { input: unknown } };
      const rootValue = { processEvent: ({ input }: { input: { id: string } }) => ({ id: input.id }) };
      return { body: await graphql({ schema, source: query, variableValues: variables, rootValue }) };
    };
    const { target } = await openTarget(answer);
    const good = await target.send(sendingOf('{"id":"e1","name":"a","body":{"deep":[1,2]},"brand":"testBrand"}'), never);
    assert.deepEqual(good, { outcome: 'delivered', status: 200, responseBody: '{"data":{"processEvent":{"id":"e1"}}}' });
  });

  it('sends the event as the variable of the mutation, with its numbers and texts exactly as they came', async () => {
    const { receiver, target } = await openTarget(undefined);
    const content =
      '{"id":"e","n":12345678901234567890,"d":1.10,"x":1e400,"t":"\\u00fc ü \\/ \\ud83d\\ude00","__proto__":{"a":1},"s":"$input }}"}';
    await target.send(sendingOf(content), never);
    const mutation = 'mutation ProcessEvent($input: ProcessEventInput!) { processEvent(input: $input) { id } }';
    assert.equal(receiver.received[0]?.body, `{"query":"${mutation}","variables":{"input":${content}}}`);
  });

  it('sends its headers, the delivery as Idempotency-Key, the trace it continues and the configured ones', async () => {
    const { receiver, target } = await openTarget(undefined, { headers: { Authorization: 'Bearer abc', 'User-Agent': 'mine' } });
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await target.send(sendingOf('{}', { traceparent, tracestate: 'a=1,b=2' }), never);
    const headers = receiver.received[0]?.headers ?? {};
    assert.equal(headers['content-type'], 'application/json');
    assert.equal(headers.accept, 'application/graphql-response+json, application/json;q=0.9');
    assert.equal(headers['idempotency-key'], 'dlv_01');
    assert.equal(headers.authorization, 'Bearer abc');
    assert.equal(headers['user-agent'], 'mine');
    assert.equal(headers.traceparent, traceparent);
    assert.equal(headers.tracestate, 'a=1,b=2');
  });

  it('leaves a malformed trace context out instead of failing for ever', async () => {
    const { receiver, target } = await openTarget(undefined);
    const judged = await target.send(sendingOf('{}', { traceparent: 'x\r\nevil: 1', tracestate: 'a\r\nb: c' }), never);
    assert.equal(judged.outcome, 'delivered');
    assert.equal(receiver.received[0]?.headers.traceparent, undefined);
    assert.equal(receiver.received[0]?.headers.tracestate, undefined);
  });

  it('uses a mutation and variable of its own', async () => {
    const { receiver, target } = await openTarget(undefined, { mutation: 'mutation($e: JSON!) { take(e: $e) }', variable: 'e' });
    await target.send(sendingOf('{"a":1}'), never);
    assert.deepEqual(receiver.received[0]?.json, { query: 'mutation($e: JSON!) { take(e: $e) }', variables: { e: { a: 1 } } });
  });

  it('makes every way in which a target can misbehave an outcome', async () => {
    const { receiver, target } = await openTarget(undefined);
    for (const answer of ['reset', 'half', 'garbage', 'redirect', 'drip', 'hang', 'flood'] as const) {
      receiver.answerWith(() => answer);
      const judged = await target.send(sendingOf('{}', { timeoutMs: 200 }), never);
      assert.equal(judged.outcome, 'failed', answer);
      assert.ok('reason' in judged && judged.reason.length > 0, answer);
    }
    receiver.answerWith(() => ({
      status: 200,
      body: { data: null, errors: [{ message: 'slow down', extensions: { code: 'THROTTLED' } }] },
    }));
    assert.equal((await target.send(sendingOf('{}'), never)).outcome, 'throttled');
    receiver.answerWith(() => ({ body: { data: { ok: true } } }));
    assert.equal((await target.send(sendingOf('{}'), never)).outcome, 'delivered');
  });
});

describe('the config of a GraphQL target', () => {
  it('is completed with its defaults and shown without the values of headers', () => {
    const { config, shownOnce } = graphqlKind.complete({
      url: 'https://api.example.com/graphql',
      headers: { Authorization: 'Bearer abc' },
    });
    assert.equal(shownOnce, undefined);
    const shown = graphqlKind.show(config);
    assert.deepEqual(shown, {
      url: 'https://api.example.com/graphql',
      mutation: 'mutation ProcessEvent($input: ProcessEventInput!) { processEvent(input: $input) { id } }',
      variable: 'input',
      headers: { Authorization: '[secret]' },
    });
    assert.doesNotMatch(JSON.stringify(shown), /abc/);
  });

  it('may be given back as it was shown, with hidden values standing for what they were', () => {
    const before = graphqlKind.complete({ url: 'https://a.example/', headers: { Authorization: 'Bearer abc', 'X-Old': 'o' } }).config;
    const { headers } = graphqlKind.show(before);
    const changed = { ...graphqlKind.show(before), headers: { ...(headers as object), 'X-Old': 'n' } };
    const { config } = graphqlKind.complete(changed, { before, at: 0 });
    assert.deepEqual(config.headers, { Authorization: 'Bearer abc', 'X-Old': 'n' });
    assert.deepEqual(faultsOf({ url: 'https://a.example/', headers: { 'X-New': '[secret]' } }, before), ['/config/headers/X-New']);
    assert.deepEqual(faultsOf({ url: 'https://a.example/', headers: { 'X-New': '[secret]' } }), ['/config/headers/X-New']);
  });

  it('names each fault', () => {
    const url = 'https://a.example/';
    assert.deepEqual(faultsOf({}), ['/config/url']);
    assert.deepEqual(faultsOf(null), ['/config']);
    assert.deepEqual(faultsOf({ url: 5, nonsense: 1 }).sort(), ['/config/nonsense', '/config/url']);
    assert.deepEqual(faultsOf({ url: 'nonsense' }), ['/config/url']);
    assert.deepEqual(faultsOf({ url: 'http://u:p@a.example/' }), ['/config/url']);
    assert.deepEqual(faultsOf({ url, variable: 'a b' }), ['/config/variable']);
    assert.deepEqual(faultsOf({ url, variable: 'event' }), ['/config/mutation']);
    assert.deepEqual(faultsOf({ url, mutation: 'mutation($inputs: X) { a(x: $inputs) }' }), ['/config/mutation']);
  });

  it('lets nobody slip in headers or take over those of the protocol', () => {
    const url = 'https://a.example/';
    for (const name of [
      'Host',
      'Content-Type',
      'content-length',
      'Transfer-Encoding',
      'Connection',
      'Accept',
      'Idempotency-Key',
      'traceparent',
      'TE',
      'Upgrade',
      'Expect',
      '',
      'a b',
      'a:b',
      'a\r\nb',
      'ü',
      'x'.repeat(129),
    ]) {
      assert.deepEqual(faultsOf({ url, headers: { [name]: 'v' } }), [`/config/headers/${name}`], name);
    }
    for (const value of ['', ' v', 'v ', 'a\r\nb: c', 'a\nb', 'a\u0000b', 'ü', '\u007f']) {
      assert.deepEqual(faultsOf({ url, headers: { 'X-A': value } }), ['/config/headers/X-A'], JSON.stringify(value));
    }
    assert.deepEqual(faultsOf({ url, headers: { 'X-A': '1', 'x-a': '2' } }), ['/config/headers/x-a']);
    assert.deepEqual(faultsOf({ url, headers: { 'X-A': 'x'.repeat(9000) } }), ['/config/headers']);
    assert.deepEqual(faultsOf({ url, headers: Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`X-${index}`, 'v'])) }), [
      '/config/headers',
    ]);
    assert.deepEqual(faultsOf({ url, headers: { 'X-A': 5 } }), ['/config/headers/X-A']);
  });

  it('that is damaged in the store does not open', () => {
    const outbound = createOutbound({ allow: [] });
    open.push({ stop: () => outbound.close() });
    assert.throws(() => graphqlKind.open({ url: 'https://a.example/' }, outbound), /damaged/);
  });
});
