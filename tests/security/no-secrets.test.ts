import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type MailServer, startMailServer } from '../../src/mail/mail-server.fixture.ts';
import { call, eventually, type Json } from '../support/given.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { filesOf, findSecrets, type Haystack } from '../support/secret-search.ts';
import { operator, startServer, type TestServer } from '../support/start-server.ts';
import { acts, newSecret, type Scene, settings } from './secret-acts.ts';
import { actsOfFolders } from './secret-acts-of-folders.ts';
import { actsOfPeople } from './secret-acts-of-people.ts';
import { actsOfShares } from './secret-acts-of-shares.ts';

// One exception, not used here: with `ENTREPOT_MAIL=log:` whole mails are printed, for development.

describe('secrets', () => {
  let receiver: Receiver;
  let mailServer: MailServer;
  let server: TestServer;
  const secrets = new Map<string, string>();
  let ask: Scene['call'];
  let admin: string;

  before(async () => {
    receiver = await startReceiver({
      answer({ path, headers }) {
        if (path !== '/users') return { status: 200, body: { data: {} } };
        if (/refuse-me/.test(headers.authorization ?? '')) return { status: 401 };
        return /fail-at-me/.test(headers.authorization ?? '') ? { status: 500 } : { body: { userId: 'user-17' } };
      },
    });
    const post = { name: 'post', password: newSecret('mail') };
    mailServer = await startMailServer({ user: post });
    const env = {
      ...settings,
      ENTREPOT_USER_SERVICE: new URL('/users', receiver.url).href,
      ENTREPOT_MAIL: `smtp://${post.name}:${post.password}@127.0.0.1:${mailServer.port}`,
    };
    server = await startServer({ env });
    ask = (method, path, { headers, ...options } = {}) =>
      call(server, method, path, { ...options, headers: { 'x-edge-key': settings.ENTREPOT_EDGE_KEYS, ...headers } });
    const hide: Scene['hide'] = (name, secret) => {
      assert.ok(secret.length >= 8, name);
      secrets.set(`${name} #${secrets.size}`, secret);
      return secret;
    };
    for (const [name, value] of Object.entries(settings)) if (name !== 'ENTREPOT_LOG_LEVEL') hide(name, value);
    hide("the operator's password", operator.password);
    hide('the password of the mail server', post.password);
    admin = hide(
      "the operator's token",
      (await ask('POST', '/v1/sessions', { body: { method: 'password', ...operator } })).body.accessToken,
    );
    const scene: Scene = { server, receiver, mailServer, admin, call: ask, hide };
    for (const [name, act] of Object.entries({ ...acts, ...actsOfPeople, ...actsOfFolders, ...actsOfShares })) {
      await act(scene).catch((cause: unknown) => {
        throw new Error(`The act "${name}" failed.`, { cause });
      });
    }
    await call(server, 'GET', '/v1/me', {
      token: admin,
      headers: { 'x-edge-key': hide('a wrong key of the edge', newSecret('wrong-edge')) },
    });
  });
  after(async () => {
    await server.kill('SIGKILL');
    await Promise.all([receiver.stop(), mailServer.stop()]);
    await rm(server.dataFolder, { recursive: true, force: true });
  });

  const assertNone = (haystacks: readonly Haystack[]) => assert.deepEqual(findSecrets(secrets, haystacks), []);

  it('are shown by no answer to who reads what is there: lists, single things, traces', async () => {
    const { paths } = (await ask('GET', '/openapi.json')).body;
    const readable = Object.entries<Json>(paths)
      .filter(([, { get }]) => get && !get.responses['200']?.content?.['text/event-stream'])
      .map(([path]) => path);
    const seen: Haystack[] = [];
    const ids = new Set(['event-1']);
    const look = async (path: string) => {
      const { status, text } = await ask('GET', path, { token: admin });
      seen.push({ name: `GET ${path}`, bytes: Buffer.from(text) });
      // A refusal names a request of its own each time.
      if (status === 200) for (const [id] of text.matchAll(/\b[a-z]{2,5}_[0-9a-z]{26}\b/g)) ids.add(id);
      return status;
    };
    for (const path of readable.filter((one) => !one.includes('{'))) await look(path);
    let found = 0;
    for (const id of ids) {
      for (const path of readable.filter((one) => one.includes('{'))) if ((await look(path.replace(/\{\w+\}/, id))) === 200) found += 1;
    }
    assert.ok(found > 10, `${found} things were seen`);
    assertNone(seen);
    const names = new Map([['a name', 'shop-with-secrets']]);
    assert.ok(findSecrets(names, seen).length > 0, 'what is no secret is found');
  });

  it('stand in no line of the log, at its most talkative', async () => {
    await eventually(
      async () => server.output(),
      (output) => output.includes('"/v1/targets/:id/test"'),
    );
    assertNone([{ name: 'the log', bytes: Buffer.from(server.output()) }]);
  });

  it('stand nowhere in the data folder, neither while the server runs nor afterwards, in no coding', async () => {
    const findName = (files: readonly Haystack[]) => findSecrets(new Map([['a name', 'shop-with-secrets']]), files);
    const running = filesOf(server.dataFolder);
    assert.ok(findName(running).length > 0, 'what is no secret is found');
    assertNone(running);
    assert.equal(await server.kill('SIGTERM'), 0);
    const left = filesOf(server.dataFolder);
    assert.ok(findName(left).some((line) => line.includes(`${basename(server.dataFolder)}/entrepot.db`)));
    assertNone(left);
    assertNone([{ name: 'the whole log', bytes: Buffer.from(server.output()) }]);
  });
});
