import assert from 'node:assert/strict';
import type { Json } from '../support/given.ts';
import { newSecret, type Scene, settings } from './secret-acts.ts';

// What owners of shares, and those who have their address, do with secrets.

const ask = async ({ call }: Scene, method: string, path: string, options: Parameters<Scene['call']>[2]): Promise<Json> => {
  const answer = await call(method, path, options);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
  return answer;
};

export const actsOfShares: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  'send a file to a signed address, and tell of it as the store does': async (scene) => {
    const { call, hide, admin } = scene;
    const begun = await ask(scene, 'POST', '/v1/files/direct', {
      token: admin,
      body: { name: 'direct.txt', size: 5, type: 'text/plain' },
      headers: { 'idempotency-key': crypto.randomUUID() },
    });
    const { pathname, search, searchParams } = new URL(begun.body.upload.url);
    hide('the signature of an upload', searchParams.get('signature') ?? assert.fail(search));
    await ask(scene, 'PUT', `${pathname}${search}`, { body: 'bytes', headers: { 'content-type': 'text/plain' } });
    await call('PUT', `${pathname}${search}`, { body: 'other', headers: { 'content-type': 'text/plain' } });
    const wrong = hide('a key that the store does not have', newSecret('hook'));
    await call('POST', '/v1/hooks/object-created', { token: wrong, body: { Records: [] } });
    await ask(scene, 'POST', '/v1/hooks/object-created', { token: settings.ENTREPOT_HOOK_KEYS, body: { Records: [] } });
  },
  'share a file, open it, also on its page, and fetch it': async (scene) => {
    const { call, hide, admin } = scene;
    const uploaded = await ask(scene, 'POST', '/v1/files?name=shared.txt', {
      token: admin,
      body: 'a file that is shared',
      headers: { 'content-type': 'text/plain' },
    });
    const fileId: string = uploaded.body.id;
    const password = hide('the password of a share', newSecret('share'));
    const made = await ask(scene, 'POST', '/v1/shares', {
      token: admin,
      body: { fileId, password },
      headers: { 'idempotency-key': crypto.randomUUID() },
    });
    const token = hide('the address of a share', new URL(made.body.url).pathname.slice('/s/'.length));
    const opened = await ask(scene, 'POST', `/v1/shares/${token}/open`, { body: { password } });
    const shareToken = hide('a token of an opened share', opened.body.shareToken);
    const content = `/v1/shares/${token}/files/${fileId}/content`;
    await ask(scene, 'GET', content, { headers: { 'x-share-token': shareToken } });
    await ask(scene, 'GET', `${content}?shareToken=${shareToken}`, {});
    await call('POST', `/v1/shares/${token}/open`, { body: { password: hide('a wrong password of a share', newSecret('wrong-share')) } });

    const form = { headers: { 'content-type': 'application/x-www-form-urlencoded' } };
    const page = await ask(scene, 'POST', `/s/${token}`, { ...form, body: new URLSearchParams({ password }).toString() });
    hide('a token on the page of a share', /shareToken=([^"&]+)/.exec(page.text)?.[1] ?? assert.fail(page.text));
    await call('POST', `/s/${token}`, { ...form, body: `password=${hide('a wrong password on a page', newSecret('wrong-page'))}` });
    await call('GET', `/s/${token}?password=${password}`);
  },
};
