import type { KeptEntry, Trace } from '../trace/trace.ts';
import type { FactHead } from './event-store.ts';
import { acceptedEntry, type EventTraceStore, routedEntry } from './event-trace-store.ts';
import type { Events } from './events.ts';

/**
 * How far somebody has read: facts that were accepted, facts that were fanned out (both by the facts' positions), and entries of the trace.
 * What happens to an event is told in these three places, each in its own order.
 */
export interface FeedPlace {
  readonly accepted: number;
  readonly routed: number;
  readonly seq: number;
}

export interface FeedEntry {
  readonly entry: KeptEntry;
  readonly fact: FactHead;
  /** Behind this entry. */
  readonly place: FeedPlace;
}

export interface FeedPage {
  readonly entries: readonly FeedEntry[];
  readonly place: FeedPlace;
  /** Whether there was more than a page. */
  readonly hasMore: boolean;
}

const entriesInPage = 1_000;

export const placePattern = '^[0-9]{1,15}-[0-9]{1,15}-[0-9]{1,15}$';

/** Entries may lie half a step apart, and what viewers see is whole. */
const placesInStep = 2;

export const placeText = ({ accepted, routed, seq }: FeedPlace): string => `${accepted}-${routed}-${seq * placesInStep}`;

/** The place that a text of `placePattern` names. */
export const placeOf = (text: string): FeedPlace => {
  const [accepted = 0, routed = 0, seq = 0] = text.split('-').map(Number);
  return { accepted, routed, seq: seq / placesInStep };
};

interface Step {
  readonly entry: KeptEntry;
  /** What is read when it has been read. */
  readonly moves: Partial<FeedPlace>;
}

/** All steps by their time, those of each way in its own order; at the same time an earlier way comes first. */
const merged = (ways: readonly (readonly Step[])[]): Step[] => {
  const steps: Step[] = [];
  const next = ways.map(() => 0);
  for (;;) {
    let chosen = -1;
    let earliest = Number.POSITIVE_INFINITY;
    for (const [way, list] of ways.entries()) {
      const at = list[next[way] ?? 0]?.entry.at ?? Number.POSITIVE_INFINITY;
      if (at < earliest) [chosen, earliest] = [way, at];
    }
    const step = ways[chosen]?.[next[chosen] ?? 0];
    if (!step) return steps;
    steps.push(step);
    next[chosen] = (next[chosen] ?? 0) + 1;
  }
};

/** What happens to events of all tenants, in order: each of an event's steps stands behind those before it. */
export const createLiveFeed = ({ trace, eventTrace, events }: { trace: Trace; eventTrace: EventTraceStore; events: Events }) => ({
  /** Where somebody begins who comes now or goes on at `wanted`. */
  async start(wanted: FeedPlace | undefined): Promise<FeedPlace> {
    const [seq, { accepted, routed }] = await Promise.all([trace.newestSeq(), eventTrace.newest()]);
    if (!wanted) return { accepted, routed, seq };
    return {
      accepted: Math.min(wanted.accepted, accepted),
      routed: Math.min(wanted.routed, routed),
      seq: Math.min(wanted.seq, seq),
    };
  },

  async after(place: FeedPlace): Promise<FeedPage> {
    // Read from the last step to the first, so that of a step that was read the ones before it were read as well.
    const told = (await trace.after(place.seq, entriesInPage)).filter(({ seq }) => seq > place.seq);
    const routed = await eventTrace.routedAfter(place.routed, entriesInPage);
    const accepted = await eventTrace.acceptedAfter(place.accepted, entriesInPage);
    const heads = await events.heads([
      ...new Set([...told.map(({ subject }) => subject), ...[...routed, ...accepted].map(({ id }) => id)]),
    ]);

    // Where a page is full, what comes after its end waits until the steps before it have been read.
    const lastAccepted = accepted.length === entriesInPage ? accepted.at(-1) : undefined;
    const routedNow = lastAccepted ? routed.filter(({ position }) => position <= lastAccepted.position) : routed;
    const lastRouted = routed.length === entriesInPage ? routed.at(-1) : undefined;
    const until = Math.min(lastAccepted?.receivedAt ?? Number.POSITIVE_INFINITY, lastRouted?.routedAt ?? Number.POSITIVE_INFINITY);
    const end = told.findIndex(({ at }) => at >= until);
    const toldNow = end === -1 ? told : told.slice(0, end);

    const reached = {
      accepted: accepted.at(-1)?.position ?? place.accepted,
      routed: routedNow.at(-1)?.position ?? place.routed,
      seq: toldNow.at(-1)?.seq ?? place.seq,
    };
    const ways: Step[][] = [
      accepted.map((fact) => ({ entry: acceptedEntry(fact), moves: { accepted: fact.position } })),
      routedNow.flatMap((fact) => routedEntry(fact).map((entry) => ({ entry, moves: { routed: fact.position } }))),
      toldNow.filter(({ kind }) => kind === 'event').map((entry) => ({ entry, moves: { seq: entry.seq } })),
    ];
    let at = place;
    const entries = merged(ways).flatMap(({ entry, moves }): FeedEntry[] => {
      at = { ...at, ...moves };
      const fact = heads.get(entry.subject);
      return fact ? [{ entry, fact, place: at }] : [];
    });
    return { entries, place: reached, hasMore: [told, routed, accepted].some(({ length }) => length >= entriesInPage) };
  },
});
