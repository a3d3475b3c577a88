import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, givenOperator, type Json } from '../support/given.ts';
import { noteRefusal } from '../support/refusals-seen.ts';
import { startServer, type TestServer } from '../support/start-server.ts';
import { accessOfRoutes, scopesOfRole } from './access-table.ts';
import { type Caller, keeperOfDefault, makeDevice, makePerson, makeProgram, makeService, makeTenant } from './callers.ts';
import { type Item, makeItem } from './items.ts';

/** An answer as far as it says whether somebody was let in. */
interface Answer {
  readonly status: number;
  /** The kind of problem; undefined where it is none. */
  readonly kind?: string;
  /** The scope that was missing. */
  readonly scope?: string;
}

/** A row that is refused whatever the route wants. */
interface Refused {
  readonly name: string;
  readonly token: string | undefined;
  readonly kind: 'not-signed-in' | 'bad-token';
}

/**
 * They ask themselves who calls: one takes a cookie as well, one a form of its body from whoever has no session, and the third is for the
 * object store with its key.
 */
const asksItself = new Set(['DELETE /v1/sessions/current', 'POST /v1/devices/pairings', 'POST /v1/hooks/object-created']);
const unlocked = new Set(['public', 'optional', 'signed-in', 'person']);

describe('who may call each route', () => {
  let server: TestServer;
  /** Gives tokens for a second only. */
  let hasty: TestServer;
  let document: Json;
  /** All who have a session, in the tenant in which the items are. */
  let callers: readonly Caller[];
  /** Who makes the items, in the tenant and in the instance. */
  let owner: Caller;
  let operator: Caller;
  /** Everything an admin may do, in another tenant. */
  let foreigners: readonly Caller[];
  let refused: readonly Refused[];
  let expired: string;
  /** By scope: services that have just this one, those of another tenant, and services that have every other one. */
  const just = new Map<string, Caller>();
  const justElsewhere = new Map<string, Caller>();
  const allBut = new Map<string, Caller>();

  before(async () => {
    const env = { ENTREPOT_TRUSTED_PROXIES: '127.0.0.1' };
    [server, hasty] = await Promise.all([startServer({ env }), startServer({ env: { ENTREPOT_ACCESS_TOKEN_TTL: '1s' } })]);
    document = (await call(server, 'GET', '/openapi.json')).body;
    expired = await givenOperator(hasty);

    const instance = await keeperOfDefault(server);
    const [home, elsewhere, closed] = await Promise.all([
      makeTenant(server, instance, 'home'),
      makeTenant(server, instance, 'elsewhere'),
      makeTenant(server, instance, 'closed'),
    ]);
    const [revoked, suspended, foreigner] = await Promise.all([
      makePerson(server, home, 'admin'),
      makePerson(server, closed, 'admin'),
      makePerson(server, elsewhere, 'admin', 'an admin of another tenant'),
    ]);
    foreigners = [foreigner];
    operator = await makePerson(server, instance, 'operator');
    owner = await makePerson(server, home, 'admin', 'the owner');
    callers = await Promise.all([
      makePerson(server, home, 'viewer'),
      makePerson(server, home, 'member'),
      makePerson(server, home, 'admin', 'another admin of the tenant'),
      operator,
      makeDevice(server, home),
      makeProgram(server, home, ['trace:read']),
      makeService(server, home, [], 'a service without scopes'),
    ]);
    const makeServices = async (scope: string) => {
      const isOfAdmins = (scopesOfRole.admin as readonly string[]).includes(scope);
      const [keeper, most] = isOfAdmins ? [home, scopesOfRole.admin] : [instance, scopesOfRole.operator];
      const others = most.filter((other) => other !== scope);
      just.set(scope, await makeService(server, keeper, [scope], `a service with just ${scope}`));
      allBut.set(scope, await makeService(server, keeper, others, `a service with all but ${scope}`));
      if (isOfAdmins) justElsewhere.set(scope, await makeService(server, elsewhere, [scope], `a service elsewhere with just ${scope}`));
    };
    await Promise.all(scopesOfRole.operator.map(makeServices));

    await call(server, 'DELETE', '/v1/sessions/current', { token: revoked.token() });
    await call(server, 'PATCH', `/v1/tenants/${closed.tenantId}`, { token: instance.token, body: { state: 'suspended' } });
    refused = [
      { name: 'nobody', token: undefined, kind: 'not-signed-in' },
      { name: 'a forged token', token: `${owner.token().slice(0, -4)}AAAA`, kind: 'bad-token' },
      { name: 'a session that was ended', token: revoked.token(), kind: 'bad-token' },
      { name: 'somebody of a suspended tenant', token: suspended.token(), kind: 'bad-token' },
    ];
    await sleep(1_100);
  });
  after(() => Promise.all([server.stop(), hasty.stop()]));

  let tries = 0;

  /** Calls the route with the example of the document, from an address of its own, so that no limit of an address is in the way. */
  const attempt = async (to: TestServer, route: string, token: string | undefined, item: Item | undefined): Promise<Answer> => {
    tries += 1;
    const [method = '', template = ''] = route.split(' ');
    const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(item?.params[name] ?? 'nothing'));
    const [type, content] = Object.entries((document.paths[template][method.toLowerCase()].requestBody?.content ?? {}) as Json)[0] ?? [];
    const response = await fetch(to.url + path, {
      method,
      redirect: 'manual',
      headers: {
        'x-forwarded-for': `10.${tries >> 16}.${(tries >> 8) & 255}.${tries & 255}`,
        ...item?.headers,
        ...(type === undefined ? {} : { 'content-type': type }),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(type === undefined ? {} : { body: encodeExample(type, exampleOf(content)) }),
    });
    const text = response.headers.get('content-type')?.startsWith('text/event-stream') ? '' : await response.text();
    await response.body?.cancel().catch(() => undefined);
    noteRefusal(method, path, response.status, text);
    return { status: response.status, ...problemIn(text) };
  };

  const exampleOf = (content: Json): Json => {
    const first = content.example ?? Object.values((content.examples ?? {}) as Json)[0];
    return first?.value ?? first;
  };

  it('is written down in the table of this test, route by route', () => {
    const declared = Object.entries(document.paths as Json).flatMap(([path, item]) =>
      Object.entries(item as Json).map(([method, operation]) => [`${method.toUpperCase()} ${path}`, (operation as Json)['x-access']]),
    );
    assert.deepEqual(Object.fromEntries(declared), accessOfRoutes);
  });

  it('asks for scopes that some role has', () => {
    const held = new Set<string>(scopesOfRole.operator);
    const unknown = Object.values(accessOfRoutes).filter((access) => !unlocked.has(access) && !held.has(access));
    assert.deepEqual(unknown, []);
  });

  for (const [route, access] of Object.entries(accessOfRoutes)) {
    it(`${route} is for: ${access}`, async () => {
      const complaints: string[] = [];
      const expect = (who: string, answer: Answer, wanted: string, isAsWanted: boolean) => {
        if (!isAsWanted || answer.status >= 500) complaints.push(`${who} should be ${wanted}: ${JSON.stringify(answer)}`);
      };
      const [, path = ''] = route.split(' ');
      const maker = access === 'tenants:manage' || access === 'operate' ? operator : owner;
      const item = await makeItem(server, path, maker);

      for (const { name, token, kind } of [...refused, { name: 'a token that has expired', token: expired, kind: 'bad-token' }] as const) {
        const answer = await attempt(token === expired ? hasty : server, route, token, item);
        const isRefused = access !== 'public' && (access !== 'optional' || kind === 'bad-token');
        if (isRefused) expect(name, answer, `refused as ${kind}`, answer.status === 401 && answer.kind === kind);
        else expect(name, answer, 'let in', asksItself.has(route) || isLetIn(answer));
      }

      const everybody = [maker, ...callers, just.get(access), allBut.get(access)].filter((caller) => caller !== undefined);
      for (const caller of everybody.filter((one) => !has(one, access))) {
        const answer = await attempt(server, route, caller.token(), item);
        const isRight =
          answer.status === 403 && answer.kind === 'not-allowed' && answer.scope === (access === 'person' ? undefined : access);
        expect(caller.name, answer, 'refused as not-allowed', isRight);
      }

      if (item && access !== 'public') {
        const strangers = item.seenBy === 'instance' ? [] : [...foreigners, justElsewhere.get(access)];
        const blind = callers.filter(({ scopes }) => item.seenBy === 'owner' || !scopes.includes('people:manage'));
        const others = item.seenBy === 'owner' || item.seenBy === 'admins' ? blind : [];
        for (const caller of [...strangers, ...others].filter((one) => one !== undefined).filter((one) => has(one, access))) {
          const answer = await attempt(server, route, caller.token(), item);
          expect(caller.name, answer, 'told that there is nothing', answer.status === 404);
        }
        const answer = await attempt(server, route, maker.token(), item);
        expect(maker.name, answer, 'let in and shown it', isLetIn(answer) && answer.status !== 404);
      }

      for (const caller of everybody.filter((one) => has(one, access))) {
        await caller.revive();
        const answer = await attempt(server, route, caller.token(), item);
        expect(caller.name, answer, 'let in', asksItself.has(route) || isLetIn(answer, access));
        if (!route.startsWith('GET ')) await caller.revive();
      }
      assert.deepEqual(complaints, []);
    });
  }
});

const has = ({ kind, scopes }: Caller, access: string): boolean =>
  access === 'person' ? kind === 'person' : unlocked.has(access) || scopes.includes(access);

/** Not refused for who it is: a body or an item that is not right, or a wrong password, is another matter. */
const isLetIn = ({ status, kind, scope }: Answer, access?: string): boolean => {
  if (kind === 'not-signed-in' || kind === 'bad-token') return false;
  if (access === 'person') return kind !== 'not-allowed';
  return status !== 403 || scope === undefined;
};

const problemIn = (text: string): Pick<Answer, 'kind' | 'scope'> => {
  const [, kind] = /"type":"\/problems\/([\w-]+)"/.exec(text) ?? [];
  if (kind === undefined) return {};
  const { scope } = JSON.parse(text) as { scope?: string }; // a problem
  return { kind, ...(scope === undefined ? {} : { scope }) };
};

/** The example as the media type writes it. */
const encodeExample = (type: string, example: Json): string => {
  if (type.endsWith('json')) return JSON.stringify(example);
  return typeof example === 'object' ? new URLSearchParams(example).toString() : String(example ?? '');
};
