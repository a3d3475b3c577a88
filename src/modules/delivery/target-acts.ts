import { type Database, UniqueViolation, WriteRefused } from '../../database/database.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import { Problem } from '../../foundation/problem.ts';
import type { Events } from '../events/events.ts';
import type { Trace, TraceWhat } from '../trace/trace.ts';
import type { KeyStore } from './key-store.ts';
import type { Rate } from './pace.ts';
import type { Parking } from './parking.ts';
import { showTarget, type TargetRecord } from './target-record.ts';
import type { TargetStore } from './target-store.ts';
import { findTargetKind } from './targets/all-targets.ts';
import type { Outbound } from './targets/outbound-http.ts';
import type { TargetKind } from './targets/target.ts';
import type { Transformer } from './transform.ts';

/** A target as a caller gives it. */
export interface TargetIn {
  readonly name: string;
  readonly kind: string;
  readonly types?: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly enrich?: Readonly<Record<string, unknown>>;
  readonly transform?: string;
  readonly rate?: Rate;
  readonly concurrency?: number;
  readonly retry?: { readonly attempts?: number; readonly minDelayMs?: number; readonly maxDelayMs?: number };
  readonly ordering?: 'none' | 'key';
  readonly onDead?: 'skip' | 'park';
  readonly timeoutMs?: number;
  readonly state?: 'active' | 'paused';
}

export interface TargetActsNeeds {
  readonly database: Database;
  readonly events: Events;
  readonly trace: Trace;
  readonly targets: TargetStore;
  readonly keys: KeyStore;
  readonly parking: Parking;
  readonly outbound: Outbound;
  readonly transformer: Transformer;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Lanes have to look again. */
  readonly onChanged: () => void;
}

const defaults = { types: ['*'], concurrency: 8, attempts: 10, minDelayMs: 1_000, maxDelayMs: 3_600_000, timeoutMs: 15_000 } as const;

export const createTargetActs = (needs: TargetActsNeeds) => {
  const { database, events, trace, targets, keys, parking, outbound, transformer, clock, ids, onChanged } = needs;

  const kindOf = (name: string): TargetKind => {
    const kind = findTargetKind(name);
    if (!kind)
      throw new Problem('bad-body', `There is no kind of target ${name}.`, {
        errors: [{ in: 'body', at: '/kind', why: 'must be graphql or webhook' }],
      });
    return kind;
  };

  const assertUsable = async (config: Readonly<Record<string, unknown>>, transform: string | undefined) => {
    const complaint = transform === undefined ? undefined : transformer.check(transform);
    if (complaint)
      throw new Problem('bad-body', `The transform is no JSONata: ${complaint}`, {
        errors: [{ in: 'body', at: '/transform', why: complaint }],
      });
    if (typeof config.url === 'string') await outbound.checkUrl(config.url);
  };

  const entry = (target: TargetRecord, who: string | undefined, what: TraceWhat, detail?: object) =>
    trace.entries([
      { tenantId: target.tenantId, subject: target.id, kind: 'target', at: clock.now(), what, who, place: target.name, detail },
    ]);

  const pausedFact = ({ tenantId }: TargetRecord, who: string | undefined, shown: ReturnType<typeof showTarget>) =>
    events.append([{ tenantId, type: 'target.paused', ...(who === undefined ? {} : { who }), body: shown }]);

  const nameTaken = (error: unknown, name: string): never => {
    if (error instanceof UniqueViolation)
      throw new Problem('conflict', `There is a target named ${name} already.`, {
        errors: [{ in: 'body', at: '/name', why: 'is taken' }],
        cause: error,
      });
    if (error instanceof WriteRefused)
      throw new Problem('conflict', 'Somebody else changed the target at the same time; look at it and try again.', { cause: error });
    throw error;
  };

  const get = async (scope: TenantScope, id: string): Promise<TargetRecord> => {
    const target = await targets.findTarget(scope, id);
    if (!target) throw new Problem('not-found', `There is no target ${id}.`);
    return target;
  };

  const create = async (
    { tenantId, who, isFromSettings }: { tenantId: string; who?: string; isFromSettings: boolean },
    input: TargetIn,
  ) => {
    const kind = kindOf(input.kind);
    const { config, shownOnce } = kind.complete(input.config);
    await assertUsable(config, input.transform);
    const now = clock.now();
    const target: TargetRecord = {
      id: ids.next('target'),
      tenantId,
      name: input.name,
      kind: input.kind,
      types: input.types ?? defaults.types,
      config,
      enrich: input.enrich,
      transform: input.transform,
      rate: input.rate,
      concurrency: input.concurrency ?? defaults.concurrency,
      retry: retryOf(input.retry),
      ordering: input.ordering ?? 'none',
      onDead: input.onDead ?? 'skip',
      timeoutMs: input.timeoutMs ?? defaults.timeoutMs,
      state: input.state ?? 'active',
      pausedReason: undefined,
      afterPosition: 0,
      isFromSettings,
      createdAt: now,
      updatedAt: now,
    };
    await database
      .transaction(async (trx) => {
        const newest = await events.newestPosition(trx);
        await trx.run([...targets.insertTarget({ ...target, afterPosition: newest }), ...entry(target, who, 'created')]);
      })
      .catch((error: unknown) => nameTaken(error, target.name));
    onChanged();
    return { ...showTarget(target, kind), config: { ...kind.show(config), ...shownOnce } };
  };

  /** `change` has RFC 7396's meaning: null takes a member away, objects merge. */
  const change = async (before: TargetRecord, who: string | undefined, patch: Readonly<Record<string, unknown>>) => {
    const kind = kindOf(before.kind);
    const now = Math.max(clock.now(), before.updatedAt + 1);
    const merged = mergePatch({ ...showTarget(before, kind) }, patch) as unknown as TargetIn; // the route's schema has checked each member of the change
    const changedConfig = patch.config === undefined ? undefined : kind.complete(merged.config, { before: before.config, at: now });
    const target: TargetRecord = {
      ...before,
      name: merged.name,
      types: merged.types ?? defaults.types,
      config: changedConfig?.config ?? before.config,
      enrich: merged.enrich,
      transform: merged.transform,
      rate: merged.rate,
      concurrency: merged.concurrency ?? defaults.concurrency,
      retry: retryOf(merged.retry),
      ordering: merged.ordering ?? 'none',
      onDead: merged.onDead ?? 'skip',
      timeoutMs: merged.timeoutMs ?? defaults.timeoutMs,
      state: merged.state ?? before.state,
      pausedReason: merged.state === 'active' ? undefined : before.pausedReason,
      updatedAt: now,
    };
    await assertUsable(target.config, target.transform);
    const reorder =
      target.ordering === before.ordering ? [] : target.ordering === 'key' ? keys.holdAll(before.id) : keys.freeAll(before.id);
    const shown = showTarget(target, kind);
    const isNewlyPaused = target.state === 'paused' && before.state === 'active';
    await database
      .write([
        ...targets.updateTarget(target, before.updatedAt),
        ...reorder,
        ...entry(target, who, 'changed', { fields: Object.keys(patch) }),
        ...(target.state === before.state ? [] : entry(target, who, target.state === 'paused' ? 'paused' : 'resumed')),
        ...(isNewlyPaused ? pausedFact(target, who, shown) : []),
      ])
      .catch((error: unknown) => nameTaken(error, target.name));
    if (isNewlyPaused) events.announce();
    onChanged();
    return { ...shown, config: { ...kind.show(target.config), ...changedConfig?.shownOnce } };
  };

  const setState = async (target: TargetRecord, state: 'active' | 'paused', who: string | undefined, reason: string | undefined) => {
    const now = Math.max(clock.now(), target.updatedAt + 1);
    const changed: TargetRecord = { ...target, state, pausedReason: reason, updatedAt: now };
    const shown = showTarget(changed, kindOf(target.kind));
    const isNewlyPaused = state === 'paused' && target.state === 'active';
    await database.write([
      ...targets.setState(target, state, reason ?? null, now),
      ...entry(target, who, state === 'paused' ? 'paused' : 'resumed', reason === undefined ? undefined : { reason }),
      ...(isNewlyPaused ? pausedFact(target, who, shown) : []),
    ]);
    if (isNewlyPaused) events.announce();
    onChanged();
    return shown;
  };

  return {
    get,
    create,
    setState,
    update: async (caller: Caller, id: string, patch: Readonly<Record<string, unknown>>) =>
      await change(await get(caller, id), caller.id, patch),

    /** Brings a target to what the settings say; changes nothing where it is so already. */
    async adjust(
      before: TargetRecord,
      wanted: { url: string; enrich: Readonly<Record<string, unknown>>; rate: Rate; attempts: number },
    ): Promise<void> {
      const isSo =
        before.config.url === wanted.url &&
        before.retry.attempts === wanted.attempts &&
        JSON.stringify([before.rate, before.enrich]) === JSON.stringify([wanted.rate, wanted.enrich]);
      if (isSo) return;
      const { url, attempts, ...members } = wanted;
      // Without the old fields, since a merge patch would keep those that the settings no longer name.
      await change({ ...before, enrich: undefined }, undefined, { ...members, config: { url }, retry: { attempts } });
    },

    /** What still waits for it is parked; a delivery that is under way ends. */
    async remove(caller: Caller, id: string): Promise<void> {
      const target = await get(caller, id);
      await database.transaction(async (trx) => {
        await targets.markDeleted(trx, caller, id, clock.now());
        await trx.run(entry(target, caller.id, 'removed'));
      });
      onChanged();
      await parking.parkOpen(id, { withUnderWay: false });
    },

    /** Sends a sample past the queue; a target that fails is an answer, too. */
    async test(scope: TenantScope, id: string, signal: AbortSignal) {
      const target = await get(scope, id);
      const at = clock.now();
      const sample = {
        id: `test-${at}`,
        name: 'entrepot.test',
        timestamp: toRfc3339(at),
        body: { message: 'A test from Entrepot.' },
        ...target.enrich,
      };
      const sink = kindOf(target.kind).open(target.config, outbound);
      const startedAt = clock.precise();
      try {
        const content =
          target.transform === undefined ? JSON.stringify(sample) : await transformer.run(target.transform, JSON.stringify(sample));
        const judged = await sink.send(
          {
            deliveryId: ids.next('delivery'),
            factId: ids.next('fact'),
            type: 'entrepot.test',
            occurredAt: at,
            attemptAt: at,
            content,
            timeoutMs: target.timeoutMs,
            onSent() {},
          },
          signal,
        );
        return {
          outcome: judged.outcome,
          ...(judged.status === undefined ? {} : { status: judged.status }),
          durationMs: Math.round(clock.precise() - startedAt),
          ...(judged.responseBody === undefined ? {} : { body: judged.responseBody }),
          ...('reason' in judged ? { reason: judged.reason } : {}),
        };
      } catch (error) {
        return {
          outcome: 'parked',
          durationMs: Math.round(clock.precise() - startedAt),
          reason: error instanceof Error ? error.message : String(error),
        };
      } finally {
        await sink.close();
      }
    },
  };
};

const retryOf = (retry: TargetIn['retry']) => ({
  attempts: retry?.attempts ?? defaults.attempts,
  minDelayMs: retry?.minDelayMs ?? defaults.minDelayMs,
  maxDelayMs: retry?.maxDelayMs ?? defaults.maxDelayMs,
});

/** JSON Merge Patch, RFC 7396 §2. */
const mergePatch = (target: unknown, patch: unknown): unknown => {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
