import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, startSampleServer } from './sample-server.ts';

test('a page links to the next one: the same address with the next cursor', async (t) => {
  const { url } = await startSampleServer(t);
  const { headers, json } = await ask(`${url}/v1/things?isNew=true&cursor=this`, { as: 'reader' });
  assert.equal(headers.get('link'), '</v1/things?isNew=true&cursor=next%261>; rel="next"');
  assert.equal(json.nextCursor, 'next&1');
});

test('a list gives 50 items when no limit is named', async (t) => {
  const { url } = await startSampleServer(t);
  const { json } = await ask(`${url}/v1/things`, { as: 'reader' });
  assert.deepEqual(JSON.parse((json.items as { id: string }[])[0]?.id ?? ''), { limit: 50 });
});
