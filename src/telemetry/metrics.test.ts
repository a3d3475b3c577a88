import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

test('counters, gauges and histograms of other rooms stand in the text', async () => {
  const metrics = createMetrics();
  const accepted = metrics.counter({ name: 'events_accepted_total', help: 'Events.', labels: ['source'] });
  accepted.add(2, { source: 'a' });
  accepted.add(1, { source: 'a' });
  let waiting = 0;
  metrics.gauge({ name: 'deliveries_waiting', help: 'Waiting.' }, (gauge) => {
    waiting += 5;
    gauge.set(waiting);
  });
  const sizes = metrics.histogram({ name: 'batch_events', help: 'Size.', buckets: [1, 10] });
  sizes.observe(7);
  const text = await metrics.text();
  assert.match(text, /events_accepted_total\{source="a"\} 3/);
  assert.match(text, /deliveries_waiting 5/);
  assert.match(text, /batch_events_bucket\{le="10"\} 1/);
  assert.match(await metrics.text(), /deliveries_waiting 10/);
  assert.match(text, /process_resident_memory_bytes/);
});

test('a series that is removed is not told any more', async () => {
  const metrics = createMetrics();
  const gauge = metrics.gauge({ name: 'lane_waiting', help: 'x', labels: ['target'] });
  gauge.set(1, { target: 'a' });
  gauge.set(2, { target: 'b' });
  gauge.remove({ target: 'a' });
  const text = await metrics.text();
  assert.doesNotMatch(text, /lane_waiting\{target="a"\}/);
  assert.match(text, /lane_waiting\{target="b"\} 2/);
});

test('answered requests are a histogram by route, method and status', async () => {
  const metrics = createMetrics();
  metrics.observe('/v1/events', 'POST', 202, 3);
  metrics.observe('/v1/events', 'POST', 202, 600);
  metrics.observe('/v1/events', 'POST', 202, 60_000);
  metrics.observe('/v1/events', 'POST', 400, 1);
  metrics.observe('/odd"\\', 'GET', 200, 1);
  const text = await metrics.text();
  const labels = 'route="/v1/events",method="POST",status="202"';
  assert.ok(text.includes(`http_request_duration_seconds_bucket{le="0.0025",${labels}} 0\n`));
  assert.ok(text.includes(`http_request_duration_seconds_bucket{le="0.005",${labels}} 1\n`));
  assert.ok(text.includes(`http_request_duration_seconds_bucket{le="1",${labels}} 2\n`));
  assert.ok(text.includes(`http_request_duration_seconds_bucket{le="+Inf",${labels}} 3\n`));
  assert.ok(text.includes(`http_request_duration_seconds_count{${labels}} 3\n`));
  assert.match(text, new RegExp(`http_request_duration_seconds_sum\\{${labels}\\} 60\\.603`));
  assert.ok(text.includes('route="/odd\\"\\\\"'));
});

test('a name is given once', () => {
  const metrics = createMetrics();
  metrics.counter({ name: 'twice_total', help: 'x' });
  assert.throws(() => metrics.counter({ name: 'twice_total', help: 'x' }), /already been registered/);
});
