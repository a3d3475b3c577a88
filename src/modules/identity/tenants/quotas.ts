import type { Clock } from '../../../foundation/clock.ts';
import type { TenantStore } from './tenant-store.ts';

/** Bytes that the files of one person and those of the whole tenant may take; absent where the tenant says nothing. */
export interface Quotas {
  readonly personBytes?: number;
  readonly tenantBytes?: number;
}

/** Quotas are asked for with every upload and change once in a while. */
const keptMs = 2_000;
const mostKept = 1_000;

/** A changed quota counts after two seconds at most. */
export const createQuotasOf = ({ tenants, clock }: { tenants: Pick<TenantStore, 'findTenant'>; clock: Clock }) => {
  const kept = new Map<string, { readonly quotas: Quotas; readonly until: number }>();
  return async (tenantId: string): Promise<Quotas> => {
    const now = clock.now();
    const known = kept.get(tenantId);
    if (known !== undefined && known.until > now) return known.quotas;
    const tenant = await tenants.findTenant(tenantId);
    const quotas: Quotas = {
      ...(tenant?.quotaPerson == null ? {} : { personBytes: tenant.quotaPerson }),
      ...(tenant?.quotaTenant == null ? {} : { tenantBytes: tenant.quotaTenant }),
    };
    if (kept.size >= mostKept) kept.clear();
    kept.set(tenantId, { quotas, until: now + keptMs });
    return quotas;
  };
};
