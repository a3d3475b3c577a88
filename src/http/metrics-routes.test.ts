import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { Secret } from '../foundation/secret.ts';
import { createMetricsServer } from './metrics-routes.ts';
import { ask, createKeptLog, createKeptMetrics, startSampleServer } from './sample-server.ts';

test('figures are for the operator and for the token from the settings, and for nobody else', async (t) => {
  const { url } = await startSampleServer(t, { metricsToken: new Secret('figures-please') });
  assert.equal((await ask(`${url}/metrics`)).status, 401);
  assert.equal((await ask(`${url}/metrics`, { as: 'sender' })).status, 403);
  assert.equal((await ask(`${url}/metrics`, { as: 'figures' })).status, 401);
  assert.equal((await ask(`${url}/metrics`, { as: 'operator' })).status, 200);
  const { status, headers, text } = await ask(`${url}/metrics`, { as: 'figures-please' });
  assert.equal(status, 200);
  assert.match(headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  assert.deepEqual(text.split('\n'), ['GET /metrics 401', 'GET /metrics 403', 'GET /metrics 401', 'GET /metrics 200']);
});

test('the token opens nothing else, and without one in the settings none does', async (t) => {
  const { url } = await startSampleServer(t, { metricsToken: new Secret('figures-please') });
  assert.equal((await ask(`${url}/v1/things`, { as: 'figures-please' })).status, 401);
  const closed = await startSampleServer(t);
  assert.equal((await ask(`${closed.url}/metrics`, { as: '' })).status, 401);
});

test('figures that are off, or have a port of their own, are not on the main one', async (t) => {
  const { url } = await startSampleServer(t, { servesMetrics: false });
  assert.equal((await ask(`${url}/metrics`, { as: 'operator' })).status, 404);
});

test('a port of their own serves the figures to everybody who reaches it, and nothing else', async (t) => {
  const metrics = createKeptMetrics();
  metrics.observe('/v1/events', 'POST', 202, 1);
  const server = createMetricsServer({ metrics, log: createKeptLog() }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  assert.equal((await ask(`${url}/metrics`)).text, 'POST /v1/events 202');
  assert.equal((await ask(`${url}/v1/version`)).status, 404);
  assert.equal((await ask(`${url}/metrics`, { method: 'POST' })).status, 405);
});
