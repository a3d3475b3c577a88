import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, givenOperator, type Json } from '../support/given.ts';
import { type GivenFields, givenFile } from '../support/given-files.ts';
import { noteRefusal } from '../support/refusals-seen.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

// What a person with a browser does whose scripts are off: addresses, forms, links.

const password = 'open sesame street';

describe('the page of a share', () => {
  let server: TestServer;
  let token: string;

  before(async () => {
    server = await startServer({ env: { ENTREPOT_TRUSTED_PROXIES: '127.0.0.1' } });
    token = await givenOperator(server);
  });
  after(() => server.stop());

  const upload = async (name: string, text: string, fields: GivenFields = {}): Promise<string> =>
    (await givenFile(server, token, text, { name, ...fields })).id;
  const share = async (wanted: Json): Promise<string> => {
    const { status, body, text } = await call(server, 'POST', '/v1/shares', { token, body: wanted });
    assert.equal(status, 201, text);
    return body.url;
  };
  const look = async (url: string, form?: Record<string, string>, headers: Record<string, string> = {}) => {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', ...headers },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    const text = await response.text();
    noteRefusal(form === undefined ? 'GET' : 'POST', new URL(url).pathname, response.status, text);
    return { status: response.status, headers: response.headers, text };
  };
  const linksOn = (page: string, url: string): string[] =>
    [...page.matchAll(/href="([^"]+)"/g)].map(([, href = '']) => new URL(href.replaceAll('&amp;', '&'), url).href);

  it('shows the files with their sizes, and each is fetched by a link', async () => {
    const made = await call(server, 'POST', '/v1/folders', { token, body: { name: 'trip' } });
    const first = await upload('a <b>"day" & night.txt', 'x'.repeat(1_500), { folderId: made.body.id });
    await upload('b.txt', 'second', { folderId: made.body.id });
    const url = await share({ folderId: made.body.id });
    const { status, headers, text } = await look(url);
    assert.equal(status, 200);
    assert.match(headers.get('content-type') ?? '', /^text\/html/);
    assert.match(text, /2 files are shared with you/);
    assert.ok(text.includes('a &lt;b&gt;&quot;day&quot; &amp; night.txt'), 'names are text');
    assert.match(text, /1\.5 KB[\s\S]*6 bytes/);
    assert.match(text, /<meta name="viewport"/);
    assert.ok(!/<script/i.test(text));

    const links = linksOn(text, url);
    assert.equal(links.length, 2);
    assert.ok(links[0]?.includes(first));
    const file = await look(links[1] ?? '');
    assert.deepEqual([file.status, file.text], [200, 'second']);
    assert.match(file.headers.get('content-disposition') ?? '', /^attachment; filename="b.txt"/);
  });

  it('lets nothing in but its own style, sends its address to nobody and is in no index', async () => {
    const url = await share({ fileId: await upload('quiet.txt', 'q') });
    const { headers, text } = await look(url);
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /^default-src 'none';style-src 'sha256-[\w+/]+=*';form-action 'self';base-uri 'none';frame-ancestors 'none'$/);
    const style = /<style>([\s\S]*)<\/style>/.exec(text)?.[1] ?? '';
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(style))).toString('base64');
    assert.ok(policy.includes(`'sha256-${digest}'`));
    assert.ok(!/ style=/.test(text));
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.match(text, /<meta name="robots" content="noindex, nofollow">/);
    for (const [, shareToken = ''] of text.matchAll(/shareToken=([^"&]+)/g)) assert.ok(!server.output().includes(shareToken));
    assert.ok(!server.output().includes(url.slice(url.lastIndexOf('/') + 1)));
  });

  it('asks for the password first, by a form', async () => {
    const url = await share({ fileId: await upload('hidden-name.txt', 'the plan'), password });
    const closed = await look(url);
    assert.equal(closed.status, 200);
    assert.match(closed.text, /<form method="post">[\s\S]*type="password"/);
    assert.ok(!closed.text.includes('hidden-name'));

    const none = await look(url, {});
    assert.deepEqual([none.status, /This share has a password/.test(none.text)], [403, true]);
    const wrong = await look(url, { password: 'sesame' });
    assert.deepEqual([wrong.status, /role="alert">This is not the password/.test(wrong.text)], [403, true]);
    const open = await look(url, { password });
    assert.equal(open.status, 200);
    const [link = ''] = linksOn(open.text, url);
    assert.equal((await look(link)).text, 'the plan');

    const from = { 'x-forwarded-for': '192.0.2.99' };
    for (let tries = 0; tries < 5; tries += 1) assert.equal((await look(url, { password: `${tries}` }, from)).status, 403);
    const limited = await look(url, { password }, from);
    assert.deepEqual([limited.status, /Too many failed tries/.test(limited.text)], [429, true]);
    assert.ok(Number(limited.headers.get('retry-after')) > 0);
    assert.equal((await look(url, { password })).status, 200);
  });

  it('says in words that there is nothing, and that it is over', async () => {
    const none = await look(`${server.url}/s/nothing-of-the-kind`);
    assert.deepEqual([none.status, /There is nothing here/.test(none.text)], [404, true]);
    assert.equal((await look(`${server.url}/s/nothing-of-the-kind`, { password })).status, 404);

    const url = await share({ fileId: await upload('last.txt', 'last'), maxDownloads: 1 });
    const page = await look(url);
    const [link = ''] = linksOn(page.text, url);
    assert.equal((await look(link)).status, 200);
    const again = await look(link);
    assert.deepEqual([again.status, again.headers.get('location')], [303, new URL(url).pathname], 'a link that is over leads to the page');
    const odd = await look(`${server.url}/v1/shares/${encodeURIComponent('kommt\r\nnoch: 漢')}/files/x/content?shareToken=x`);
    assert.deepEqual(
      [odd.status, odd.headers.get('location')],
      [303, `/s/${encodeURIComponent('kommt\r\nnoch: 漢')}`],
      'whatever the address',
    );
    const over = await look(url);
    assert.deepEqual([over.status, /This share is over/.test(over.text)], [410, true]);
    assert.equal((await call(server, 'GET', link.slice(server.url.length))).status, 410, 'programs are told as always');
  });
});
