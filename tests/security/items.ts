import assert from 'node:assert/strict';
import { call, eventually, type Json } from '../support/given.ts';
import type { TestServer } from '../support/start-server.ts';
import { type Caller, pairDevice } from './callers.ts';

/** Something real that a route with a parameter in its path is tried on. */
export interface Item {
  readonly params: Readonly<Record<string, string>>;
  /** Who may see it: its owner alone, admins of the tenant as well, everybody of the tenant with the scope, or whoever has it in the instance. */
  readonly seenBy: 'owner' | 'admins' | 'tenant' | 'instance';
  /** What each request for it must say. */
  readonly headers?: Readonly<Record<string, string>>;
}

type Make = (server: Pick<TestServer, 'url'>, owner: Caller) => Promise<Item>;

let made = 0;
const next = (): string => {
  made += 1;
  return `matrix-${made}`;
};

const create = async (server: Pick<TestServer, 'url'>, owner: Caller, path: string, body: unknown): Promise<Json> => {
  const answer = await call(server, 'POST', path, { token: owner.token(), body });
  assert.ok(answer.status === 201 || answer.status === 202, `${path}: ${answer.text}`);
  return answer.body;
};

const password = 'nobody will guess this one';

/** Nothing listens there, so its deliveries stay open. */
const target = (type: string) => ({
  name: type,
  kind: 'webhook',
  types: [type],
  config: { url: 'http://127.0.0.1:9/' },
  retry: { attempts: 100, minDelayMs: 3_600_000, maxDelayMs: 3_600_000 },
});

const makeDelivery: Make = async (server, owner) => {
  const type = next();
  await create(server, owner, '/v1/targets', target(type));
  await create(server, owner, '/v1/events', { id: type, name: type });
  const found = await eventually(
    () => call(server, 'GET', `/v1/deliveries?event=${type}`, { token: owner.token() }),
    ({ body }) => body.items.length === 1,
  );
  return { params: { id: found.body.items[0].id }, seenBy: 'tenant' };
};

const makeEvent: Make = async (server, owner) => {
  const id = next();
  await create(server, owner, '/v1/events', { id, name: 'matrix' });
  return { params: { id }, seenBy: 'tenant' };
};

const upload = async (server: Pick<TestServer, 'url'>, owner: Caller, query = ''): Promise<Json> => {
  const headers = { 'content-type': 'text/plain' };
  const answer = await call(server, 'POST', `/v1/files?name=${next()}.txt${query}`, {
    token: owner.token(),
    body: 'a file of the matrix',
    headers,
  });
  assert.equal(answer.status, 201, answer.text);
  return answer.body;
};

const makeFile: Make = async (server, owner) => {
  const { id } = await upload(server, owner);
  return { params: { id }, seenBy: 'admins' };
};

const makeOpenFile: Make = async (server, owner) => {
  const { id, name } = await upload(server, owner, '&visibility=public');
  return { params: { fileId: id, name }, seenBy: 'instance' };
};

const makeShare: Make = async (server, owner) => {
  const { params } = await makeFile(server, owner);
  const { id, url } = await create(server, owner, '/v1/shares', { fileId: params.id });
  return { params: { id, token: url.slice(url.lastIndexOf('/') + 1), fileId: params.id ?? '' }, seenBy: 'owner' };
};

const makeUpload: Make = async (server, owner) => {
  const tus = { 'tus-resumable': '1.0.0' };
  const answer = await call(server, 'POST', '/v1/files/resumable', { token: owner.token(), headers: { ...tus, 'upload-length': '5' } });
  assert.equal(answer.status, 201, answer.text);
  return { params: { id: answer.headers.get('location')?.split('/').at(-1) ?? '' }, seenBy: 'owner', headers: tus };
};

/** How to make what a path names; the longest beginning of the path counts. A new route with a parameter needs a line here. */
const makers: Readonly<Record<string, Make>> = {
  '/v1/services/{id}': async (server, owner) => {
    const { id, secretId } = await create(server, owner, '/v1/services', { name: next(), scopes: [] });
    return { params: { id, secretId }, seenBy: 'tenant' };
  },
  '/v1/targets/{id}': async (server, owner) => {
    const { id } = await create(server, owner, '/v1/targets', target(next()));
    return { params: { id }, seenBy: 'tenant' };
  },
  '/v1/tenant/people/{id}': async (server, owner) => {
    const { id } = await create(server, owner, '/v1/tenant/people', { username: next(), password, role: 'member' });
    return { params: { id }, seenBy: 'tenant' };
  },
  '/v1/tenants/{id}': async (server, owner) => {
    const { id } = await create(server, owner, '/v1/tenants', { name: next() });
    return { params: { id }, seenBy: 'instance' };
  },
  '/v1/devices/{id}': async (server, owner) => {
    await pairDevice(server, owner.token());
    const { body } = await call(server, 'GET', '/v1/devices', { token: owner.token() });
    return { params: { id: body.items[0].id }, seenBy: 'owner' };
  },
  '/v1/sessions/{id}': async (server, owner) => {
    const { body } = await call(server, 'GET', '/v1/sessions', { token: owner.token() });
    return { params: { id: body.items[0].id }, seenBy: 'owner' };
  },
  '/v1/files/resumable/{id}': makeUpload,
  '/v1/files/{id}': makeFile,
  '/v1/files/direct/{id}': makeFile,
  '/v1/shares/{': makeShare,
  '/s/{token}': makeShare,
  '/v1/folders/{id}': async (server, owner) => {
    const { id } = await create(server, owner, '/v1/folders', { name: next() });
    return { params: { id }, seenBy: 'owner' };
  },
  '/v1/files/by-name/{name}': async (server, owner) => {
    const { name } = await upload(server, owner);
    return { params: { name }, seenBy: 'owner' };
  },
  '/l/{fileId}/{name}': makeOpenFile,
  '/p/{fileId}/{name}': makeOpenFile,
  '/v1/deliveries/{id}': makeDelivery,
  '/v1/events/{id}': makeEvent,
  '/v1/trace/{id}': makeEvent,
  '/problems/{kind}': async () => ({ params: { kind: 'not-found' }, seenBy: 'instance' }),
};

/** Makes what the path names; undefined where it names nothing. */
export const makeItem = async (server: Pick<TestServer, 'url'>, path: string, owner: Caller): Promise<Item | undefined> => {
  if (!path.includes('{')) return undefined;
  const beginnings = Object.keys(makers).filter((beginning) => path.startsWith(beginning));
  const longest = beginnings.toSorted((one, other) => other.length - one.length)[0];
  const make = longest === undefined ? undefined : makers[longest];
  assert.ok(make, `tests/security/items.ts does not know how to make what ${path} names`);
  return await make(server, owner);
};
