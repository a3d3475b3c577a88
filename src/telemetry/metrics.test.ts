import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

test('gauges of other rooms stand in the text as they are when it is read', async () => {
  const metrics = createMetrics();
  let waiting = 0;
  metrics.gauge({ name: 'deliveries_waiting', help: 'Waiting.' }, (set) => {
    waiting += 5;
    set(waiting);
  });
  const text = await metrics.text();
  assert.match(text, /deliveries_waiting 5/);
  assert.match(await metrics.text(), /deliveries_waiting 10/);
  assert.match(text, /process_resident_memory_bytes/);
});

test('a series that is gone is not told any more', async () => {
  const metrics = createMetrics();
  const targets = ['a', 'b'];
  metrics.gauge({ name: 'lane_waiting', help: 'x', labels: ['target'] }, async (set) => {
    for (const [index, target] of targets.entries()) set(index + 1, { target });
  });
  assert.match(await metrics.text(), /lane_waiting\{target="a"\} 1/);
  targets.shift();
  const text = await metrics.text();
  assert.doesNotMatch(text, /lane_waiting\{target="a"\}/);
  assert.match(text, /lane_waiting\{target="b"\} 1/);
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
  metrics.gauge({ name: 'twice', help: 'x' }, () => {});
  assert.throws(() => metrics.gauge({ name: 'twice', help: 'x' }, () => {}), /twice/);
});
