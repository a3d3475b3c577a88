import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { fetchBytes } from '../support/file-calls.ts';
import { call, eventually, givenOperator, givenTarget, type Json } from '../support/given.ts';
import { givenFile } from '../support/given-files.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { png } from '../support/sample-files.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { idOf, metadataOf, tusClient } from '../support/tus.ts';

// Whatever happens to a file is told to targets that want it, with the file as GET shows it at that moment.

describe('targets are told of a file', () => {
  let server: TestServer;
  let receiver: Receiver;
  let token: string;
  let me: string;

  before(async () => {
    receiver = await startReceiver();
    server = await startServer({ env: { ENTREPOT_PUBLIC_URL: 'https://files.example.org' } });
    token = await givenOperator(server);
    me = (await call(server, 'GET', '/v1/me', { token })).body.id;
    await givenTarget(server, token, { kind: 'webhook', types: ['file.*', 'share.*'], config: { url: receiver.url } });
  });
  after(() => Promise.all([server.stop(), receiver.stop()]));

  /** The body of the fact of that type about that file or share. */
  const told = async (type: string, id: string): Promise<Json> => {
    const facts = () => receiver.received.map(({ json }) => json as Json);
    const found = await eventually(
      async () => facts().find((fact) => fact.type === type && fact.data.body.id === id),
      (fact) => fact !== undefined,
    );
    assert.deepEqual([found.data.name, typeof found.data.id, typeof found.timestamp], [type, 'string', 'string']);
    return found.data.body;
  };
  const shown = async (id: string): Promise<Json> => {
    const answer = await call(server, 'GET', `/v1/files/${id}`, { token });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };

  it('that it is stored, fetched, trashed, restored and deleted', async () => {
    const fields = { name: 'harbour.png', title: 'The harbour', roles: ['Mentor/Coach'], visibility: 'public' };
    const { id, url } = await givenFile(server, token, png(), fields, 'image/png');
    assert.deepEqual(await told('file.stored', id), await shown(id));

    await fetchBytes(server, new URL(url).pathname);
    assert.deepEqual(await told('file.fetched', id), { ...(await shown(id)), how: 'public' });

    await call(server, 'DELETE', `/v1/files/${id}`, { token });
    assert.deepEqual(await told('file.trashed', id), await shown(id));

    await call(server, 'POST', `/v1/files/${id}/restore`, { token });
    const restored = await shown(id);
    assert.deepEqual(await told('file.restored', id), restored);

    await call(server, 'DELETE', `/v1/files/${id}?permanent=true`, { token });
    const { state, name, owner, url: address } = await told('file.deleted', id);
    assert.deepEqual([state, name, owner, address], ['deleted', restored.name, me, undefined]);
  });

  it('that its bytes were refused, and why', async () => {
    const tus = tusClient(server, token);
    const declared = { 'upload-length': '70000', 'upload-metadata': metadataOf({ filename: 'lie.png', filetype: 'image/png' }) };
    const path = await tus.begin(declared);
    const refused = await tus.patch(path, 0, 'this is no picture '.repeat(4_000).slice(0, 70_000));
    assert.deepEqual([refused.status, refused.body.type], [415, '/problems/unsupported-type']);
    const file = await shown(idOf(path));
    assert.deepEqual([file.state, typeof file.reason], ['rejected', 'string']);
    assert.deepEqual(await told('file.rejected', idOf(path)), file);
  });

  it('that it is shared, and that the share is opened', async () => {
    const { id: fileId } = await givenFile(server, token, 'shared');
    const made = await call(server, 'POST', '/v1/shares', { token, body: { fileId } });
    const share = async () => (await call(server, 'GET', `/v1/shares/${made.body.id}`, { token })).body;
    assert.deepEqual(await told('share.created', made.body.id), { ...(await share()), owner: me });
    await call(server, 'POST', `/v1/shares/${made.body.url.split('/').at(-1)}/open`, { body: {} });
    assert.deepEqual(await told('share.opened', made.body.id), { ...(await share()), owner: me });
  });
});
