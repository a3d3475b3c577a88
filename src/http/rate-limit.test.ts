import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limitReply } from './rate-limit.ts';
import { ask, startSampleServer } from './sample-server.ts';

test('a limited route tells its limit, and when it is used up 429 how long to wait', async (t) => {
  let remaining = 1;
  const { url } = await startSampleServer(t, {}, (app) =>
    app.get('/limited', { config: { access: 'public' }, schema: { summary: 'x' } }, async (_request, reply) => {
      const isAllowed = remaining > 0;
      remaining -= 1;
      limitReply(reply, {
        isAllowed,
        policyName: 'sign-in "x"',
        limit: 1,
        windowMs: 60_000,
        remaining: Math.max(0, remaining),
        resetMs: 1500,
      });
      return { ok: true };
    }),
  );
  const first = await ask(`${url}/limited`);
  assert.equal(first.status, 200);
  assert.equal(first.headers.get('ratelimit-policy'), '"sign-in x";q=1;w=60');
  assert.equal(first.headers.get('ratelimit'), '"sign-in x";r=0;t=2');
  const second = await ask(`${url}/limited`);
  assert.deepEqual([second.status, second.json.type, second.headers.get('retry-after')], [429, '/problems/too-many', '2']);
  assert.equal(second.headers.get('ratelimit'), '"sign-in x";r=0;t=2');
});
