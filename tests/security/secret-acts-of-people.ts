import assert from 'node:assert/strict';
import type { Json } from '../support/given.ts';
import { newSecret, type Scene, signIn } from './secret-acts.ts';

// What people, their devices and the programs that act for them do with secrets.

const email = 'grace@example.org';

const ask = async ({ call }: Scene, method: string, path: string, body: Json, token?: string): Promise<Json> => {
  const answer = await call(method, path, { body, token, headers: { 'idempotency-key': crypto.randomUUID() } });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.text}`);
  return answer.body;
};

/** OAuth as its clients speak it; the tokens of the answer are hidden. */
const post = async ({ call, hide }: Scene, path: string, fields: Record<string, string>, headers: Record<string, string> = {}) => {
  const { body } = await call('POST', path, {
    body: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
  });
  for (const name of ['access_token', 'refresh_token', 'device_code', 'user_code'])
    if (body?.[name]) hide(`${name} of ${path}`, body[name]);
  return body;
};

/** Four digits stand in many numbers by chance, so they are looked for in the texts that would give them away. */
const hidePin = ({ hide }: Scene, pin: string) => {
  for (const text of [`"pin":"${pin}"`, `"pin":${pin}`, `pin=${pin}`, `pin: ${pin}`, `Your PIN is ${pin}`]) hide('a PIN', text);
};

const mailed = async ({ mailServer, hide }: Scene, what: string, seen: number): Promise<string> => {
  const { text } = await mailServer.mailTo(email, seen);
  return hide(what, /"token":"([\w-]+)"/.exec(text)?.[1] ?? assert.fail(text));
};

const pairPhone = async (scene: Scene, token: string): Promise<void> => {
  const { pin } = await ask(scene, 'POST', '/v1/devices/pairings', { deviceId: 'phone' }, token);
  hidePin(scene, pin);
  const wrong = String((Number(pin) + 1) % 10_000).padStart(4, '0');
  hidePin(scene, wrong);
  await scene.call('POST', '/v1/sessions', { body: { method: 'pin', deviceId: 'phone', pin: wrong } });
  await scene.call('POST', `/v1/sessions?pin=${pin}`, { body: { method: 'pin', deviceId: 'phone', pin: Number(pin) } });
  await signIn(scene, { method: 'pin', deviceId: 'phone', pin });
};

const approve = async (scene: Scene, client: Record<string, string>, token: string): Promise<void> => {
  const codes = await post(scene, '/oauth/device_authorization', client);
  scene.hide('a user code as it is compared', codes.user_code.replace('-', ''));
  await scene.call('GET', `/device?user_code=${codes.user_code}`);
  const poll = { ...client, grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: codes.device_code };
  await post(scene, '/oauth/token', poll);
  await ask(scene, 'POST', '/v1/devices/authorizations', { userCode: codes.user_code }, token);
  const given = await post(scene, '/oauth/token', poll);
  await post(scene, '/oauth/token', { ...client, grant_type: 'refresh_token', refresh_token: given.refresh_token });
  await post(scene, '/oauth/introspect', { token: given.access_token }, { authorization: `Bearer ${scene.admin}` });
  await post(scene, '/oauth/revoke', { ...client, token: given.refresh_token });
};

export const actsOfPeople: Readonly<Record<string, (scene: Scene) => Promise<unknown>>> = {
  'make a tenant, sign up there, confirm, reset and change the password, pair a phone, approve a program': async (scene) => {
    const { call, hide, admin } = scene;
    const keeper = { username: 'keeper', password: hide('the password of the admin of a tenant', newSecret('admin')) };
    const { id } = await ask(scene, 'POST', '/v1/tenants', { name: 'Acme', slug: 'acme', admin: keeper }, admin);
    await ask(scene, 'PATCH', `/v1/tenants/${id}`, { confirmEmail: true }, admin);
    const { accessToken: keeperToken } = await signIn(scene, { method: 'password', ...keeper });

    const grace = { username: 'grace', password: hide('a password of who signs up', newSecret('sign-up')), email, tenant: 'acme' };
    const { id: personId } = await ask(scene, 'POST', '/v1/people', grace);
    await call('POST', '/v1/people', { body: grace });
    const confirmation = await mailed(scene, 'a token that confirms', 0);
    await call('GET', `/confirm?token=${confirmation}`);
    await ask(scene, 'POST', '/v1/people/confirm', { token: confirmation });
    await ask(scene, 'POST', '/v1/password-resets', { username: 'grace' });
    const reset = { token: await mailed(scene, 'a token that resets', 1), password: hide('a password that was reset', newSecret('reset')) };
    await call('GET', `/reset?token=${reset.token}`);
    await ask(scene, 'POST', '/v1/password-resets/complete', reset);
    const { accessToken } = await signIn(scene, { method: 'password', username: 'grace', password: reset.password });
    const change = { current: reset.password, next: hide('a changed password', newSecret('changed')) };
    await ask(scene, 'POST', '/v1/me/password', change, accessToken);
    await call('POST', '/v1/me/password', { body: change, token: accessToken });

    await pairPhone(scene, accessToken);
    await ask(scene, 'POST', '/v1/devices/pairings', { username: 'grace', deviceId: 'tablet' });
    const { text } = await scene.mailServer.mailTo(email, 2);
    hidePin(scene, /Your PIN is ([0-9]{4})/.exec(text)?.[1] ?? assert.fail(text));
    await approve(scene, { client_id: 'entrepot-cli' }, accessToken);

    const set = { password: hide('a password that an admin set', newSecret('set')) };
    await ask(scene, 'PATCH', `/v1/tenant/people/${personId}`, set, keeperToken);
    const { accessToken: last } = await signIn(scene, { method: 'password', username: 'grace', ...set });
    await call('DELETE', '/v1/me', { body: { password: hide('a wrong password', newSecret('wrong')) }, token: last });
  },
  'be a client of OAuth, by Basic and in the body': async (scene) => {
    const body = { name: 'client', scopes: ['events:send', 'people:manage'] };
    const { authId, secret } = await ask(scene, 'POST', '/v1/services', body, scene.admin);
    scene.hide('the secret of a client', secret);
    const authorization = `Basic ${scene.hide('a secret as Basic', Buffer.from(`${authId}:${secret}`).toString('base64'))}`;
    await post(scene, '/oauth/token', { grant_type: 'client_credentials' }, { authorization });
    const fields = { client_id: authId, client_secret: secret };
    const given = await post(scene, '/oauth/token', { grant_type: 'client_credentials', scope: 'events:send', ...fields });
    await post(scene, '/oauth/introspect', { ...fields, token: given.access_token });
    await post(scene, '/oauth/token', {
      grant_type: 'client_credentials',
      ...fields,
      client_secret: scene.hide('a wrong secret', newSecret('x')),
    });
    await post(scene, `/oauth/token?client_secret=${secret}`, { grant_type: 'made-up', ...fields });
    await approve(scene, fields, scene.admin);
  },
};
