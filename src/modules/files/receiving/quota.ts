import { Problem } from '../../../foundation/problem.ts';
import type { Limits } from '../ledger-store.ts';
import type { Viewer } from '../viewer.ts';
import type { UsageStore } from './usage-store.ts';

export interface Quota {
  /** What the tenant's files, and those of each of its people, may take now. */
  limitsOf(tenantId: string): Promise<Limits>;
  /**
   * How many bytes there is room for; throws `quota-exceeded` where `declaredBytes` are more. Only a first look: what counts is
   * `ledger.holdTo` in the transaction.
   */
  roomFor(viewer: Viewer, declaredBytes: number): Promise<number>;
  exceeded(): Problem;
}

/** What a tenant says of itself comes before the settings. */
export const createQuota = ({
  usage,
  quotasOf,
  fallback,
}: {
  usage: UsageStore;
  quotasOf: (tenantId: string) => Promise<Limits>;
  fallback: Limits;
}): Quota => {
  const limitsOf = async (tenantId: string): Promise<Limits> => ({ ...fallback, ...(await quotasOf(tenantId)) });
  const exceeded = () => new Problem('quota-exceeded', 'There is no room left for this file.');
  return {
    limitsOf,
    exceeded,
    async roomFor(viewer, declaredBytes) {
      const { personBytes = Infinity, tenantBytes = Infinity } = await limitsOf(viewer.tenantId);
      if (personBytes === Infinity && tenantBytes === Infinity) return Infinity;
      const used = await usage.findUsage(viewer);
      const room = Math.min(personBytes - used.personBytes, tenantBytes - used.tenantBytes);
      if (room < Math.max(1, declaredBytes)) throw exceeded();
      return room;
    },
  };
};
