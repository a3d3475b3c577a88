import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import { after, before, describe, it } from 'node:test';
import { call, givenOperator } from '../support/given.ts';
import { givenFile } from '../support/given-files.ts';
import { givenPerson, type Person } from '../support/given-people.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

describe('a share that gives so many downloads', () => {
  let server: TestServer;
  let ann: Person;

  before(async () => {
    server = await startServer();
    ann = await givenPerson(server, await givenOperator(server));
  });
  after(() => server.stop());

  /** A share of a file with that text, opened. */
  const givenOpened = async (text: string, maxDownloads: number) => {
    const { id: fileId } = await givenFile(server, ann.token, text);
    const made = await call(server, 'POST', '/v1/shares', { token: ann.token, body: { fileId, maxDownloads } });
    assert.equal(made.status, 201, made.text);
    const token: string = made.body.url.slice(made.body.url.lastIndexOf('/') + 1);
    const { shareToken } = (await call(server, 'POST', `/v1/shares/${token}/open`, { body: {} })).body;
    const path = `/v1/shares/${token}/files/${fileId}/content`;
    return {
      path,
      shareToken,
      fetchRange: (range?: string) =>
        call(server, 'GET', path, { headers: { 'x-share-token': shareToken, ...(range === undefined ? {} : { range }) } }),
      counted: async (): Promise<number> => (await call(server, 'GET', `/v1/shares/${made.body.id}`, { token: ann.token })).body.downloads,
    };
  };

  it('gives no more by ranges either, however many are asked for at once', async () => {
    const { fetchRange, counted } = await givenOpened('0123456789'.repeat(100), 1);
    assert.equal((await fetchRange()).status, 200);
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetchRange('bytes=1-')));
    const refused = answers.filter(({ status }) => status !== 206);
    assert.deepEqual(new Set(refused.map(({ body }) => body.type)), new Set(['/problems/gone']));
    assert.equal(refused.length, 19);
    assert.equal(await counted(), 1);
  });

  it('counts what goes beyond the end of a download as another one', async () => {
    const { fetchRange, counted } = await givenOpened('0123456789'.repeat(100), 2);
    assert.equal((await fetchRange('bytes=0-0,1-')).status, 206, 'by the lowest of its bytes');
    assert.equal(await counted(), 1);
    const statuses: number[] = [];
    for (let tries = 0; tries < 6; tries += 1) statuses.push((await fetchRange('bytes=1-')).status);
    assert.deepEqual(statuses, [206, 206, 206, 410, 410, 410]);
    assert.equal(await counted(), 2);
    assert.equal((await fetchRange('bytes=0-0,1-')).status, 410);
  });

  it('lets a download go on that broke off five times', async () => {
    const size = 32 * 2 ** 20;
    const { path, shareToken, fetchRange, counted } = await givenOpened('x'.repeat(size), 1);

    /** Goes on at that byte and hangs up after a mebibyte; resolves with how many bytes came. */
    const breakOff = async (first: number): Promise<number> => {
      const headers = { 'x-share-token': shareToken, range: `bytes=${first}-` };
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        get(`${server.url}${path}`, { headers, agent: false }, resolve).on('error', reject);
      });
      assert.equal(answer.statusCode, 206);
      let came = 0;
      for await (const chunk of answer) {
        came += chunk.length;
        if (came >= 2 ** 20) break; // destroys the connection
      }
      return came;
    };

    let position = 0;
    for (let breaks = 0; breaks < 5; breaks += 1) position += await breakOff(position);
    const rest = await fetchRange(`bytes=${position}-`);
    assert.deepEqual([rest.status, rest.text.length], [206, size - position]);
    assert.equal(await counted(), 1);
  });
});
