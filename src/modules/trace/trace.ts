import type { Database, RepeatedStatement, Write } from '../../database/database.ts';
import type { Caller, Scope, TenantScope } from '../../foundation/caller.ts';
import { toRfc3339 } from '../../foundation/clock.ts';
import { Problem } from '../../foundation/problem.ts';
import { kindOf, stateOf } from './item-state.ts';
import { createOwnership, isOwned, type OwnedKind, type OwnersOf } from './ownership.ts';
import type { DeliveredEntryIn, EntrySource, KeptEntry, StoredEntry, TraceEntryIn } from './trace-entry.ts';
import { createTraceStore } from './trace-store.ts';

/** One entry as callers see it. */
export interface TraceEntry {
  readonly at: string;
  readonly what: string;
  readonly who?: string;
  readonly where?: string;
  readonly detail?: object;
}

export interface ItemTrace {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly entries: TraceEntry[];
}

export interface Trace {
  /** One write with a row for each entry (none for an empty list), for the transaction of the change that they tell of. */
  entries(list: readonly TraceEntryIn[]): RepeatedStatement[];
  /** The same for what was delivered to one place. */
  delivered(to: { tenantId: string; place: string }, list: readonly DeliveredEntryIn[]): Write[];
  /**
   * Everything that happened to an item, in order, as far as the caller may see it. Throws `not-found`, and `locked` where a locked folder
   * hides it from its owner; `folderToken` opens that.
   */
  get(caller: Caller, id: string, folderToken?: string | string[]): Promise<ItemTrace>;
  /** Who knows whose the items of a kind are. Until somebody does they are told apart by the entries that open them alone. */
  askOwnersOf(kind: OwnedKind, lookUp: OwnersOf): void;
  /** The entries of deliveries, by their id, in order. */
  ofDeliveries(scope: TenantScope, deliveryIds: readonly string[]): Promise<ReadonlyMap<string, readonly StoredEntry[]>>;
  /** Entries of all tenants behind `seq`, oldest first, from at most `limit` rows: the feed of the live view. */
  after(seq: number, limit: number): Promise<readonly StoredEntry[]>;
  newestSeq(): Promise<number>;
  /** Removes the entries of these items; for retention. */
  removeSubjects(subjects: readonly string[]): Write[];
  /**
   * Leaves only ids of the entries of these items: where they happened and all details go. At most `limit` entries; resolves with how many
   * there were. With `who` only of what that one did.
   */
  scrub(subjects: readonly string[], limit: number, who?: string): Promise<number>;
  /** The same as a write, for the oldest `limit` entries. */
  scrubbing(subjects: readonly string[], limit: number): Write;
  /** Removes entries of other kinds than `event` before `before`, at most `limit`; resolves with how many went. */
  removeOld(before: number, limit: number): Promise<number>;
}

export type { OwnersOf } from './ownership.ts';
export { type EntrySource, type KeptEntry, type StoredEntry, type TraceEntryIn, type TraceWhat, traceWords } from './trace-entry.ts';

/**
 * What is needed, one of these, to see what happened to others of the tenant, with their addresses: each sees what happened to itself and
 * what it did. The traces of the tenant's other items are for everybody.
 */
const neededToSee: Readonly<Record<string, readonly Scope[]>> = {
  session: ['people:manage'],
  person: ['people:manage'],
  device: ['people:manage'],
  service: ['people:manage', 'services:manage'],
  tenant: ['people:manage', 'tenants:manage'],
};

/** Asked of each entry of another kind than the owned ones: those of one request may be of several callers. */
const maySeeOpen = (caller: Caller, { kind, subject, who }: KeptEntry): boolean => {
  const needed = neededToSee[kind];
  const isOwn = subject === caller.id || who === caller.id;
  return needed === undefined || isOwn || needed.some((scope) => caller.scopes.has(scope));
};

/** Where there are no events. */
const noSource: EntrySource = { ofItem: async () => undefined, ofRequest: async () => [] };

/** `source` has the entries that stand in the rows of events. */
export const createTrace = ({ database, source = noSource }: { database: Database; source?: EntrySource }): Trace => {
  const store = createTraceStore(database, source);
  const ownership = createOwnership({ openersOf: store.openersOf });
  return {
    entries: store.insertEntries,
    delivered: store.insertDelivered,
    async get(caller, id, folderToken) {
      const all = await store.findEntries(caller, id);
      const { isShown, isLocked } = await ownership.judge(caller, all, folderToken);
      const inTenant = all.filter((entry) => (isOwned(entry) ? isShown(entry) : maySeeOpen(caller, entry)));
      if (inTenant.length === 0 && isLocked) throw new Problem('locked', 'It lies in a locked folder.');
      const isElsewhere = inTenant.length === 0 && caller.scopes.has('tenants:manage');
      const found = isElsewhere ? await store.findEntriesOfTenant(id) : inTenant;
      if (found.length === 0) throw new Problem('not-found', `There is no trace of ${id}.`);
      return { id, kind: kindOf(id, found), state: stateOf(id, found), entries: found.map(toEntry) };
    },
    askOwnersOf: ownership.ask,
    ofDeliveries: store.entriesOfDeliveries,
    after: store.entriesAfter,
    newestSeq: store.newestSeq,
    removeSubjects: store.removeSubjects,
    scrub: store.scrub,
    scrubbing: store.scrubbing,
    removeOld: store.removeOld,
  };
};

const toEntry = (entry: KeptEntry): TraceEntry => {
  const detail: unknown = entry.detailJson === null ? undefined : JSON.parse(entry.detailJson);
  const delivery = entry.deliveryId === null ? undefined : { delivery: entry.deliveryId };
  return {
    at: toRfc3339(entry.at),
    what: entry.what,
    ...(entry.who === null ? {} : { who: entry.who }),
    ...(entry.place === null ? {} : { where: entry.place }),
    ...(detail === undefined && delivery === undefined ? {} : { detail: { ...delivery, ...(detail as object | undefined) } }), // written by `insertEntries` from an object
  };
};
