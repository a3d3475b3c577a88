import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../../database/database.ts';
import { openDatabase } from '../../database/open-database.ts';
import type { Caller } from '../../foundation/caller.ts';
import { createClock } from '../../foundation/clock.ts';
import { createIds } from '../../foundation/ids.ts';
import { type Log, silentLog } from '../../foundation/log.ts';
import { Unavailable } from '../../foundation/problem.ts';
import { createSeal, Secret } from '../../foundation/secret.ts';
import { createBell } from '../../foundation/work.ts';
import { openIntake } from '../../intake/open-intake.ts';
import { createEvents, createEventTraceStore } from '../events/events.ts';
import { createTrace } from '../trace/trace.ts';
import { createDeliveryStore } from './delivery-store.ts';
import { startFanOut } from './fan-out.ts';
import { createKeyStore } from './key-store.ts';
import type { LaneNeeds } from './lane.ts';
import { startLanes } from './lanes.ts';
import { createLeaseStore } from './lease-store.ts';
import { createParking } from './parking.ts';
import { createReplay } from './replay.ts';
import { createTargetActs, type TargetIn } from './target-acts.ts';
import { createTargetStore } from './target-store.ts';
import { createOutbound } from './targets/outbound-http.ts';
import type { Judged, Sending, Target } from './targets/target.ts';
import { createTransformer } from './transform.ts';

const tenantId = 'ten_00000000000000000000000000';

export const caller: Caller = { id: 'svc_tests', kind: 'service', tenantId, sessionId: 'ses_tests', scopes: new Set() };

/** A request that reached the sink. */
export interface Reached {
  readonly sink: string;
  readonly at: number;
  readonly deliveryId: string;
  readonly id: string;
  readonly key: string | undefined;
  outcome?: string;
  endedAt?: number;
}

export type Answer = (event: { id: string; key?: string }, sending: Sending) => Judged | Promise<Judged> | 'never';

/** A target in this process: keeps what reaches it and answers as it is told. */
export interface FakeSink extends Target {
  answer: Answer;
  /** Resolves before the request is on the wire, as a new connection does; undefined: at once. */
  connect: (() => Promise<void>) | undefined;
  /** The process of the sender is gone: nothing reaches anybody any more. */
  isDead: boolean;
}

export const createFakeSink = (name: string, reached: Reached[]): FakeSink => {
  const sink: FakeSink = {
    answer: () => ({ outcome: 'delivered', status: 200 }),
    connect: undefined,
    isDead: false,
    async send(sending, signal) {
      const isCut = new Promise<Judged>((resolve) => {
        const cutOff = () => resolve({ outcome: 'failed', reason: 'cut off' });
        if (signal.aborted) cutOff();
        else signal.addEventListener('abort', cutOff, { once: true });
      });
      return await Promise.race([exchange(sending, signal), isCut]);
    },
    async close() {},
  };
  const exchange = async (sending: Sending, signal: AbortSignal): Promise<Judged> => {
    await sink.connect?.();
    if (sink.isDead || signal.aborted) return await new Promise(() => undefined);
    const event: { id: string; key?: string } = JSON.parse(sending.content);
    const one: Reached = { sink: name, at: performance.now(), deliveryId: sending.deliveryId, id: event.id, key: event.key };
    sending.onSent();
    reached.push(one);
    const answer = sink.answer(event, sending);
    const outcome = answer === 'never' ? await new Promise<Judged>(() => undefined) : await answer;
    if (sink.isDead) return await new Promise(() => undefined);
    one.outcome = outcome.outcome;
    one.endedAt = performance.now();
    return outcome;
  };
  return sink;
};

/** The same database behind a connection that can be cut. */
const cuttable = (database: Database) => {
  const line = { isCut: false, failing: 0 };
  const pass = async <T>(act: () => Promise<T>): Promise<T> => {
    if (line.isCut || line.failing > 0) {
      line.failing = Math.max(0, line.failing - 1);
      throw new Unavailable('The connection is cut.');
    }
    return await act();
  };
  const cut: Database = {
    ...database,
    write: (writes) => pass(() => database.write(writes)),
    transaction: (act, limits) => pass(() => database.transaction(act, limits)),
  };
  return { database: cut, line };
};

export interface InstanceOptions {
  readonly isAlone?: boolean;
  readonly leaseTtlMs?: number;
  readonly log?: Log;
  readonly shape?: LaneNeeds['shape'];
}

/** An empty database in a folder of its own, and what a process needs around it. All is gone after the test. */
export const givenDelivery = async (context: TestContext) => {
  const dataFolder = await mkdtemp(join(tmpdir(), 'entrepot-lane-'));
  const clock = createClock();
  const database = await openDatabase({ url: `sqlite:${join(dataFolder, 'entrepot.db')}`, clock });
  const reached: Reached[] = [];
  const stops: (() => Promise<void>)[] = [];
  context.after(async () => {
    await Promise.all(stops.map((stop) => stop()));
    await database.close();
    await rm(dataFolder, { recursive: true });
  });

  /** A process: fan-out and lanes over the same database, with a sink of its own. */
  const startInstance = (name: string, { isAlone = true, leaseTtlMs = 600, log = silentLog, shape }: InstanceOptions = {}) => {
    const { database: own, line } = cuttable(database);
    const ids = createIds(clock.now);
    const arrived = createBell(clock);
    const trace = createTrace({ database: own, source: createEventTraceStore(own) });
    const { events, intake } = createEvents({
      database: own,
      trace,
      clock,
      ids,
      arrived,
      openIntake: (writer) => openIntake('database:', { writer, clock }),
    });
    const deliveries = createDeliveryStore(own);
    const keys = createKeyStore(own);
    const targets = createTargetStore({ database: own, seal: createSeal(new Secret('for tests')) });
    const leases = createLeaseStore({ database: own, holder: name, ttlMs: isAlone ? 3_600_000_000 : leaseTtlMs });
    const outbound = createOutbound({ allow: ['127.0.0.0/8'] });
    const transformer = createTransformer();
    const parking = createParking({ database: own, events, trace, deliveries, clock });
    const replay = createReplay({ database: own, events, trace, deliveries, keys, targets, clock });
    const sink = createFakeSink(name, reached);

    const acts = createTargetActs({
      database: own,
      events,
      trace,
      targets,
      keys,
      parking,
      outbound,
      transformer,
      clock,
      ids,
      onChanged: () => lanes.lookAgain(),
    });
    const lanes = startLanes({
      database: own,
      events,
      trace,
      deliveries,
      keys,
      leases,
      targets,
      clock,
      log,
      isAlone,
      chance: Math.random,
      openSink: () => sink,
      shape: shape ?? (async (_target, fact) => fact.content),
      parkOpen: (targetId) => parking.parkOpen(targetId, { withUnderWay: false }),
      onGone: (target, reason) => acts.setState(target, 'paused', undefined, reason),
      onBlocked: (target) => void parking.parkBlocked(target.id).catch(() => undefined),
    });
    const fanOut = startFanOut({
      database: own,
      events,
      targets,
      deliveries,
      leases,
      isAlone,
      clock,
      ids,
      log,
      arrived,
      onRouted: (targetIds) => lanes.wake(targetIds),
      onBlocked: (targetId) => void parking.parkBlocked(targetId).catch(() => undefined),
    });
    let stopped: Promise<void> | undefined;
    const stop = async () => {
      await Promise.all([fanOut.stop(), lanes.stop()]);
      await intake.close();
      await Promise.all([outbound.close(), transformer.close()]);
    };
    const instance = {
      name,
      sink,
      line,
      lanes,
      replay,
      acts,
      deliveries,
      stop() {
        stopped ??= stop();
        return stopped;
      },
      /** As SIGKILL: nothing of it reaches anybody any more. Its loops end with the test. */
      kill() {
        line.isCut = true;
        sink.isDead = true;
      },
      async addTarget(target: Partial<TargetIn> = {}) {
        const made = await acts.create(
          { tenantId, isFromSettings: false },
          { name: ids.next('target'), kind: 'webhook', config: { url: 'http://127.0.0.1:9/' }, ...target },
        );
        return made.id;
      },
      change: (id: string, patch: object) => acts.update(caller, id, { ...patch }),
      /** In the order given. */
      async send(list: readonly { id: string; key?: string }[]) {
        for (let from = 0; from < list.length; from += 500) {
          const part = list.slice(from, from + 500);
          await events.accept(
            caller,
            part.map((event) => ({
              id: event.id,
              type: 'order.created',
              key: event.key,
              source: undefined,
              content: JSON.stringify({ name: 'order.created', ...event }),
            })),
            {},
          );
        }
      },
    };
    stops.push(async () => {
      line.isCut = false; // what a cut-off one still wants to write is refused then, which ends it sooner
      await instance.stop();
    });
    return instance;
  };

  /** How many deliveries are in each state. */
  const states = async (): Promise<Record<string, number>> => {
    const rows = await database.read
      .selectFrom('deliveries')
      .select(({ fn }) => ['state', fn.countAll<number>().as('amount')])
      .groupBy('state')
      .execute();
    return Object.fromEntries(rows.map(({ state, amount }) => [state, amount]));
  };

  return { dataFolder, database, clock, reached, startInstance, states };
};

export type Given = Awaited<ReturnType<typeof givenDelivery>>;
export type Instance = ReturnType<Given['startInstance']>;

/** Waits until something is so; fails with what `show` tells when that takes too long. */
export const until = async (isSo: () => boolean | Promise<boolean>, show: () => unknown = () => '', limitMs = 30_000): Promise<void> => {
  const giveUpAt = performance.now() + limitMs;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`It did not come about within ${limitMs} ms: ${JSON.stringify(await show())}`);
    await sleep(10);
  }
};

export const numbered = (prefix: string, count: number, key?: (index: number) => string) =>
  Array.from({ length: count }, (_, index) => ({ id: `${prefix}${index}`, ...(key ? { key: key(index) } : {}) }));
