import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { cleanUp } from './cleaning.ts';
import { callsTo, givenNeeds, givenServer, serve } from './identity.fixture.ts';
import { createSessionStore } from './sessions/session-store.ts';

/** Waits until `isSo`; false when it does not become so for long. */
const eventually = async (isSo: () => Promise<boolean>) => {
  for (let looks = 0; looks < 400; looks += 1) {
    if (await isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
};

/** A second process on the same database, with its workers. */
const givenReplica = async (context: TestContext, needs: Awaited<ReturnType<typeof givenServer>>) => {
  const identity = await needs.another();
  const workers = identity.startWorkers();
  context.after(() => Promise.all(workers.map((worker) => worker.stop())));
  return { identity, ...callsTo(await serve(context, needs, identity)) };
};

test('a session that ends on one replica is refused by another within five seconds', async (context) => {
  const server = await givenServer(context);
  const replica = await givenReplica(context, server);
  const { session } = await server.givenService([]);
  const token = session.accessToken;
  assert.equal((await replica.call('GET', '/v1/me', { token })).status, 200);
  await server.call('DELETE', '/v1/sessions/current', { token });
  assert.equal((await server.call('GET', '/v1/me', { token })).status, 401);
  assert.ok(await eventually(async () => (await replica.call('GET', '/v1/me', { token })).status === 401));
});

test('a scope that is changed on one replica counts on another within five seconds', async (context) => {
  const server = await givenServer(context);
  const replica = await givenReplica(context, server);
  const { made, session } = await server.givenService(['services:manage']);
  const token = session.accessToken;
  assert.equal((await replica.call('GET', '/v1/services', { token })).status, 200);
  await server.call('PATCH', `/v1/services/${made.id}`, { token: await server.operatorToken(), body: { scopes: [] } });
  assert.ok(await eventually(async () => (await replica.call('GET', '/v1/services', { token })).status === 403));
});

test('tokens of before a restart stay good, and ended sessions stay ended', async (context) => {
  const server = await givenServer(context);
  const { session: kept } = await server.givenService([]);
  const { session: ended } = await server.givenService([]);
  await server.call('DELETE', '/v1/sessions/current', { token: ended.accessToken });
  const restarted = await server.another();
  const authenticate = (token: string) => restarted.authenticate(`Bearer ${token}`, '127.0.0.1');
  assert.equal((await authenticate(kept.accessToken))?.sessionId, kept.id);
  await assert.rejects(authenticate(ended.accessToken), { kind: 'bad-token' });
});

test('more sessions ended at once than fit a page are all refused by another process', async (context) => {
  const server = await givenServer(context);
  const { made } = await server.givenService([]);
  const { build, write } = server.database;
  const at = server.clock.now();
  const rows = Array.from({ length: 2_500 }, (_, index) => ({
    id: `ses_${String(index).padStart(6, '0')}`,
    tenantId: 'ten_1',
    callerId: made.id,
    callerKind: 'service' as const,
    personId: null,
    clientId: null,
    secretId: null,
    scopesJson: null,
    endsAt: null,
    address: '192.0.2.1',
    createdAt: at,
    lastUsedAt: at,
    refreshExpiresAt: at + 1_000_000,
    revokedAt: at,
  }));
  for (let start = 0; start < rows.length; start += 500) {
    const { sql, parameters } = build
      .insertInto('sessions')
      .values(rows.slice(start, start + 500))
      .compile();
    await write([{ sql, parameters }]);
  }
  const store = createSessionStore(server.database);
  const seen = new Set<string>();
  let place = { at: at - 10_000, id: '' };
  for (;;) {
    const page = await store.listEndedSessions(at - 10_000, place, 1_000);
    for (const { id } of page) seen.add(id);
    const last = page.at(-1);
    if (!last) break;
    place = { at: last.revokedAt, id: last.id };
  }
  assert.equal(seen.size, 2_500);
});

test('what has ended is cleaned away in small pieces, and what goes on stays', async (context) => {
  const needs = await givenNeeds(context, { refreshTokenTtlMs: 60_000 });
  const { database, clock } = needs;
  const { build, write } = database;
  const store = createSessionStore(database);
  const now = clock.now();
  const row = (index: number, expiresAt: number) => ({
    id: `ses_${index}`,
    tenantId: 'ten_1',
    callerId: 'svc_1',
    callerKind: 'service' as const,
    personId: null,
    clientId: null,
    secretId: null,
    scopesJson: null,
    endsAt: null,
    address: '192.0.2.1',
    createdAt: now,
    lastUsedAt: now,
    refreshExpiresAt: expiresAt,
    revokedAt: null,
  });
  for (let start = 0; start < 1_200; start += 400) {
    const { sql, parameters } = build
      .insertInto('sessions')
      .values(Array.from({ length: 400 }, (_, index) => row(start + index, now - 1)))
      .compile();
    await write([{ sql, parameters }]);
  }
  await write([
    store.insertSession(row(9_999, now + 60_000)),
    store.insertRefreshToken({ tokenHash: 'old', sessionId: 'ses_9999', usedAt: now, expiresAt: now - 1 }),
    store.insertRefreshToken({ tokenHash: 'new', sessionId: 'ses_9999', usedAt: null, expiresAt: now + 60_000 }),
  ]);
  const steps = [
    { remove: store.removeExpiredRefreshTokens, keptMs: 0 },
    { remove: store.removeExpiredSessions, keptMs: 0 },
  ];
  assert.equal(await cleanUp({ database, clock, steps, signal: new AbortController().signal }), 1_201);
  const sessions = await database.read.selectFrom('sessions').select('id').execute();
  const tokens = await database.read.selectFrom('refreshTokens').select('tokenHash').execute();
  assert.deepEqual([sessions, tokens], [[{ id: 'ses_9999' }], [{ tokenHash: 'new' }]]);
});

test('workers stop when they are asked to', async (context) => {
  const identity = await (await givenNeeds(context)).another();
  const workers = identity.startWorkers();
  await Promise.all(workers.map((worker) => worker.stop()));
  assert.deepEqual(workers.map((worker) => worker.name).toSorted(), [
    'identity.cleaning',
    'identity.post',
    'identity.removals',
    'identity.watch',
  ]);
});
