import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, startSampleServer } from './sample-server.ts';

test('the API page needs nothing from elsewhere: all it asks for is here and allowed by its policy', async (t) => {
  const { url } = await startSampleServer(t);
  const { status, headers, text } = await ask(`${url}/docs`);
  assert.equal(status, 200);
  assert.match(headers.get('content-type') ?? '', /^text\/html/);
  const policy = headers.get('content-security-policy') ?? '';
  assert.match(policy, /script-src 'self'/);
  assert.doesNotMatch(policy, /https:|unsafe-eval|script-src[^;]*unsafe-inline|upgrade-insecure/);
  const wanted = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address ?? '');
  assert.ok(wanted.length >= 3 && wanted.every((address) => address.startsWith('/docs/')));
  assert.doesNotMatch(text, /<script>|onload=|style=/);
  for (const address of wanted) assert.equal((await ask(url + address)).status, 200, address);
  assert.match((await ask(`${url}/docs/start.js`)).text, /url: '\/openapi\.json'/);
  assert.equal((await ask(`${url}/openapi.json`)).status, 200);
});

test('no other file is served beside the page', async (t) => {
  const { url } = await startSampleServer(t);
  for (const path of ['/docs/index.html', '/docs/..%2fpackage.json', '/docs/constructor', '/docs/swagger-ui.js']) {
    assert.equal((await ask(url + path)).status, 404, path);
  }
});

test('the welcome page leads to the API', async (t) => {
  const { url } = await startSampleServer(t);
  const { status, text } = await ask(`${url}/?utm=x`);
  assert.equal(status, 200);
  assert.match(text, /href="\/docs"[\s\S]*href="\/openapi\.json"/);
});

test('the type of a refusal leads to its explanation: a page for people, JSON for programs', async (t) => {
  const { url } = await startSampleServer(t);
  const { json } = await ask(`${url}/nope`);
  const explanation = await ask(url + String(json.type));
  assert.deepEqual([explanation.status, explanation.json.type, explanation.json.status], [200, '/problems/not-found', 404]);
  const page = await ask(url + String(json.type), { headers: { accept: 'text/html,application/xhtml+xml' } });
  assert.match(page.text, /<h1>There is nothing here, or you may not see it<\/h1>/);
  assert.equal((await ask(`${url}/problems/toString`)).status, 404);
  assert.ok(((await ask(`${url}/problems`)).json.items as unknown[]).length > 20);
});
