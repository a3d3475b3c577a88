import type { Database, RepeatedStatement, Write } from '../../database/database.ts';
import type { Caller, Scope, TenantScope } from '../../foundation/caller.ts';
import { toRfc3339 } from '../../foundation/clock.ts';
import { Problem } from '../../foundation/problem.ts';
import { kindOf, stateOf } from './item-state.ts';
import type { DeliveredEntryIn, StoredEntry, TraceEntryIn } from './trace-entry.ts';
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
  /** Everything that happened to an item, in order. Throws `not-found`. */
  get(caller: Caller, id: string): Promise<ItemTrace>;
  /** The entries of deliveries, by their id, in order. */
  ofDeliveries(scope: TenantScope, deliveryIds: readonly string[]): Promise<ReadonlyMap<string, readonly StoredEntry[]>>;
  /** Entries of all tenants behind `seq`, oldest first, from at most `limit` rows: the feed of the live view. */
  after(seq: number, limit: number): Promise<readonly StoredEntry[]>;
  newestSeq(): Promise<number>;
  /** Removes the entries of these items; for retention. */
  removeSubjects(subjects: readonly string[]): Write[];
  /** Removes entries of other kinds than `event` before `before`, at most `limit`; resolves with how many went. */
  removeOld(before: number, limit: number): Promise<number>;
}

export { type StoredEntry, type TraceEntryIn, type TraceWhat, traceWords } from './trace-entry.ts';

/** Who may see the traces of other callers of its tenant, with their addresses; everybody sees those of the tenant's items. */
const seesCallers: Scope = 'people:manage';
const callerKinds: ReadonlySet<string> = new Set(['session', 'person', 'device', 'service']);

export const createTrace = ({ database }: { database: Database }): Trace => {
  const store = createTraceStore(database);
  return {
    entries: store.insertEntries,
    delivered: store.insertDelivered,
    async get(caller, id) {
      const found = await store.findEntries(caller, id);
      const first = found[0];
      const isOwn = found.some((entry) => entry.who === caller.id || entry.subject === caller.id);
      const mayNotSee = first && callerKinds.has(first.kind) && !isOwn && !caller.scopes.has(seesCallers);
      if (!first || mayNotSee) throw new Problem('not-found', `There is no trace of ${id}.`);
      return { id, kind: kindOf(id, found), state: stateOf(id, found), entries: found.map(toEntry) };
    },
    ofDeliveries: store.entriesOfDeliveries,
    after: store.entriesAfter,
    newestSeq: store.newestSeq,
    removeSubjects: store.removeSubjects,
    removeOld: store.removeOld,
  };
};

const toEntry = (entry: StoredEntry): TraceEntry => {
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
