import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fetchBytes } from '../support/file-calls.ts';
import { call, givenOperator } from '../support/given.ts';
import { givenFile } from '../support/given-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// A proxy serves us below a path of its own and takes it away: what we answer leads back through the proxy.

describe('behind a proxy that serves us below a path', () => {
  let server: TestServer;
  let token: string;

  before(async () => {
    server = await startServer({ env: { ENTREPOT_PUBLIC_URL: 'https://world.example/store/' } });
    token = await givenOperator(server);
  });
  after(() => server.stop());

  it('what was made is to be found at its Location', async () => {
    const { headers, body } = await call(server, 'POST', '/v1/folders', { token, body: { name: 'Photos' } });
    assert.equal(headers.get('location'), `/store/v1/folders/${body.id}`);
  });

  it('the next page is to be found at its Link', async () => {
    await call(server, 'POST', '/v1/folders', { token, body: { name: 'Films' } });
    const { headers } = await call(server, 'GET', '/v1/folders?limit=1', { token });
    assert.match(headers.get('link') ?? '', /^<\/store\/v1\/folders\?limit=1&cursor=[^>]+>; rel="next"$/);
  });

  it('what was fetched by its name is to be found at its Content-Location', async () => {
    const { id } = await givenFile(server, token, 'a note', { name: 'note.txt' });
    const { headers } = await fetchBytes(server, '/v1/files/by-name/note.txt/content', { token });
    assert.equal(headers.get('content-location'), `/store/v1/files/${id}/content`);
  });
});
