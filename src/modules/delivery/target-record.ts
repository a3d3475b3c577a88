import type { TargetRow } from '../../database/tables.ts';
import { toRfc3339 } from '../../foundation/clock.ts';
import type { Seal } from '../../foundation/secret.ts';
import type { Rate } from './pace.ts';
import type { RetryPolicy } from './retry-schedule.ts';
import type { TargetConfig, TargetKind } from './targets/target.ts';

/** A receiver of facts: what it wants, in which shape, how fast. */
export interface TargetRecord {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly kind: string;
  readonly types: readonly string[];
  readonly config: TargetConfig;
  readonly enrich: Readonly<Record<string, unknown>> | undefined;
  readonly transform: string | undefined;
  readonly rate: Rate | undefined;
  readonly concurrency: number;
  readonly retry: RetryPolicy;
  readonly ordering: 'none' | 'key';
  readonly onDead: 'skip' | 'park';
  readonly timeoutMs: number;
  readonly state: 'active' | 'paused';
  readonly pausedReason: string | undefined;
  readonly afterPosition: number;
  readonly isFromSettings: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

const purpose = (id: string) => `target:${id}`;

export const toTargetRow = (target: TargetRecord, seal: Seal): TargetRow => ({
  id: target.id,
  tenantId: target.tenantId,
  name: target.name,
  kind: target.kind,
  typesJson: JSON.stringify(target.types),
  sealedConfig: seal.seal(JSON.stringify(target.config), purpose(target.id)),
  enrichJson: target.enrich === undefined ? null : JSON.stringify(target.enrich),
  transform: target.transform ?? null,
  rateRequests: target.rate?.requests ?? null,
  rateIntervalMs: target.rate?.intervalMs ?? null,
  concurrency: target.concurrency,
  retryAttempts: target.retry.attempts,
  retryMinDelayMs: target.retry.minDelayMs,
  retryMaxDelayMs: target.retry.maxDelayMs,
  ordering: target.ordering,
  onDead: target.onDead,
  timeoutMs: target.timeoutMs,
  state: target.state,
  pausedReason: target.pausedReason ?? null,
  afterPosition: target.afterPosition,
  isFromSettings: target.isFromSettings ? 1 : 0,
  createdAt: target.createdAt,
  updatedAt: target.updatedAt,
  deletedAt: null,
});

export const toTargetRecord = (row: TargetRow, seal: Seal): TargetRecord => ({
  id: row.id,
  tenantId: row.tenantId,
  name: row.name,
  kind: row.kind,
  types: JSON.parse(row.typesJson),
  config: JSON.parse(seal.open(row.sealedConfig, purpose(row.id))),
  enrich: row.enrichJson === null ? undefined : JSON.parse(row.enrichJson),
  transform: row.transform ?? undefined,
  rate:
    row.rateRequests === null || row.rateIntervalMs === null ? undefined : { requests: row.rateRequests, intervalMs: row.rateIntervalMs },
  concurrency: row.concurrency,
  retry: { attempts: row.retryAttempts, minDelayMs: row.retryMinDelayMs, maxDelayMs: row.retryMaxDelayMs },
  ordering: row.ordering,
  onDead: row.onDead,
  timeoutMs: row.timeoutMs,
  state: row.state,
  pausedReason: row.pausedReason ?? undefined,
  afterPosition: row.afterPosition,
  isFromSettings: row.isFromSettings === 1,
  createdAt: row.createdAt,
  updatedAt: row.updatedAt,
});

/** The target as callers see it; secrets in its config are hidden. */
export const showTarget = (target: TargetRecord, kind: TargetKind) => ({
  id: target.id,
  name: target.name,
  kind: target.kind,
  types: [...target.types],
  config: kind.show(target.config),
  ...(target.enrich === undefined ? {} : { enrich: { ...target.enrich } }),
  ...(target.transform === undefined ? {} : { transform: target.transform }),
  ...(target.rate === undefined ? {} : { rate: target.rate }),
  concurrency: target.concurrency,
  retry: target.retry,
  ordering: target.ordering,
  onDead: target.onDead,
  timeoutMs: target.timeoutMs,
  state: target.state,
  ...(target.pausedReason === undefined ? {} : { reason: target.pausedReason }),
  createdAt: toRfc3339(target.createdAt),
  updatedAt: toRfc3339(target.updatedAt),
});

/** Whether a target with these `types` wants a fact: `*` all that sources send, `**` also our own, `order.*` what begins so, else the exact type. */
export const wantsType = (types: readonly string[], fact: { readonly type: string; readonly isOwn: boolean }): boolean =>
  types.some((wanted) => {
    if (wanted === '**') return true;
    if (wanted === '*') return !fact.isOwn;
    if (wanted.endsWith('.*')) return fact.type.startsWith(wanted.slice(0, -1)) && fact.type.length > wanted.length - 1;
    return fact.type === wanted;
  });
