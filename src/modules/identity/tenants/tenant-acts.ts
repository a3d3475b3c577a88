import { type Database, UniqueViolation, type Write } from '../../../database/database.ts';
import type { TenantRow } from '../../../database/tables.ts';
import type { Caller } from '../../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import { type Page, type PageRequest, toPage } from '../../../foundation/page.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import type { MakePerson } from '../accounts/person-acts.ts';
import type { Denials } from '../sessions/denials.ts';
import type { Origin } from '../sessions/sessions.ts';
import type { TenantStore } from './tenant-store.ts';

/** A tenant as the operator sees it. Without quotas it has those of the settings. */
export interface TenantSeen {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly state: TenantRow['state'];
  readonly confirmEmail: boolean;
  readonly signUp: TenantRow['signUp'];
  readonly quotaPerson?: number;
  readonly quotaTenant?: number;
  readonly createdAt: string;
}

export interface TenantMade extends TenantSeen {
  readonly admin?: { readonly id: string };
}

export interface NewTenant {
  readonly name: string;
  readonly slug?: string;
  readonly admin?: { readonly username: string; readonly password: string; readonly email?: string };
}

/** What is not given stays as it is; a quota that is null is the settings' again. */
export interface TenantChange {
  readonly name?: string;
  readonly slug?: string;
  readonly state?: TenantRow['state'];
  readonly confirmEmail?: boolean;
  readonly signUp?: TenantRow['signUp'];
  readonly quotaPerson?: number | null;
  readonly quotaTenant?: number | null;
}

/** All tenants of the instance; who may see them is decided before. */
export interface Tenants {
  /** With its first admin, where one is wanted: both or neither. Throws `conflict` where the slug or the user name is taken. */
  create(caller: Caller, wanted: NewTenant, origin: Origin): Promise<TenantMade>;
  list(page: PageRequest): Promise<Page<TenantSeen>>;
  get(id: string): Promise<TenantSeen>;
  /**
   * A suspended tenant's sessions are refused at once, here; by other processes within seconds. None is ended: when the tenant is active
   * again, they go on. Throws `conflict` for a slug that is taken, and where the tenant `default` would be suspended or renamed.
   */
  change(caller: Caller, id: string, changes: TenantChange, origin: Origin): Promise<TenantSeen>;
}

export const createTenants = ({
  database,
  store,
  makePerson,
  denials,
  trace,
  clock,
  ids,
  defaultTenantId,
}: {
  database: Pick<Database, 'write' | 'transaction'>;
  store: TenantStore;
  makePerson: MakePerson;
  denials: Pick<Denials, 'noteTenant'>;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  ids: Ids;
  defaultTenantId: string;
}): Tenants => {
  /** Of the tenant that the act is about, so that its admin sees it. */
  const traced = (caller: Caller, tenantId: string, { requestId }: Origin, act: Pick<TraceEntryIn, 'what' | 'detail'>): Write[] =>
    trace.entries([{ tenantId, subject: tenantId, kind: 'tenant', requestId, at: clock.now(), who: caller.id, ...act }]);

  const slugMustBeFree = async (slug: string, tenantId: string) => {
    const holder = await store.findTenantBySlug(slug);
    if (holder && holder.id !== tenantId) throw slugTaken(slug);
  };

  return {
    async create(caller, { name, slug: wantedSlug, admin: wantedAdmin }, origin) {
      const now = clock.now();
      const id = ids.next('tenant');
      const slug = wantedSlug ?? slugOf(name) ?? id.replace('_', '-');
      const row: TenantRow = { ...policyAtFirst, id, slug, name, createdAt: now, updatedAt: now };
      const making = { what: 'created', who: caller.id, requestId: origin.requestId, detail: { role: 'admin' } } as const;
      const admin = wantedAdmin && (await makePerson({ ...wantedAdmin, tenantId: id, role: 'admin' }, making, '/admin'));
      try {
        await database.write([
          store.insertTenant(row),
          ...traced(caller, id, origin, { what: 'created', detail: { slug } }),
          ...(admin?.writes ?? []),
        ]);
      } catch (error) {
        if (!(error instanceof UniqueViolation)) throw error;
        await slugMustBeFree(slug, id);
        throw new Problem('conflict', 'The user name of the admin is taken.', { cause: error });
      }
      return { ...toSeen(row), ...(admin ? { admin: { id: admin.person.id } } : {}) };
    },

    async list(page) {
      const rows = await store.listTenants(page);
      return toPage(rows, page.limit, (row) => [row.id], toSeen);
    },

    get: async (id) => toSeen((await store.findTenant(id)) ?? refuseUnknown(id)),

    async change(caller, id, changes, origin) {
      if (id === defaultTenantId) mustSuitDefault(changes);
      const row = await orSlugTaken(changes.slug, () =>
        database.transaction(async (trx) => {
          const before = (await store.holdTenant(trx, id, clock.now())) ?? refuseUnknown(id);
          const after = changed(before, changes);
          const acts = actsOf(before, after, changes);
          await trx.run([store.updateTenant(after), ...acts.flatMap((act) => traced(caller, id, origin, act))]);
          return after;
        }),
      );
      denials.noteTenant(row);
      return toSeen(row);
    },
  };
};

const policyAtFirst = { state: 'active', confirmEmail: 0, signUp: 'open', quotaPerson: null, quotaTenant: null } as const;

const refuseUnknown = (id: string): never => {
  throw new Problem('not-found', `There is no tenant ${id}.`);
};

const slugTaken = (slug: string, cause?: unknown) => new Problem('conflict', `The slug \`${slug}\` is taken.`, { cause });

const orSlugTaken = async <T>(slug: string | undefined, act: () => Promise<T>): Promise<T> => {
  try {
    return await act();
  } catch (error) {
    if (error instanceof UniqueViolation && slug !== undefined) throw slugTaken(slug, error);
    throw error;
  }
};

/** Operators live in the tenant `default`, and everything that names no tenant means it by its slug. */
const mustSuitDefault = ({ state, slug }: TenantChange) => {
  if (state === 'suspended') throw new Problem('conflict', 'The tenant `default` cannot be suspended: the operators belong to it.');
  if (slug !== undefined && slug !== 'default') throw new Problem('conflict', 'The tenant `default` keeps its slug.');
};

export const slugLength = { min: 1, max: 63 } as const;

/** What of a name may stand in an address: its letters without accents and its digits; undefined where nothing is left. */
const slugOf = (name: string): string | undefined => {
  const words = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .match(/[a-z0-9]+/g);
  const slug = words?.join('-').slice(0, slugLength.max).replace(/-$/, '');
  return slug === '' ? undefined : slug;
};

const changed = (before: TenantRow, changes: TenantChange): TenantRow => ({
  ...before,
  name: changes.name ?? before.name,
  slug: changes.slug ?? before.slug,
  state: changes.state ?? before.state,
  confirmEmail: changes.confirmEmail === undefined ? before.confirmEmail : Number(changes.confirmEmail),
  signUp: changes.signUp ?? before.signUp,
  quotaPerson: changes.quotaPerson === undefined ? before.quotaPerson : changes.quotaPerson,
  quotaTenant: changes.quotaTenant === undefined ? before.quotaTenant : changes.quotaTenant,
});

const actsOf = (before: TenantRow, after: TenantRow, { state: _state, ...others }: TenantChange) => {
  const turned = after.state === 'suspended' ? 'suspended' : 'resumed';
  return [
    ...(before.state === after.state ? [] : [{ what: turned, detail: {} } as const]),
    ...(Object.keys(others).length === 0 ? [] : [{ what: 'changed', detail: others } as const]),
  ];
};

const toSeen = (row: TenantRow): TenantSeen => ({
  id: row.id,
  name: row.name,
  slug: row.slug,
  state: row.state,
  confirmEmail: row.confirmEmail === 1,
  signUp: row.signUp,
  ...(row.quotaPerson === null ? {} : { quotaPerson: row.quotaPerson }),
  ...(row.quotaTenant === null ? {} : { quotaTenant: row.quotaTenant }),
  createdAt: toRfc3339(row.createdAt),
});
