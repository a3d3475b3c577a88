import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, givenOperator, givenService } from '../support/given.ts';
import { startServer } from '../support/start-server.ts';

test('a page of large events ends early, however many are asked for, and the cursor leads through all of them', async (context) => {
  const server = await startServer();
  context.after(() => server.stop());
  const { token } = await givenService(server, await givenOperator(server), ['events:send', 'events:read']);
  const ids = Array.from({ length: 30 }, (_, number) => `large${number}`);
  for (const id of ids) {
    const sent = await call(server, 'POST', '/v1/events', { token, body: { id, name: 'order.created', body: 'x'.repeat(250_000) } });
    assert.equal(sent.status, 202);
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await call(server, 'GET', `/v1/events?limit=200${cursor === undefined ? '' : `&cursor=${cursor}`}`, { token });
    assert.equal(page.status, 200);
    assert.ok(page.body.items.length > 0);
    assert.ok(page.text.length < 3_000_000, `a page has ${page.text.length} characters`);
    seen.push(...page.body.items.map(({ id }: { id: string }) => id));
    cursor = page.body.nextCursor;
  } while (cursor !== undefined);
  assert.deepEqual(seen, ids.toReversed());
});
