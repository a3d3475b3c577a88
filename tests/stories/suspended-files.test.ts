import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fetchBytes } from '../support/file-calls.ts';
import { call, givenOperator, type Json } from '../support/given.ts';
import { givenFile } from '../support/given-files.ts';
import { password } from '../support/given-people.ts';
import { noteRefusal } from '../support/refusals-seen.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

describe('the files of a suspended tenant', () => {
  let server: TestServer;
  let operator: string;
  let tenantId: string;
  let token: string;

  before(async () => {
    server = await startServer();
    operator = await givenOperator(server);
    const admin = { username: 'careless', password };
    tenantId = (await call(server, 'POST', '/v1/tenants', { token: operator, body: { name: 'Careless', admin } })).body.id;
    token = (await call(server, 'POST', '/v1/sessions', { body: { method: 'password', ...admin } })).body.accessToken;
  });
  after(() => server.stop());

  const make = async (path: string, body: Json): Promise<Json> => {
    const answer = await call(server, 'POST', path, { token, body });
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
  };
  const turn = async (state: string) =>
    assert.equal((await call(server, 'PATCH', `/v1/tenants/${tenantId}`, { token: operator, body: { state } })).status, 200);
  const put = async (url: string) => {
    const response = await fetch(url, { method: 'PUT', body: 'twelve bytes' });
    const text = await response.text();
    noteRefusal('PUT', new URL(url).pathname, response.status, text);
    return [response.status, text === '' ? undefined : JSON.parse(text).type];
  };

  it('are given to nobody by any road, take nothing in, and are all there when it comes back', async () => {
    const file = await givenFile(server, token, 'published', { visibility: 'public' });
    const link: string = (await make(`/v1/files/${file.id}/links`, {})).url;
    const share: string = (await make('/v1/shares', { fileId: file.id })).url;
    const shareToken = share.slice(share.lastIndexOf('/') + 1);
    const open = () => call(server, 'POST', `/v1/shares/${shareToken}/open`, { body: {} });
    const opening = (await open()).body.shareToken;
    const { upload } = await make('/v1/files/direct', { name: 'late.txt', size: 12, type: 'text/plain' });

    const roads: Record<string, () => Promise<{ status: number }>> = {
      public: () => fetchBytes(server, file.url),
      link: () => fetchBytes(server, link),
      page: () => call(server, 'GET', `/s/${shareToken}`),
      open,
      share: () => call(server, 'GET', `/v1/shares/${shareToken}/files/${file.id}/content`, { headers: { 'x-share-token': opening } }),
    };
    const statuses = async () => {
      const answers = await Promise.all(Object.entries(roads).map(async ([road, take]) => [road, (await take()).status]));
      return Object.fromEntries(answers);
    };
    const all = (status: number) => Object.fromEntries(Object.keys(roads).map((road) => [road, status]));

    await turn('suspended');
    assert.deepEqual(await statuses(), all(404));
    assert.deepEqual(await put(upload.url), [403, '/problems/tenant-suspended']);
    await turn('active');
    assert.deepEqual(await statuses(), all(200));
    assert.deepEqual(await put(upload.url), [200, undefined]);
  });
});
