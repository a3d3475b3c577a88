import { sql } from 'kysely';
import type { Database, RepeatedStatement, Write } from '../../database/database.ts';
import { elementsOf } from '../../database/dialect.ts';
import { slot, template } from '../../database/template.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import {
  type DeliveredEntryIn,
  detailJsonOf,
  type EntrySource,
  entriesIn,
  type KeptEntry,
  patternOfFirst,
  type StoredEntry,
  type TraceEntryIn,
  wordsOf,
} from './trace-entry.ts';

/** An item's trace is short; a request may have touched many items. */
const maxEntriesShown = 5_000;

const toRow = (entry: TraceEntryIn) => ({
  tenantId: entry.tenantId,
  subject: entry.subject,
  kind: entry.kind,
  itemId: entry.itemId ?? null,
  deliveryId: entry.deliveryId ?? null,
  requestId: entry.requestId ?? null,
  at: entry.at,
  what: wordsOf(entry),
  who: entry.who ?? null,
  place: entry.place ?? null,
  detailJson: detailJsonOf(entry),
});

export const createTraceStore = (database: Database, source: EntrySource) => {
  const { build, read } = database;

  const insertEntry = template<ReturnType<typeof toRow>>(
    build.insertInto('traceEntries').values({
      tenantId: slot<string>('tenantId'),
      subject: slot<string>('subject'),
      kind: slot<string>('kind'),
      itemId: slot<string | null>('itemId'),
      deliveryId: slot<string | null>('deliveryId'),
      requestId: slot<string | null>('requestId'),
      at: slot<number>('at'),
      what: slot<string>('what'),
      who: slot<string | null>('who'),
      place: slot<string | null>('place'),
      detailJson: slot<string | null>('detailJson'),
    }),
  );

  /** The item other than an event that callers know by that id, where it differs from the item's own. */
  const findSubject = async ({ tenantId, id: callerId }: Caller, id: string): Promise<string | undefined> => {
    const query = read.selectFrom('traceEntries').select(['subject', 'who']).where('tenantId', '=', tenantId).where('itemId', '=', id);
    const opened = await query.orderBy('seq', 'desc').limit(100).execute();
    return (opened.find(({ who }) => who === callerId) ?? opened[0])?.subject;
  };
  const insertDelivered = template<{ tenantId: string; place: string; rows: string }>(
    build
      .insertInto('traceEntries')
      .columns(['tenantId', 'subject', 'kind', 'deliveryId', 'at', 'what', 'place', 'detailJson'])
      .expression((eb) =>
        eb
          .selectFrom(elementsOf(slot<string>('rows')).as('entries'))
          .select([
            sql.val(slot<string>('tenantId')).as('tenantId'),
            sql<string>`"value" ->> 0`.as('subject'),
            sql.lit('event').as('kind'),
            sql<string>`"value" ->> 1`.as('deliveryId'),
            sql<number>`"value" ->> 2`.as('at'),
            sql.lit('delivered').as('what'),
            sql.val(slot<string>('place')).as('place'),
            sql<string>`"value" -> 3`.as('detailJson'),
          ]),
      ),
  );

  const scrubbing = (subjects: readonly string[], limit: number, who?: string): Write =>
    build
      .updateTable('traceEntries')
      .set({ place: null, detailJson: null, itemId: null })
      .where('seq', 'in', (eb) =>
        eb
          .selectFrom('traceEntries')
          .select('seq')
          .where('subject', 'in', subjects)
          .$if(who !== undefined, (query) => query.where('who', '=', who ?? ''))
          .where((or) => or.or([or('place', 'is not', null), or('detailJson', 'is not', null), or('itemId', 'is not', null)]))
          .orderBy('seq')
          .limit(limit),
      )
      .compile();

  return {
    /** One write with a row for each entry, in order; none for no entries. */
    insertEntries: (list: readonly TraceEntryIn[]): RepeatedStatement[] => (list.length === 0 ? [] : [insertEntry.rows(list.map(toRow))]),

    /** The same entries as `insertEntries` would write, a third as dear: most of all entries are of this kind. None for no entries. */
    insertDelivered: ({ tenantId, place }: { tenantId: string; place: string }, list: readonly DeliveredEntryIn[]): Write[] => {
      if (list.length === 0) return [];
      const rows = list.map(({ subject, deliveryId, at, attempt }) => [subject, deliveryId, at, { attempt }]);
      return [insertDelivered.row({ tenantId, place, rows: JSON.stringify(rows) })];
    },

    /**
     * The entries of the item, delivery or request that `id` names; of several events with this id the caller's own, else the newest. Ids of
     * ours come before those that sources gave, so that no event hides what a caller did by bearing its id.
     */
    async findEntries(caller: Caller, id: string): Promise<readonly KeptEntry[]> {
      const inTenant = () => read.selectFrom('traceEntries').selectAll().where('tenantId', '=', caller.tenantId);
      type Column = 'subject' | 'deliveryId' | 'requestId';
      const by = async (column: Column, value: string) =>
        entriesIn(await inTenant().where(column, '=', value).orderBy('seq').limit(maxEntriesShown).execute());
      const ofSubject = (subject: string) => by('subject', subject);
      const [kept, ofOurs] = await Promise.all([source.ofItem(caller, id), ofSubject(id)]);
      if (ofOurs.length > 0 && kept?.subject !== id) return ofOurs;
      if (kept) return [...kept.entries, ...(kept.subject === id ? ofOurs : await ofSubject(kept.subject))];
      const subject = await findSubject(caller, id);
      if (subject !== undefined) return await ofSubject(subject);
      const ofDelivery = await by('deliveryId', id);
      if (ofDelivery.length > 0) return ofDelivery;
      const ofRequest = await by('requestId', id);
      return [...(await source.ofRequest(caller, id)), ...ofRequest].sort((one, other) => one.at - other.at);
    },

    /** Who opened the items: of those whose first entry is still there. */
    async openersOf({ tenantId }: TenantScope, subjects: readonly string[]): Promise<ReadonlyMap<string, string>> {
      const rows = await read
        .selectFrom('traceEntries')
        .select(['subject', 'who'])
        .where('tenantId', '=', tenantId)
        .where('subject', 'in', sql<string>`(select "value" from ${elementsOf(JSON.stringify(subjects))})`)
        .where((or) => or.or([or('what', 'in', ['received', 'created']), or('what', 'like', patternOfFirst('received'))]))
        .orderBy('seq', 'desc')
        .execute();
      return new Map(rows.flatMap(({ subject, who }) => (who === null ? [] : [[subject, who]])));
    },

    /** What happened to a tenant itself, whosever reads it. */
    findEntriesOfTenant: (tenantId: string): Promise<readonly StoredEntry[]> =>
      read
        .selectFrom('traceEntries')
        .selectAll()
        .where('subject', '=', tenantId)
        .where('tenantId', '=', tenantId)
        .where('kind', '=', 'tenant')
        .orderBy('seq')
        .limit(maxEntriesShown)
        .execute(),

    async entriesOfDeliveries(
      { tenantId }: TenantScope,
      deliveryIds: readonly string[],
    ): Promise<ReadonlyMap<string, readonly StoredEntry[]>> {
      const byDelivery = new Map<string, StoredEntry[]>(deliveryIds.map((id) => [id, []]));
      if (deliveryIds.length === 0) return byDelivery;
      const entries = await read
        .selectFrom('traceEntries')
        .selectAll()
        .where('tenantId', '=', tenantId)
        .where('deliveryId', 'in', deliveryIds)
        .orderBy('seq')
        .execute();
      for (const entry of entriesIn(entries)) byDelivery.get(entry.deliveryId ?? '')?.push(entry);
      return byDelivery;
    },

    /** For the live view, which shows each viewer its own tenant's entries only. */
    entriesAfter: async (seq: number, limit: number): Promise<readonly StoredEntry[]> =>
      entriesIn(await read.selectFrom('traceEntries').selectAll().where('seq', '>', seq).orderBy('seq').limit(limit).execute()),

    async newestSeq(): Promise<number> {
      const newest = await read.selectFrom('traceEntries').select('seq').orderBy('seq', 'desc').limit(1).executeTakeFirst();
      return newest?.seq ?? 0;
    },

    removeSubjects: (subjects: readonly string[]): Write[] =>
      subjects.length === 0 ? [] : [build.deleteFrom('traceEntries').where('subject', 'in', subjects).compile()],

    scrubbing,

    async scrub(subjects: readonly string[], limit: number, who?: string): Promise<number> {
      if (subjects.length === 0) return 0;
      const [result] = await database.write([scrubbing(subjects, limit, who)]);
      return result?.changes ?? 0;
    },

    async removeOld(before: number, limit: number): Promise<number> {
      const [result] = await database.write([
        build
          .deleteFrom('traceEntries')
          .where('seq', 'in', (eb) =>
            eb
              .selectFrom('traceEntries')
              .select('seq')
              .where('at', '<', before)
              .where(sql<boolean>`"kind" <> 'event'`)
              .orderBy('at')
              .limit(limit),
          )
          .compile(),
      ]);
      return result?.changes ?? 0;
    },
  };
};
