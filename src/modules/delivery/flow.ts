import type { TenantScope } from '../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../foundation/clock.ts';
import type { Events } from '../events/events.ts';
import type { CountChange, DeliveryState, DeliveryStore } from './delivery-store.ts';
import type { TargetRecord } from './target-record.ts';
import type { TargetStore } from './target-store.ts';

/** Rates are over this long. */
const meterWindowMs = 10_000;
/** However often it is asked for: a sample holds the counts of all targets. */
const meterStepMs = 500;
const maxTargetsShown = 200;

interface Sample {
  readonly at: number;
  readonly accepted: number;
  readonly routed: number;
  readonly counts: readonly CountChange[];
}

/** What flows and what is stuck. Rates come from the running totals in the database, so they are those of all processes together. */
export const createFlow = ({
  events,
  deliveries,
  targets,
  clock,
}: {
  events: Events;
  deliveries: DeliveryStore;
  targets: TargetStore;
  clock: Clock;
}) => {
  const samples = new Map<string, Sample[]>();

  const take = async (scope: TenantScope): Promise<Sample> => {
    const [totals, counts] = await Promise.all([events.totals(scope), deliveries.readCounts(scope)]);
    const sample = { at: clock.now(), ...totals, counts };
    const kept = (samples.get(scope.tenantId) ?? []).filter(({ at }) => at > sample.at - meterWindowMs * 2);
    if (sample.at - (kept.at(-1)?.at ?? 0) >= meterStepMs) kept.push(sample);
    samples.set(scope.tenantId, kept);
    return sample;
  };

  /** The newest sample that is at least the window old, else the oldest there is. */
  const earlier = ({ tenantId }: TenantScope, now: number): Sample | undefined => {
    const kept = samples.get(tenantId) ?? [];
    return kept.findLast(({ at }) => at <= now - meterWindowMs) ?? kept[0];
  };

  return {
    take,

    async read(scope: TenantScope) {
      const list = await targets.listTargets(scope, { limit: maxTargetsShown });
      const now = await take(scope);
      const before = earlier(scope, now.at);
      const seconds = before ? (now.at - before.at) / 1000 : 0;
      const perSecond = (current: number, then: number | undefined) =>
        seconds < 0.2 ? 0 : round(Math.max(0, current - (then ?? 0)) / seconds);
      const sum = (sample: Sample | undefined, state: DeliveryState) =>
        (sample?.counts ?? []).filter((count) => count.state === state).reduce((total, { amount }) => total + amount, 0);
      const stage = (current: number, then: number | undefined) => ({ count: current, perSecond: perSecond(current, then) });
      return {
        at: toRfc3339(now.at),
        stages: {
          accepted: stage(now.accepted, before?.accepted),
          routed: stage(now.routed, before?.routed),
          delivered: stage(sum(now, 'delivered'), sum(before, 'delivered')),
          dead: stage(sum(now, 'dead'), sum(before, 'dead')),
        },
        targets: await Promise.all(list.map((target) => ofTarget(target, now, amountOf(before, target.id, 'delivered'), perSecond))),
      };
    },
  };

  async function ofTarget(
    target: TargetRecord,
    sample: Sample,
    deliveredBefore: number,
    perSecond: (current: number, then: number) => number,
  ) {
    const amount = (state: DeliveryState) => amountOf(sample, target.id, state);
    const open = amount('waiting') + amount('retrying');
    const since = open > 0 ? await deliveries.oldestWaitingSince(target.id) : undefined;
    const measured = perSecond(amount('delivered'), deliveredBefore);
    const allowed = target.rate ? (target.rate.requests / target.rate.intervalMs) * 1000 : measured;
    return {
      id: target.id,
      name: target.name,
      state: target.state,
      waiting: amount('waiting'),
      retrying: amount('retrying'),
      dead: amount('dead'),
      parked: amount('parked'),
      delivered: amount('delivered'),
      perSecond: measured,
      ...(target.rate ? { rate: target.rate } : {}),
      ...(since === undefined ? {} : { oldestWaitingMs: Math.max(0, sample.at - since) }),
      ...(open > 0 && allowed > 0 && target.state === 'active'
        ? { expectedEnd: toRfc3339(Math.min(sample.at + (open / allowed) * 1000, 8.64e15)) }
        : {}),
    };
  }
};

const amountOf = (sample: Sample | undefined, targetId: string, state: DeliveryState): number =>
  sample?.counts.find((count) => count.targetId === targetId && count.state === state)?.amount ?? 0;

const round = (value: number) => Math.round(value * 100) / 100;
