import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, startSampleServer } from './sample-server.ts';

test('the process is alive also when a dependency is down', async (t) => {
  const { url } = await startSampleServer(t, { checks: { database: () => Promise.reject(new Error('away')) } });
  const { status, json } = await ask(`${url}/healthz`);
  assert.deepEqual([status, json], [200, { state: 'alive' }]);
});

test('it is ready when every dependency answers, each with its latency', async (t) => {
  const { url } = await startSampleServer(t, { checks: { database: async () => {}, spool: async () => {} } });
  const { status, json } = await ask(`${url}/readyz`);
  const dependencies = json.dependencies as Record<string, { state: string; latencyMs: number }>;
  assert.deepEqual([status, json.state, Object.keys(dependencies)], [200, 'ready', ['database', 'spool']]);
  assert.equal(typeof dependencies.database?.latencyMs, 'number');
});

test('it is not ready when one is down or hangs, and says which without telling secrets', async (t) => {
  const checks = {
    database: () => Promise.reject(new Error('connect to postgres://user:hush@db:5432 failed\nat secret place')),
    broker: () => new Promise<void>(() => {}),
    limits: async () => {},
  };
  const { url, log } = await startSampleServer(t, { checks });
  const { status, headers, json, text } = await ask(`${url}/readyz`);
  const dependencies = json.dependencies as Record<string, { state: string; error?: string }>;
  assert.deepEqual([status, json.state, headers.get('retry-after')], [503, 'not-ready', '1']);
  assert.equal(dependencies.database?.error, 'connect to postgres://db:5432 failed');
  assert.equal(dependencies.broker?.error, 'did not answer within 1 s');
  assert.equal(dependencies.limits?.state, 'up');
  assert.doesNotMatch(text, /hush|secret place/);
  assert.ok(log.lines.some(({ message }) => message === 'dependency.down'));
});

test('it is not ready while it stops', async (t) => {
  const { url } = await startSampleServer(t, { isStopping: () => true });
  const { status, json } = await ask(`${url}/readyz`);
  assert.deepEqual([status, json.state], [503, 'stopping']);
});

test('many probes at once ask each dependency once', async (t) => {
  let asked = 0;
  const check = async () => {
    asked += 1;
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
  const { url } = await startSampleServer(t, { checks: { database: check } });
  await ask(`${url}/healthz`);
  await Promise.all(Array.from({ length: 10 }, () => ask(`${url}/readyz`)));
  assert.ok(asked < 10);
});

test('the version is told', async (t) => {
  const { url } = await startSampleServer(t);
  assert.deepEqual((await ask(`${url}/v1/version`)).json, { name: 'entrepot', version: '1.2.3' });
});
