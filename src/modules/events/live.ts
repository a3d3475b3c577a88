import type { ServerResponse } from 'node:http';
import type { Caller } from '../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../foundation/clock.ts';
import type { Log } from '../../foundation/log.ts';
import { startLoop, type Worker } from '../../foundation/work.ts';
import type { KeptEntry, Trace } from '../trace/trace.ts';
import type { FactHead } from './event-store.ts';
import type { EventTraceStore } from './event-trace-store.ts';
import type { Events } from './events.ts';
import { createLiveFeed, type FeedEntry, type FeedPlace, placeText } from './live-feed.ts';

/** What of the flow a viewer wants to see. */
export interface LiveFilter {
  readonly type?: string;
  readonly state?: string;
  /** Go on behind this entry (`Last-Event-ID`). */
  readonly after?: FeedPlace;
}

export interface LiveView {
  /**
   * Writes the flow of the caller's tenant to the response until it is closed; resolves when the first bytes are out. `open` is asked for the
   * response when nothing can be refused any more; a rejection before leaves the request as it was.
   */
  show(caller: Caller, filter: LiveFilter, open: () => ServerResponse): Promise<void>;
  readonly worker: Worker;
}

/** The caller as it counts now; undefined when its session is over or its tenant suspended. `since` is when it was last let in. */
type Judge = (caller: Caller, since: number) => Caller | undefined;

interface Viewer {
  readonly caller: Caller;
  readonly since: number;
  readonly filter: LiveFilter;
  readonly response: ServerResponse;
  /** Behind the last entry that it was shown, or that it did not want. */
  seen: FeedPlace;
}

const lookMs = 100;
const idleLookMs = 500;
const heartbeatMs = 15_000;
/** A viewer that has not read this much is dropped: nobody waits for it. It comes back with `Last-Event-ID`. */
const maxUnreadBytes = 1024 * 1024;

/** The trace as it is written, of all processes, to everybody who watches, for as long as they may. */
export const createLiveView = ({
  trace,
  eventTrace,
  events,
  judge,
  clock,
  log,
}: {
  trace: Trace;
  eventTrace: EventTraceStore;
  events: Events;
  judge: Judge;
  clock: Clock;
  log: Log;
}): LiveView => {
  const feed = createLiveFeed({ trace, eventTrace, events });
  const viewers = new Set<Viewer>();
  let heartbeatAt = 0;
  let isStopped = false;

  const drop = (viewer: Viewer) => {
    viewers.delete(viewer);
    viewer.response.destroy();
  };

  const write = (viewer: Viewer, text: string) => {
    viewer.response.write(text);
    if (viewer.response.writableLength <= maxUnreadBytes) return;
    log.info({ tenantId: viewer.caller.tenantId, unreadBytes: viewer.response.writableLength }, 'live.viewer-dropped');
    drop(viewer);
  };

  /** Shows a viewer what it wants of the entries. */
  const tell = (viewer: Viewer, entries: readonly FeedEntry[]) => {
    for (const { entry, fact, place } of entries) {
      viewer.seen = place;
      if (entry.tenantId !== viewer.caller.tenantId || !viewers.has(viewer)) continue;
      const state = stateAfter(entry, fact);
      if (viewer.filter.type !== undefined && fact.type !== viewer.filter.type) continue;
      if (viewer.filter.state !== undefined && state !== viewer.filter.state) continue;
      const data = {
        id: fact.eventId,
        source: fact.source,
        type: fact.type,
        state,
        at: toRfc3339(entry.at),
        ...(entry.place === null ? {} : { target: entry.place }),
      };
      write(viewer, `id: ${placeText(place)}\nevent: ${entry.what}\ndata: ${JSON.stringify(data)}\n\n`);
    }
  };

  /** Resolves with whether there is more to see already. */
  const look = async (after: FeedPlace, forViewers: readonly Viewer[]): Promise<boolean> => {
    const { entries, place, hasMore } = await feed.after(after);
    for (const viewer of forViewers) {
      tell(viewer, entries);
      viewer.seen = place;
    }
    return hasMore;
  };

  /** A stream outlives the request's check by hours, so it is asked again and again. */
  const sendAwayWhoMayNot = () => {
    for (const viewer of viewers) {
      if (judge(viewer.caller, viewer.since)?.scopes.has('events:read')) continue;
      viewers.delete(viewer);
      viewer.response.end();
    }
  };

  const worker = startLoop({
    name: 'live view',
    clock,
    log,
    async round(signal) {
      sendAwayWhoMayNot();
      if (viewers.size === 0) return await clock.sleep(idleLookMs, signal);
      // Viewers soon go on from the same place; only one that just came or resumed is elsewhere, and catches up alone.
      let hasMore = false;
      for (const together of Map.groupBy(viewers, ({ seen }) => placeText(seen)).values()) {
        const [first] = together;
        if (first && (await look(first.seen, together))) hasMore = true;
      }
      if (clock.now() >= heartbeatAt) {
        heartbeatAt = clock.now() + heartbeatMs;
        for (const viewer of viewers) write(viewer, ': still here\n\n');
      }
      if (!hasMore) await clock.sleep(lookMs, signal);
    },
  });

  return {
    async show(caller, filter, open) {
      const seen = await feed.start(filter.after);
      const response = open();
      const viewer: Viewer = { caller, since: clock.now(), filter, response, seen };
      response.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
        connection: 'close', // when the stream ends nothing keeps the connection, so a stop need not wait for it
      });
      response.on('close', () => viewers.delete(viewer));
      response.on('error', () => drop(viewer));
      response.write(': watching\n\n');
      if (isStopped) response.end();
      else viewers.add(viewer);
    },
    worker: {
      name: worker.name,
      async stop() {
        isStopped = true;
        for (const viewer of viewers) viewer.response.end();
        viewers.clear();
        await worker.stop();
      },
    },
  };
};

/** Where the event stood after the entry; a fact's own state may have gone on since. */
const stateAfter = (entry: KeptEntry, fact: FactHead): string => {
  switch (entry.what) {
    case 'accepted':
    case 'no-target':
      return entry.what;
    case 'delivered':
    case 'dead':
      return fact.state;
    default:
      return 'waiting';
  }
};
