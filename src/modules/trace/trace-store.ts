import { sql } from 'kysely';
import type { Database, RepeatedStatement, Write } from '../../database/database.ts';
import { elementsOf } from '../../database/dialect.ts';
import { slot, template } from '../../database/template.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';
import { type DeliveredEntryIn, detailJsonOf, entriesIn, type StoredEntry, type TraceEntryIn } from './trace-entry.ts';

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
  what: entry.what,
  who: entry.who ?? null,
  place: entry.place ?? null,
  detailJson: detailJsonOf(entry),
});

export const createTraceStore = (database: Database) => {
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

  return {
    /** One write with a row for each entry, in order; none for no entries. */
    insertEntries: (list: readonly TraceEntryIn[]): RepeatedStatement[] => (list.length === 0 ? [] : [insertEntry.rows(list.map(toRow))]),

    /** The same entries as `insertEntries` would write, a third as dear: most of all entries are of this kind. None for no entries. */
    insertDelivered: ({ tenantId, place }: { tenantId: string; place: string }, list: readonly DeliveredEntryIn[]): Write[] => {
      if (list.length === 0) return [];
      const rows = list.map(({ subject, deliveryId, at, attempt }) => [subject, deliveryId, at, { attempt }]);
      return [insertDelivered.row({ tenantId, place, rows: JSON.stringify(rows) })];
    },

    /** The entries of the item, delivery or request that `id` names; of several events with this id the caller's own, else the newest. */
    async findEntries(caller: Caller, id: string): Promise<readonly StoredEntry[]> {
      const inTenant = () => read.selectFrom('traceEntries').selectAll().where('tenantId', '=', caller.tenantId);
      const opened = await inTenant().where('itemId', '=', id).orderBy('seq', 'desc').limit(100).execute();
      const opening = opened.find((entry) => entry.who === caller.id) ?? opened[0];
      const subject = opening?.subject ?? id;
      const ofSubject = await inTenant().where('subject', '=', subject).orderBy('seq').limit(maxEntriesShown).execute();
      if (ofSubject.length > 0) return entriesIn(ofSubject);
      const ofDelivery = await inTenant().where('deliveryId', '=', id).orderBy('seq').limit(maxEntriesShown).execute();
      if (ofDelivery.length > 0) return entriesIn(ofDelivery);
      return entriesIn(await inTenant().where('requestId', '=', id).orderBy('seq').limit(maxEntriesShown).execute());
    },

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
