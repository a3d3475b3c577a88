import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openDatabase } from '../../database/open-database.ts';
import type { Caller } from '../../foundation/caller.ts';
import { createClock } from '../../foundation/clock.ts';
import { createIds } from '../../foundation/ids.ts';
import { createBell } from '../../foundation/work.ts';
import { openIntake } from '../../intake/open-intake.ts';
import { createTrace } from '../trace/trace.ts';
import { createEvents, createEventTraceStore } from './events.ts';
import { createLiveFeed, type FeedPlace, placeOf, placeText } from './live-feed.ts';

const caller: Caller = { id: 'svc_1', kind: 'service', tenantId: 'ten_1', sessionId: 'ses_1', scopes: new Set() };
const start: FeedPlace = { accepted: 0, routed: 0, seq: 0 };

const given = async (context: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'entrepot-feed-'));
  const clock = createClock();
  const database = await openDatabase({ url: `sqlite:${join(folder, 'entrepot.db')}`, clock });
  context.after(async () => {
    await database.close();
    rmSync(folder, { recursive: true });
  });
  const eventTrace = createEventTraceStore(database);
  const trace = createTrace({ database, source: eventTrace });
  const arrived = createBell(clock);
  const { events } = createEvents({
    database,
    trace,
    clock,
    ids: createIds(clock.now),
    arrived,
    openIntake: (writer) => openIntake('database:', { writer, clock }),
  });
  const accept = async (prefix: string, count: number) => {
    const list = Array.from({ length: count }, (_, index) => ({
      id: `${prefix}${index}`,
      type: 'x',
      key: undefined,
      source: undefined,
      content: '{}',
    }));
    await events.accept(caller, list, {});
  };
  /** Fans out everything, each event to one target, and tells a try of each. */
  const handOn = async () => {
    for (let wave = await events.nextWave(700); wave; wave = await events.nextWave(700)) {
      const facts = await events.unrouted(wave, ['x']);
      const at = clock.now();
      const entry = { kind: 'event', tenantId: caller.tenantId, what: 'attempted', place: 'crm', at } as const;
      await database.write([
        ...events.routed(
          wave,
          facts.map(({ position, tenantId }) => ({ position, tenantId, targets: 1 })),
          at,
        ),
        ...trace.entries(facts.map(({ id }) => ({ ...entry, subject: id, deliveryId: `dlv_${id}` }))),
      ]);
    }
  };
  const feed = createLiveFeed({ trace, eventTrace, events });
  /** Everything behind a place, page for page, as `<event> <what>`, each with the place behind it. */
  const readAll = async (from: FeedPlace) => {
    const steps: { step: string; place: string }[] = [];
    for (let place = from, hasMore = true; hasMore; ) {
      const page = await feed.after(place);
      steps.push(
        ...page.entries.map(({ entry, fact, place: behind }) => ({ step: `${fact.eventId} ${entry.what}`, place: placeText(behind) })),
      );
      ({ place, hasMore } = page);
    }
    return steps;
  };
  return { accept, handOn, readAll, feed };
};

const steps = ['accepted', 'routed', 'attempted'];

test('who comes back after thousands of events sees every step of each once, and an event in its order', async (context) => {
  const { accept, handOn, readAll } = await given(context);
  for (const prefix of ['a', 'b', 'c']) await accept(prefix, 1000);
  await handOn();
  await accept('d', 500);
  const told = (await readAll(start)).map(({ step }) => step);
  assert.equal(told.length, 3 * 3000 + 500);
  assert.equal(new Set(told).size, told.length);
  const reached = new Map<string, number>();
  for (const step of told) {
    const [id = '', what = ''] = step.split(' ');
    assert.equal(steps.indexOf(what), (reached.get(id) ?? -1) + 1, step);
    reached.set(id, steps.indexOf(what));
  }
});

test('behind any step it goes on with the next one, without gaps or repetitions', async (context) => {
  const { accept, handOn, readAll } = await given(context);
  await accept('a', 20);
  await handOn();
  await accept('b', 20);
  const all = await readAll(start);
  for (const [index, { place }] of all.entries()) {
    const rest = await readAll(placeOf(place));
    assert.deepEqual(new Set(rest.map(({ step }) => step)), new Set(all.slice(index + 1).map(({ step }) => step)));
  }
});

test('a place beyond everything that is there is the end of what is there', async (context) => {
  const { accept, feed } = await given(context);
  await accept('a', 3);
  assert.deepEqual(await feed.start({ accepted: 99, routed: 99, seq: 99 }), { accepted: 3, routed: 0, seq: 0 });
  assert.deepEqual(await feed.start(undefined), { accepted: 3, routed: 0, seq: 0 });
});
