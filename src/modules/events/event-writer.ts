import type { Database } from '../../database/database.ts';
import type { FactWriter } from '../../intake/intake.ts';
import { type EventStore, valuesOf } from './event-store.ts';

/** Writes events into `facts` in one durable transaction. A fact's row is the first entry of its trace, too. */
export const createEventWriter = ({ database, store }: { database: Database; store: EventStore }): FactWriter => ({
  async writeEvents(events) {
    const [inserted] = await database.write([store.insertFacts(events.map((event) => valuesOf(event, false)))]);
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
