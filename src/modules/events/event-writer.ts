import type { Database } from '../../database/database.ts';
import type { FactWriter, IncomingEvent } from '../../intake/intake.ts';
import type { Trace } from '../trace/trace.ts';
import { type EventStore, valuesOf } from './event-store.ts';

/** Writes events into `facts`, each with its content and the first entry of its trace, in one durable transaction. */
export const createEventWriter = ({ database, store, trace }: { database: Database; store: EventStore; trace: Trace }): FactWriter => ({
  async writeEvents(events) {
    const { facts, contents } = store.insertFacts(events.map((event) => valuesOf(event, false)));
    const entries = trace.entries(events.map(toEntry));
    // An event that was there before changes nothing: its content and its entry are not written either.
    const [inserted] = await database.write([
      facts,
      { ...contents, ifChanged: 0 },
      ...entries.map((write) => ({ ...write, ifChanged: 0 })),
    ]);
    const unchanged = new Set(inserted?.unchanged);
    if (unchanged.size === 0) return events.map(({ receivedAt }) => ({ isDuplicate: false, receivedAt }));
    return await Promise.all(
      events.map(async (event, index) => {
        if (!unchanged.has(index)) return { isDuplicate: false, receivedAt: event.receivedAt };
        return { isDuplicate: true, receivedAt: (await store.findFirstReceipt(event)) ?? event.receivedAt };
      }),
    );
  },
});

const toEntry = (event: IncomingEvent) => ({
  tenantId: event.tenantId,
  subject: event.factId,
  kind: 'event',
  itemId: event.eventId,
  requestId: event.requestId,
  at: event.receivedAt,
  what: 'accepted' as const,
  who: event.senderId,
});
