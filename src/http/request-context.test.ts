import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, startSampleServer } from './sample-server.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const sent = `00-${traceId}-00f067aa0ba902b7-01`;

test('a trace is continued: the same trace id, a span of our own, the state of the others', async (t) => {
  const { url } = await startSampleServer(t);
  const { json } = await ask(`${url}/v1/trace-context`, { headers: { traceparent: sent, tracestate: 'vendor=a:b , other@x=1' } });
  assert.match(String(json.traceparent), new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
  assert.notEqual(json.traceparent, sent);
  assert.equal(json.tracestate, 'vendor=a:b,other@x=1');
});

test('what is not recorded stays so, and a later version is taken as far as it is known', async (t) => {
  const { url } = await startSampleServer(t);
  const continued = async (traceparent: string) => (await ask(`${url}/v1/trace-context`, { headers: { traceparent } })).json.traceparent;
  assert.match(String(await continued(`00-${traceId}-00f067aa0ba902b7-00`)), new RegExp(`^00-${traceId}-.*-00$`));
  assert.match(String(await continued(`cc-${traceId}-00f067aa0ba902b7-03-more`)), new RegExp(`^00-${traceId}-.*-01$`));
});

test('a malformed traceparent starts a new trace and takes the state with it', async (t) => {
  const { url } = await startSampleServer(t);
  for (const traceparent of [
    'nonsense',
    `ff-${traceId}-00f067aa0ba902b7-01`,
    `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    `00-${traceId}-00f067aa0ba902b7-01-more`,
    `00-${traceId.toUpperCase()}-00f067aa0ba902b7-01`,
  ]) {
    const { json } = await ask(`${url}/v1/trace-context`, { headers: { traceparent, tracestate: 'a=1' } });
    assert.match(String(json.traceparent), /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01$/, traceparent);
    assert.doesNotMatch(String(json.traceparent), new RegExp(traceId));
    assert.equal(json.tracestate, undefined);
  }
});

test('a malformed tracestate is dropped, the trace is continued', async (t) => {
  const { url } = await startSampleServer(t);
  for (const tracestate of ['no-equals', 'a=1,a=2', 'UPPER=1', Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(',')]) {
    const { json } = await ask(`${url}/v1/trace-context`, { headers: { traceparent: sent, tracestate } });
    assert.match(String(json.traceparent), new RegExp(traceId));
    assert.equal(json.tracestate, undefined, tracestate);
  }
});
