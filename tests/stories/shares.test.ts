import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, eventually, givenOperator, givenTarget, type Json } from '../support/given.ts';
import { type GivenFields, givenFile, givenFolder } from '../support/given-files.ts';
import { password as accountPassword, givenPerson, type Person } from '../support/given-people.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const secret = 'open sesame street';

describe('shares', () => {
  let server: TestServer;
  let receiver: Receiver;
  let admin: string;
  let ann: Person;
  let bob: Person;

  before(async () => {
    receiver = await startReceiver({ answer: () => ({ status: 200 }) });
    server = await startServer({ env: { ENTREPOT_TRUSTED_PROXIES: '127.0.0.1' } });
    admin = await givenOperator(server);
    [ann, bob] = await Promise.all([givenPerson(server, admin), givenPerson(server, admin)]);
  });
  after(() => Promise.all([server.stop(), receiver.stop()]));

  const ask = (method: string, path: string, body?: unknown, { token } = ann, headers: Record<string, string> = {}) =>
    call(server, method, path, { token, headers, ...(body === undefined ? {} : { body }) });
  const upload = async (name: string, text = `of ${name}`, fields: GivenFields = {}, { token } = ann): Promise<string> =>
    (await givenFile(server, token, text, { name, ...fields })).id;
  const makeFolder = (name: string, parentId?: string) => givenFolder(server, ann.token, name, parentId);
  const share = async (wanted: Json, by = ann): Promise<{ id: string; token: string; url: string; body: Json }> => {
    const { status, body, text } = await ask('POST', '/v1/shares', wanted, by);
    assert.equal(status, 201, text);
    return { id: body.id, url: body.url, token: body.url.slice(body.url.lastIndexOf('/') + 1), body };
  };
  const open = (token: string, password?: string, from = '192.0.2.1') =>
    call(server, 'POST', `/v1/shares/${token}/open`, {
      body: password === undefined ? {} : { password },
      headers: { 'x-forwarded-for': from },
    });
  const opened = async (token: string, password?: string): Promise<string> => {
    const { status, body, text } = await open(token, password);
    assert.equal(status, 200, text);
    return body.shareToken;
  };
  const fetchFile = (token: string, fileId: string, shareToken: string | undefined, headers: Record<string, string> = {}, method = 'GET') =>
    call(server, method, `/v1/shares/${token}/files/${fileId}/content`, {
      headers: { ...(shareToken === undefined ? {} : { 'x-share-token': shareToken }), ...headers },
    });
  const kindOf = ({ status, body }: { status: number; body: Json }) => [status, body?.type];
  const downloadsOf = async (id: string): Promise<number> => (await ask('GET', `/v1/shares/${id}`)).body.downloads;

  it('give a file to whoever has the address, without an account', async () => {
    const fileId = await upload('letter.txt', 'dear all');
    const { id, token, url, body } = await share({ fileId });
    const { createdAt } = body;
    assert.deepEqual(body, { id, fileId, hasPassword: false, downloads: 0, state: 'active', createdAt, url });
    assert.match(url, new RegExp(`^${server.url}/s/[\\w-]{43}$`));

    const answer = await open(token);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.body.items, [{ id: fileId, name: 'letter.txt', type: 'text/plain', size: 8 }]);
    const { shareToken } = answer.body;
    const content = await fetchFile(token, fileId, shareToken);
    assert.deepEqual([content.status, content.text], [200, 'dear all']);
    assert.equal(content.headers.get('content-disposition'), 'attachment; filename="letter.txt"');
    assert.equal(content.headers.get('cache-control'), 'private, no-store');
    assert.equal(await downloadsOf(id), 1);

    assert.deepEqual(kindOf(await fetchFile(token, fileId, undefined)), [403, '/problems/not-allowed']);
    assert.deepEqual(kindOf(await fetchFile(token, fileId, `${shareToken.slice(0, -2)}AA`)), [403, '/problems/not-allowed']);
    const other = await share({ fileId });
    assert.deepEqual(kindOf(await fetchFile(other.token, fileId, shareToken)), [403, '/problems/not-allowed'], 'a token is of one share');
    const unshared = await upload('diary.txt');
    assert.deepEqual(kindOf(await fetchFile(token, unshared, shareToken)), [404, '/problems/not-found']);
    assert.deepEqual(kindOf(await open(`${token.slice(0, -1)}_`)), [404, '/problems/not-found']);
    assert.deepEqual(kindOf(await open(id)), [404, '/problems/not-found'], 'its id opens nothing');
  });

  it('are made of what is one’s own alone, one thing at a time', async () => {
    const fileId = await upload('own.txt');
    const folderId = await makeFolder('own');
    const wrong = async (wanted: Json, by = ann) => kindOf(await ask('POST', '/v1/shares', wanted, by));
    assert.deepEqual(await wrong({}), [400, '/problems/bad-body']);
    assert.deepEqual(await wrong({ fileId, folderId }), [400, '/problems/bad-body']);
    assert.deepEqual(await wrong({ fileId, expiresAt: '2020-01-01T00:00:00Z' }), [400, '/problems/bad-body']);
    assert.deepEqual(await wrong({ fileId, maxDownloads: 0 }), [400, '/problems/bad-body']);
    assert.deepEqual(await wrong({ fileId }, bob), [404, '/problems/not-found']);
    assert.deepEqual(await wrong({ folderId }, bob), [404, '/problems/not-found']);
    assert.deepEqual(await wrong({ fileId }, { ...ann, token: admin }), [403, '/problems/not-allowed'], 'an admin sees the row only');
    const open = await upload('open.txt', 'for all', { visibility: 'tenant' });
    assert.deepEqual(await wrong({ fileId: open }, bob), [403, '/problems/not-allowed'], 'what others may see they may not give away');
    await ask('DELETE', `/v1/files/${fileId}`);
    assert.deepEqual(await wrong({ fileId }), [409, '/problems/conflict']);
  });

  it('are listed without their address, and shown to nobody else', async () => {
    const carl = await givenPerson(server, admin);
    const fileId = await upload('listed.txt', 'x', {}, carl);
    const first = await share({ fileId, password: secret }, carl);
    const second = await share({ fileId, maxDownloads: 3, expiresAt: '2099-01-01T00:00:00+01:00' }, carl);
    const page = await ask('GET', '/v1/shares?limit=1', undefined, carl);
    assert.deepEqual(
      page.body.items.map(({ createdAt: _, ...item }: Json) => item),
      [
        {
          ...{ id: second.id, fileId, hasPassword: false, maxDownloads: 3, downloads: 0, state: 'active' },
          expiresAt: '2098-12-31T23:00:00.000Z',
        },
      ],
    );
    const next = await ask('GET', `/v1/shares?limit=1&cursor=${page.body.nextCursor}`, undefined, carl);
    assert.deepEqual([next.body.items[0].id, next.body.items[0].hasPassword, next.body.nextCursor], [first.id, true, undefined]);
    assert.ok(!page.text.includes(second.token));
    assert.deepEqual(kindOf(await ask('GET', '/v1/shares?cursor=x', undefined, carl)), [400, '/problems/bad-cursor']);

    for (const method of ['GET', 'DELETE']) {
      assert.deepEqual(kindOf(await ask(method, `/v1/shares/${first.id}`)), [404, '/problems/not-found']);
      assert.deepEqual(kindOf(await ask(method, `/v1/shares/${first.id}`, undefined, { ...ann, token: admin })), [
        404,
        '/problems/not-found',
      ]);
    }
  });

  it('show their address once, also where the request is sent again', async () => {
    const fileId = await upload('once.txt');
    const headers = { 'idempotency-key': crypto.randomUUID() };
    const { body } = await ask('POST', '/v1/shares', { fileId }, ann, headers);
    const again = await ask('POST', '/v1/shares', { fileId }, ann, headers);
    assert.deepEqual([...kindOf(again), again.body.id], [409, '/problems/already-created', body.id]);
  });

  it('are over when they are ended, expire, are used up, or their file is deleted for good', async () => {
    const fileId = await upload('over.txt');
    const soon = () => new Date(Date.now() + 1_500).toISOString();
    const [ended, expiring, used, left] = [
      await share({ fileId }),
      await share({ fileId, expiresAt: soon() }),
      await share({ fileId, maxDownloads: 1 }),
      await share({ fileId }),
    ];
    const tokens = await Promise.all([ended, expiring, used].map(({ token }) => opened(token)));
    assert.equal((await ask('DELETE', `/v1/shares/${ended.id}`)).status, 204);
    assert.equal((await ask('DELETE', `/v1/shares/${ended.id}`)).status, 204, 'also said twice');
    assert.equal((await fetchFile(used.token, fileId, tokens[2])).status, 200);
    await sleep(1_600);
    for (const [index, { token }] of [ended, expiring, used].entries()) {
      assert.deepEqual(kindOf(await open(token)), [410, '/problems/gone']);
      const isBegun = token === used.token;
      const shareToken = isBegun ? await opened(left.token) : tokens[index];
      assert.deepEqual(kindOf(await fetchFile(token, fileId, shareToken)), [410, '/problems/gone']);
      const page = await call(server, 'GET', `/s/${token}`);
      assert.deepEqual([page.status, /This share is over/.test(page.text)], [410, true]);
    }
    const states = await Promise.all([ended, expiring, used].map(async ({ id }) => (await ask('GET', `/v1/shares/${id}`)).body.state));
    assert.deepEqual(states, ['ended', 'expired', 'used-up']);

    await ask('DELETE', `/v1/files/${fileId}`);
    assert.deepEqual(kindOf(await open(left.token)), [404, '/problems/not-found'], 'what is in the trash may come back');
    await ask('POST', `/v1/files/${fileId}/restore`);
    const shareToken = await opened(left.token);
    await ask('DELETE', `/v1/files/${fileId}`);
    assert.deepEqual(kindOf(await fetchFile(left.token, fileId, shareToken)), [404, '/problems/not-found']);
    await ask('DELETE', `/v1/files/${fileId}?permanent=true`);
    assert.deepEqual(kindOf(await open(left.token)), [410, '/problems/gone']);
  });

  it('of a folder give all below it, as it is now, and nothing else', async () => {
    const [top, outside] = [await makeFolder('top'), await makeFolder('outside')];
    const below = await makeFolder('below', top);
    const { token } = await share({ folderId: top });
    assert.deepEqual((await open(token)).body.items, []);
    const [b, a] = [await upload('b.txt', 'bb', { folderId: below }), await upload('a.txt', 'a', { folderId: top })];
    const elsewhere = await upload('elsewhere.txt', 'c', { folderId: outside });
    const { items, shareToken } = (await open(token)).body;
    assert.deepEqual(
      items.map(({ id }: Json) => id),
      [a, b],
    );
    assert.equal((await fetchFile(token, b, shareToken)).text, 'bb');
    assert.deepEqual(kindOf(await fetchFile(token, elsewhere, shareToken)), [404, '/problems/not-found']);
    assert.equal((await ask('DELETE', `/v1/folders/${top}`)).status, 204);
    assert.deepEqual(kindOf(await open(token)), [410, '/problems/gone']);
  });

  it('are hidden by a lock, whenever it came', async () => {
    const top = await makeFolder('vault');
    const inner = await makeFolder('inner', top);
    const [seen, hidden] = [await upload('seen.txt', 's', { folderId: top }), await upload('hidden.txt', 'h', { folderId: inner })];
    const [ofTop, ofFile, closed] = [
      await share({ folderId: top }),
      await share({ fileId: hidden }),
      await share({ fileId: hidden, password: secret }),
    ];
    const [topToken, fileToken] = [await opened(ofTop.token), await opened(ofFile.token)];
    assert.equal((await ask('PUT', `/v1/folders/${inner}/lock`, { password: secret })).status, 204);

    assert.deepEqual(
      (await open(ofTop.token)).body.items.map(({ id }: Json) => id),
      [seen],
    );
    const locked = [423, '/problems/locked'];
    assert.deepEqual(kindOf(await fetchFile(ofTop.token, hidden, topToken)), locked);
    assert.deepEqual(kindOf(await open(ofFile.token)), locked);
    assert.deepEqual(kindOf(await open(closed.token, secret)), locked);
    assert.deepEqual(kindOf(await fetchFile(ofFile.token, hidden, fileToken)), locked);
    const page = await call(server, 'GET', `/s/${ofFile.token}`);
    assert.deepEqual([page.status, /This is locked/.test(page.text)], [423, true]);
    assert.deepEqual(kindOf(await ask('POST', '/v1/shares', { fileId: hidden })), locked);
    assert.deepEqual(kindOf(await ask('POST', '/v1/shares', { folderId: inner })), locked);
    assert.deepEqual(kindOf(await ask('GET', `/v1/trace/${ofFile.id}`)), locked);
    assert.equal((await ask('PUT', `/v1/folders/${top}/lock`, { password: secret })).status, 204);
    assert.deepEqual(kindOf(await open(ofTop.token)), locked);
  });

  it('tell nothing before the password, and let nobody guess it without locking out everybody', async () => {
    const fileId = await upload('secret-plans.txt');
    const { token, id } = await share({ fileId, password: secret });
    for (let tries = 0; tries < 7; tries += 1) {
      const none = await open(token, undefined, '192.0.2.7');
      assert.deepEqual(kindOf(none), [403, '/problems/wrong-password']);
      assert.ok(!none.text.includes('secret-plans'));
    }
    assert.deepEqual(kindOf(await call(server, 'POST', `/v1/shares/${token}/open`)), [403, '/problems/wrong-password']);
    const wrong = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => open(token, `guess ${n}`, '192.0.2.7')));
    assert.deepEqual(wrong.map(({ status }) => status).toSorted(), [403, 403, 403, 403, 403, 429, 429]);
    const right = await open(token, secret, '192.0.2.7');
    assert.deepEqual(kindOf(right), [429, '/problems/too-many']);
    assert.ok(Number(right.headers.get('retry-after')) > 0);
    assert.equal((await open(token, secret, '192.0.2.8')).status, 200, 'another address goes on');
    const other = await share({ fileId, password: secret });
    assert.equal((await open(other.token, secret, '192.0.2.7')).status, 200, 'another share goes on');
    const { entries } = (await ask('GET', `/v1/trace/${id}`)).body;
    assert.equal(entries.filter(({ what }: Json) => what === 'refused').length, 5);
  });

  it('give no more downloads than they may, however many ask at once', async () => {
    const fileId = await upload('rare.txt', 'rare');
    const { id, token } = await share({ fileId, maxDownloads: 7 });
    const tokens = await Promise.all(Array.from({ length: 50 }, () => opened(token)));
    const answers = await Promise.all(tokens.map((shareToken) => fetchFile(token, fileId, shareToken)));
    const got = answers.filter(({ status }) => status === 200);
    assert.equal(got.length, 7);
    for (const answer of answers) assert.ok(answer.status === 200 ? answer.text === 'rare' : answer.status === 410, answer.text);
    assert.deepEqual(await downloadsOf(id), 7);
  });

  it('count a download that broke off and went on once, and nobody gets the rest for nothing', async () => {
    const fileId = await upload('long.txt', '0123456789');
    const { id, token } = await share({ fileId, maxDownloads: 2 });
    const [first, second, third] = [await opened(token), await opened(token), await opened(token)];
    assert.equal((await fetchFile(token, fileId, first, {}, 'HEAD')).status, 200);
    const begun = await fetchFile(token, fileId, first, { range: 'bytes=0-3' });
    assert.deepEqual([begun.status, begun.text], [206, '0123']);
    const etag = begun.headers.get('etag') ?? '';
    assert.equal((await fetchFile(token, fileId, first, { 'if-none-match': etag })).status, 304);
    for (const range of ['bytes=4-6', 'bytes=7-'])
      assert.equal((await fetchFile(token, fileId, first, { range, 'if-range': etag })).status, 206);
    assert.equal(await downloadsOf(id), 1);

    assert.equal((await fetchFile(token, fileId, second, { range: 'bytes=1-' })).status, 206);
    assert.equal(await downloadsOf(id), 2, 'it had begun nothing before');
    assert.equal((await fetchFile(token, fileId, first, { range: 'bytes=4-' })).text, '456789', 'who has begun goes on when it is used up');
    assert.deepEqual(kindOf(await fetchFile(token, fileId, first)), [410, '/problems/gone']);
    assert.deepEqual(kindOf(await fetchFile(token, fileId, third, { range: 'bytes=1-' })), [410, '/problems/gone']);
    assert.deepEqual(kindOf(await fetchFile(token, fileId, first, { range: 'bytes=99-' })), [416, '/problems/bad-range']);
    assert.deepEqual(kindOf(await fetchFile(token, fileId, first, { 'if-match': '"x"' })), [412, '/problems/precondition-failed']);
    assert.equal(await downloadsOf(id), 2);
  });

  it('tell targets and the trace what happens to them', async () => {
    const url = new URL('/facts', receiver.url).href;
    const target = await givenTarget(server, admin, { kind: 'webhook', types: ['share.*'], config: { url } });
    const fileId = await upload('told.txt');
    const { id, token } = await share({ fileId, password: secret });
    const shareToken = await opened(token, secret);
    await fetchFile(token, fileId, shareToken);
    await receiver.waitFor((all) => all.filter(({ path, body }) => path === '/facts' && body.includes(id)).length === 2);
    const told = receiver.received.filter(({ path }) => path === '/facts');
    const facts = told.map(({ json }) => json as Json).filter(({ data }) => data.body.id === id);
    assert.deepEqual(
      facts.map(({ type, data }) => [type, data.body.fileId, data.body.hasPassword, data.body.owner]),
      ['share.created', 'share.opened'].map((type) => [type, fileId, true, ann.id]),
    );
    const of = async (subject: string) => (await ask('GET', `/v1/trace/${subject}`)).body;
    const ofShare = await of(id);
    assert.deepEqual(
      [ofShare.kind, ofShare.state, ofShare.entries.map(({ what }: Json) => what)],
      ['share', 'created', ['created', 'opened']],
    );
    const ofFile = (await of(fileId)).entries.map(({ what }: Json) => what);
    assert.deepEqual(ofFile.slice(-3), ['shared', 'opened', 'fetched']);
    const { items } = (await ask('GET', `/v1/files/accesses?file=${fileId}`)).body;
    assert.deepEqual(
      items.map(({ how, address, bytes }: Json) => [how, address, bytes]),
      [['share', '127.0.0.1', 11]],
    );
    assert.deepEqual(kindOf(await ask('GET', `/v1/trace/${id}`, undefined, bob)), [404, '/problems/not-found']);
    for (const { body: text } of told) assert.ok(!text.includes(token) && !text.includes(shareToken));
    await ask('DELETE', `/v1/targets/${target.id}`, undefined, { ...ann, token: admin });
  });

  it('are noted as opened once in a while from an address, however often their page is read', async () => {
    const fileId = await upload('read-often.txt');
    const { id, token } = await share({ fileId });
    const look = (from: string) => call(server, 'GET', `/s/${token}`, { headers: { 'x-forwarded-for': from } });
    for (const from of ['192.0.2.1', '192.0.2.1', '2001:db8::1', '2001:db8::2', '192.0.2.1']) assert.equal((await look(from)).status, 200);
    assert.equal((await open(token, undefined, '192.0.2.1')).status, 200);
    const openings = async (subject: string) =>
      (await ask('GET', `/v1/trace/${subject}`)).body.entries.filter(({ what }: Json) => what === 'opened').map(({ where }: Json) => where);
    assert.deepEqual(await openings(id), ['192.0.2.1', '2001:db8::1'], 'whoever has one address of IPv6 has many');
    assert.deepEqual(await openings(fileId), ['192.0.2.1', '2001:db8::1']);
  });

  it('end in the trace, too, when what they share is deleted', async () => {
    const folderId = await makeFolder('going');
    const fileId = await upload('going.txt');
    const [ofFile, ofFolder, ended] = [await share({ fileId }), await share({ folderId }), await share({ fileId })];
    await ask('DELETE', `/v1/shares/${ended.id}`);
    await ask('DELETE', `/v1/files/${fileId}?permanent=true`);
    await ask('DELETE', `/v1/folders/${folderId}`);
    for (const [one, gone] of [
      [ofFile, fileId],
      [ofFolder, folderId],
      [ended, undefined],
    ] as const) {
      const { entries, state } = (await ask('GET', `/v1/trace/${one.id}`)).body;
      assert.deepEqual([state, entries.map(({ what }: Json) => what)], ['removed', ['created', 'removed']]);
      assert.deepEqual([entries[1].who, entries[1].detail], [ann.id, gone === undefined ? undefined : { with: gone }]);
    }
  });

  it('go with the account', async () => {
    const dora = await givenPerson(server, admin);
    const { token } = await share({ fileId: await upload('dora.txt', 'd', {}, dora) }, dora);
    assert.equal((await ask('DELETE', '/v1/me', { password: accountPassword }, dora)).status, 204);
    await eventually(
      () => open(token),
      ({ status }) => status === 404,
    );
  });
});
