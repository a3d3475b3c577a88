import type { Database } from '../../database/database.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import { mergeFields } from '../../foundation/json-text.ts';
import type { Log } from '../../foundation/log.ts';
import { type Page, type PageRequest, toPage } from '../../foundation/page.ts';
import { Problem } from '../../foundation/problem.ts';
import type { Seal } from '../../foundation/secret.ts';
import type { Bell, Worker } from '../../foundation/work.ts';
import type { Events, FactToSend } from '../events/events.ts';
import type { Trace } from '../trace/trace.ts';
import { attemptsIn, showDelivery } from './delivery-resource.ts';
import { createDeliveryStore, type DeliveryFilter, type StoredDelivery } from './delivery-store.ts';
import { startFanOut } from './fan-out.ts';
import { createFlow } from './flow.ts';
import { createKeyStore } from './key-store.ts';
import { startLanes } from './lanes.ts';
import { createLeaseStore } from './lease-store.ts';
import type { Rate } from './pace.ts';
import { createParking } from './parking.ts';
import { createReplay } from './replay.ts';
import { startRetention } from './retention.ts';
import { createTargetActs } from './target-acts.ts';
import { showTarget, type TargetRecord } from './target-record.ts';
import { createTargetStore } from './target-store.ts';
import { findTargetKind } from './targets/all-targets.ts';
import { createOutbound } from './targets/outbound-http.ts';
import { createTransformer } from './transform.ts';

export interface DeliveryNeeds {
  readonly database: Database;
  readonly events: Events;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly seal: Seal;
  readonly chance: () => number;
  /** Rung when facts were written. */
  readonly arrived: Bell;
  /** New at each start. */
  readonly holder: string;
  /** No other process can be working on this data. */
  readonly isAlone: boolean;
  /** CIDRs that targets may have besides public addresses. */
  readonly outboundAllow: readonly string[];
  readonly retentionMs: number;
}

/** The target that the settings name, so that events can be proxied without any call. */
export interface TargetFromSettings {
  readonly url: string;
  readonly rate: Rate;
  readonly retries: number;
  readonly enrich: Readonly<Record<string, unknown>>;
}

/** With a database for several processes a lane moves within this after its owner died. */
const leaseTtlMs = 4_000;
/** Alone nobody else can want a lease, so none has to be renewed and an idle server writes nothing. */
const leaseTtlAloneMs = 10 * 365 * 24 * 3_600_000;
const settingsTargetName = 'default';

export const createDelivery = (needs: DeliveryNeeds) => {
  const { database, events, trace, clock, ids, log, seal } = needs;
  const deliveries = createDeliveryStore(database);
  const keys = createKeyStore(database);
  const targets = createTargetStore({ database, seal });
  const leases = createLeaseStore({ database, holder: needs.holder, ttlMs: needs.isAlone ? leaseTtlAloneMs : leaseTtlMs });
  const outbound = createOutbound({ allow: needs.outboundAllow });
  const transformer = createTransformer();
  const parking = createParking({ database, events, trace, deliveries, clock });
  const replay = createReplay({ database, events, trace, deliveries, keys, targets, clock });
  const flow = createFlow({ events, deliveries, targets, clock });

  /** Filled when the workers run in this process. */
  let lanes: ReturnType<typeof startLanes> | undefined;

  const acts = createTargetActs({
    database,
    events,
    trace,
    targets,
    keys,
    parking,
    outbound,
    transformer,
    clock,
    ids,
    onChanged: () => lanes?.lookAgain(),
  });

  const shape = (target: TargetRecord, fact: FactToSend): string | Promise<string> => {
    const merged = target.enrich === undefined ? fact.content : mergeFields(fact.content, target.enrich);
    return target.transform === undefined ? merged : transformer.run(target.transform, merged);
  };

  const showAll = async (scope: TenantScope, rows: readonly StoredDelivery[]) => {
    const [entries, facts] = await Promise.all([
      trace.ofDeliveries(
        scope,
        rows.map(({ id }) => id),
      ),
      events.heads(rows.map(({ factId }) => factId)),
    ]);
    return rows.map((row) =>
      showDelivery(row, { eventId: facts.get(row.factId)?.eventId ?? row.factId, attempts: attemptsIn(entries.get(row.id) ?? []) }),
    );
  };

  const inBackground = (work: Promise<unknown>, what: string) => {
    work.catch((error: unknown) => log.error({ err: error }, what));
  };

  return {
    targets: {
      create: acts.create,
      update: acts.update,
      async remove(caller: Caller, id: string) {
        await acts.remove(caller, id);
        lanes?.removed(id);
      },
      test: acts.test,
      async get(scope: TenantScope, id: string) {
        return shown(await acts.get(scope, id));
      },
      async list(scope: TenantScope, page: PageRequest) {
        return toPage(await targets.listTargets(scope, page), page.limit, ({ id }) => [id], shown);
      },
      async pause(caller: Caller, id: string) {
        return await acts.setState(await acts.get(caller, id), 'paused', caller.id, undefined);
      },
      async resume(caller: Caller, id: string) {
        return await acts.setState(await acts.get(caller, id), 'active', caller.id, undefined);
      },
    },

    async get(scope: TenantScope, id: string) {
      const found = await deliveries.findDelivery(scope, id);
      if (!found) throw new Problem('not-found', `There is no delivery ${id}.`);
      const [one] = await showAll(scope, [found]);
      return one ?? showDelivery(found, { eventId: found.factId, attempts: [] });
    },

    async list(
      caller: Caller,
      { event, ...filter }: DeliveryFilter & { event?: string },
      page: PageRequest,
    ): Promise<Page<Awaited<ReturnType<typeof showAll>>[number]>> {
      const factPositions = event === undefined ? undefined : await events.positionsOf(caller, event);
      if (factPositions?.length === 0) return { items: [] };
      const rows = await deliveries.listDeliveries(caller, { ...filter, ...(factPositions ? { factPositions } : {}) }, page);
      const items = await showAll(caller, rows.slice(0, page.limit));
      const { nextCursor } = toPage(
        rows,
        page.limit,
        ({ position }) => [position],
        ({ id }) => id,
      );
      return nextCursor === undefined ? { items } : { items, nextCursor };
    },

    async replayOne(caller: Caller, id: string): Promise<{ count: number }> {
      const found = await deliveries.findDelivery(caller, id);
      if (!found) throw new Problem('not-found', `There is no delivery ${id}.`);
      const woken = await replay.one(caller, id);
      if (!woken)
        throw new Problem('conflict', `The delivery is ${found.state}; only finished ones of targets that still exist can be replayed.`);
      lanes?.wake(woken);
      return { count: 1 };
    },

    async replayMany(caller: Caller, filter: DeliveryFilter): Promise<{ count: number }> {
      const { count, targetIds } = await replay.many(caller, filter);
      lanes?.wake(targetIds);
      return { count };
    },

    flow: flow.read,

    /** The deliveries of events, for the pages that show events. */
    async summariesOf(scope: TenantScope, positions: readonly number[]) {
      const rows = await deliveries.deliveriesOfFacts(scope, positions);
      const summaries = new Map<number, { id: string; target: string; state: string }[]>();
      for (const { factPosition, id, targetId, state } of rows) {
        summaries.set(factPosition, [...(summaries.get(factPosition) ?? []), { id, target: targetId, state }]);
      }
      return summaries;
    },

    /** How many deliveries are in each state, of all tenants, for the metrics. */
    counts: deliveries.readAllCounts,

    /** Makes the target that the settings name or brings it to what they say; without one, the one that they named before stays as it is. */
    async ensureTargetFromSettings(tenantId: string, wanted: TargetFromSettings): Promise<void> {
      const before = await targets.findTargetFromSettings({ tenantId });
      const { url, enrich, rate } = wanted;
      const attempts = wanted.retries + 1;
      if (before) return await acts.adjust(before, { url, enrich, rate, attempts });
      await acts.create(
        { tenantId, isFromSettings: true },
        { name: settingsTargetName, kind: 'graphql', config: { url }, enrich, rate, retry: { attempts } },
      );
    },

    /** Starts fan-out, lanes and retention in this process. */
    startWorkers(): Worker[] {
      const started = startLanes({
        database,
        events,
        trace,
        deliveries,
        keys,
        leases,
        targets,
        openSink: (target) => kindOf(target).open(target.config, outbound),
        isAlone: needs.isAlone,
        clock,
        chance: needs.chance,
        log,
        shape,
        parkOpen: (targetId) => parking.parkOpen(targetId, { withUnderWay: false }),
        onGone: (target, reason) => acts.setState(target, 'paused', undefined, reason),
        onBlocked: (target) => inBackground(parking.parkBlocked(target.id), 'lane.cannot-park'),
      });
      lanes = started;
      const fanOut = startFanOut({
        database,
        events,
        targets,
        deliveries,
        leases,
        isAlone: needs.isAlone,
        clock,
        ids,
        log,
        arrived: needs.arrived,
        onRouted: (targetIds) => started.wake(targetIds),
        onBlocked: (targetId) => inBackground(parking.parkBlocked(targetId), 'lane.cannot-park'),
      });
      const retention = startRetention({
        database,
        events,
        deliveries,
        targets,
        parking,
        trace,
        clock,
        log,
        retentionMs: needs.retentionMs,
      });
      return [fanOut, started, retention];
    },

    async close(): Promise<void> {
      await Promise.all([outbound.close(), transformer.close()]);
    },
  };
};

export type Delivery = ReturnType<typeof createDelivery>;

const shown = (target: TargetRecord) => showTarget(target, kindOf(target));

const kindOf = ({ kind }: TargetRecord) => {
  const found = findTargetKind(kind);
  if (!found) throw new Error(`There is no kind of target ${kind}.`);
  return found;
};
