import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { assertSound, readData } from '../support/data-file.ts';
import { call, eventually, givenOperator, givenService, givenTarget } from '../support/given.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { createLedger, type Ledger, type Source, startSenders } from '../support/senders.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const killRounds = 20;
const stopRounds = 4;
const scopes = ['events:send', 'events:read'];

/** The ids that the sources were promised, looked up through the list of what came in since. */
const assertAllThere = async (server: TestServer, token: string, wanted: ReadonlySet<string>, from: string) => {
  const missing = new Set(wanted);
  let cursor: string | undefined;
  do {
    const page = await call(server, 'GET', `/v1/events?limit=200&from=${from}${cursor === undefined ? '' : `&cursor=${cursor}`}`, {
      token,
    });
    assert.equal(page.status, 200, page.text);
    for (const { id } of page.body.items) missing.delete(id);
    cursor = page.body.nextCursor;
  } while (cursor !== undefined && missing.size > 0);
  assert.deepEqual([...missing], [], 'acknowledged events are gone');
};

/** An array of which no answer was seen is there wholly or not at all. */
const assertArraysWhole = (dataFolder: string, ledger: Ledger) => {
  const there = new Set(
    readData(dataFolder, (rows) => rows('select senderId || eventId as name from facts where isOwn = 0').map(({ name }) => name)),
  );
  for (const { ids, sender } of ledger.unanswered) {
    const found = ids.filter((id) => there.has(sender + id)).length;
    assert.ok(found === 0 || found === ids.length, `${found} of the ${ids.length} events of one array are there`);
  }
};

const arrivalsAt = (receiver: Receiver, path: string) =>
  receiver.received
    .filter((request) => request.path === path)
    .map(({ json }) => (json as { variables: { input: { id: string } } }).variables.input);

/** Of each key the events came first in the order in which they were accepted; again they may come at any time. */
const assertInOrder = (dataFolder: string, arrivals: readonly { readonly id: string }[]) => {
  const facts = readData(dataFolder, (rows) => rows('select eventId, orderingKey, position from facts where isOwn = 0'));
  const places = new Map(
    facts.map(({ eventId, orderingKey, position }) => [eventId, { key: String(orderingKey), position: Number(position) }]),
  );
  const newest = new Map<string, number>();
  const seen = new Set<string>();
  for (const { id } of arrivals) {
    const place = places.get(id);
    if (!place || seen.has(id)) continue;
    seen.add(id);
    assert.ok(place.position > (newest.get(place.key) ?? 0), `${id} came out of the order of its key ${place.key}`);
    newest.set(place.key, place.position);
  }
};

/** How many events and deliveries are not finished. */
const countOpen = async (server: TestServer, token: string): Promise<number> => {
  const { body } = await call(server, 'GET', '/v1/flow', { token });
  const unrouted = body.stages.accepted.count - body.stages.routed.count;
  return body.targets.reduce(
    (sum: number, { waiting, retrying }: Record<string, number>) => sum + (waiting ?? 0) + (retrying ?? 0),
    unrouted,
  );
};

test('what was acknowledged outlives 20 kills and 4 stops under load, and is delivered', async (context) => {
  const receiver = await startReceiver({ failureShare: 0.05, answer: () => ({ body: { data: {} }, afterMs: Math.random() * 20 }) });
  let server = await startServer();
  const { dataFolder } = server;
  context.after(async () => {
    await server.stop();
    await receiver.stop();
  });

  const operatorToken = await givenOperator(server);
  const sources: Source[] = [];
  for (let number = 0; number < 4; number += 1) sources.push(await givenService(server, operatorToken, scopes));
  const settings = { concurrency: 16, retry: { attempts: 100, minDelayMs: 20, maxDelayMs: 200 } };
  await givenTarget(server, operatorToken, { ...settings, config: { url: `${receiver.url}free` } });
  await givenTarget(server, operatorToken, { ...settings, config: { url: `${receiver.url}ordered` }, ordering: 'key' });
  const ledger = createLedger();

  const loadThen = async (round: number, end: (stopSenders: () => Promise<void>) => Promise<void>) => {
    const before = new Set(ledger.acknowledged.keys());
    const from = new Date(Date.now() - 1_000).toISOString();
    const senders = startSenders({ server, sources, ledger, label: `round${round}`, pauseMs: 20 });
    context.after(senders.stop);
    // At a random moment, but not before there is something to lose, however busy the machine is.
    await eventually(
      async () => ledger.acknowledged.size,
      (size) => size > before.size,
    );
    await sleep(300 + Math.random() * 500);
    await end(senders.stop);
    const acknowledged = new Set([...ledger.acknowledged.keys()].filter((id) => !before.has(id)));
    server = await startServer({ dataFolder });
    await assertAllThere(server, operatorToken, acknowledged, from);
    return acknowledged.size;
  };

  await context.test('every acknowledged event is there after each of 20 kills, and every array wholly or not at all', async () => {
    for (let round = 0; round < killRounds; round += 1) {
      const acknowledged = await loadThen(round, async (stopSenders) => {
        assert.equal(await server.kill('SIGKILL'), 'SIGKILL');
        await stopSenders();
        assertArraysWhole(dataFolder, ledger);
        assertSound(dataFolder);
      });
      assert.ok(acknowledged > 0, 'nothing was acknowledged in a round: it shows nothing');
    }
    assert.ok(ledger.unanswered.length > 0, 'no array was cut off');
  });

  await context.test('SIGTERM under load ends within 10 s with exit code 0, loses nothing and leaves no delivery under way', async () => {
    for (let round = 0; round < stopRounds; round += 1) {
      await loadThen(killRounds + round, async (stopSenders) => {
        const askedAt = performance.now();
        assert.equal(await server.kill('SIGTERM'), 0);
        assert.ok(performance.now() - askedAt < 10_000, 'it took longer than 10 s');
        await stopSenders();
        assertSound(dataFolder);
        assert.deepEqual(
          readData(dataFolder, (rows) => rows(`select id from deliveries where state = 'delivering'`)),
          [],
        );
      });
    }
  });

  await context.test('in the end every event is delivered, and the books are right', async () => {
    await eventually(
      () => countOpen(server, operatorToken),
      (open) => open === 0,
      60_000,
    );
    assert.equal(await server.kill('SIGTERM'), 0);
    assertSound(dataFolder);
    const unfinished = readData(dataFolder, (rows) =>
      rows(`select eventId, state from facts left join factStates using (position) where isOwn = 0 and state is not 'delivered'`),
    );
    assert.deepEqual(unfinished, []);
    for (const path of ['/free', '/ordered']) {
      const reached = new Set(arrivalsAt(receiver, path).map(({ id }) => id));
      assert.deepEqual(
        [...ledger.acknowledged.keys()].filter((id) => !reached.has(id)),
        [],
        `what ${path} did not get`,
      );
    }
    assertInOrder(dataFolder, arrivalsAt(receiver, '/ordered'));
    assert.deepEqual(ledger.faults, []);
    context.diagnostic(
      `${ledger.acknowledged.size} events acknowledged, ${receiver.received.length} requests at the target, ${ledger.unanswered.length} arrays cut off`,
    );
  });
});
