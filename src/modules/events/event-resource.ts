import type { TenantScope } from '../../foundation/caller.ts';
import { toRfc3339 } from '../../foundation/clock.ts';
import { mergeFields } from '../../foundation/json-text.ts';
import type { StoredFact } from './event-store.ts';

/** A delivery of an event, as it is shown beside it. */
export interface DeliverySummary {
  readonly id: string;
  readonly target: string;
  readonly state: string;
}

/** The deliveries of some facts by the facts' positions; deliveries belong to another module. */
export type DeliveriesOf = (scope: TenantScope, positions: readonly number[]) => Promise<ReadonlyMap<number, readonly DeliverySummary[]>>;

/** The JSON text of an event as GET shows it: what was sent, to the letter, and what became of it. */
export const eventText = (fact: StoredFact, deliveries: readonly DeliverySummary[]): string =>
  mergeFields(fact.content, {
    id: fact.eventId,
    sender: fact.senderId,
    source: fact.source,
    receivedAt: toRfc3339(fact.receivedAt),
    state: fact.state,
    deliveries,
  });
