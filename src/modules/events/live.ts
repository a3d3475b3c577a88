import type { ServerResponse } from 'node:http';
import type { Caller } from '../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../foundation/clock.ts';
import type { Log } from '../../foundation/log.ts';
import { startLoop, type Worker } from '../../foundation/work.ts';
import type { StoredEntry, Trace } from '../trace/trace.ts';
import type { FactHead } from './event-store.ts';
import type { Events } from './events.ts';

/** What of the flow a viewer wants to see. */
export interface LiveFilter {
  readonly type?: string;
  readonly state?: string;
  /** Go on behind the entry that was shown with this id (`Last-Event-ID`). */
  readonly after?: number;
}

export interface LiveView {
  /**
   * Writes the flow of the caller's tenant to the response until it is closed; resolves when the first bytes are out. `open` is asked for the
   * response when nothing can be refused any more; a rejection before leaves the request as it was.
   */
  show(caller: Caller, filter: LiveFilter, open: () => ServerResponse): Promise<void>;
  readonly worker: Worker;
}

interface Viewer {
  readonly tenantId: string;
  readonly filter: LiveFilter;
  readonly response: ServerResponse;
  /** The last entry that it was shown, or that it did not want. */
  seen: number;
}

const lookMs = 100;
const idleLookMs = 500;
const entriesInLook = 1_000;
const heartbeatMs = 15_000;
/** Entries may lie half a step apart, and the ids that viewers see are whole. */
const idsInStep = 2;
/** A viewer that has not read this much is dropped: nobody waits for it. It comes back with `Last-Event-ID`. */
const maxUnreadBytes = 1024 * 1024;

/** The trace as it is written, of all processes, to everybody who watches. */
export const createLiveView = ({ trace, events, clock, log }: { trace: Trace; events: Events; clock: Clock; log: Log }): LiveView => {
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
    log.info({ tenantId: viewer.tenantId, unreadBytes: viewer.response.writableLength }, 'live.viewer-dropped');
    drop(viewer);
  };

  /** Shows a viewer what it wants of the entries; `facts` has what they are about. */
  const tell = (viewer: Viewer, entries: readonly StoredEntry[], facts: ReadonlyMap<string, FactHead>) => {
    for (const entry of entries) {
      if (entry.seq <= viewer.seen) continue;
      viewer.seen = entry.seq;
      const fact = facts.get(entry.subject);
      if (!fact || entry.tenantId !== viewer.tenantId || !viewers.has(viewer)) continue;
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
      write(viewer, `id: ${entry.seq * idsInStep}\nevent: ${entry.what}\ndata: ${JSON.stringify(data)}\n\n`);
    }
  };

  const look = async (after: number, forViewers: Iterable<Viewer>): Promise<number> => {
    const entries = await trace.after(after, entriesInLook);
    const ofEvents = entries.filter(({ kind }) => kind === 'event');
    const facts = await events.heads([...new Set(ofEvents.map(({ subject }) => subject))]);
    for (const viewer of forViewers) tell(viewer, ofEvents, facts);
    const last = entries.at(-1)?.seq ?? after;
    for (const viewer of forViewers) viewer.seen = Math.max(viewer.seen, last);
    return entries.length;
  };

  const worker = startLoop({
    name: 'live view',
    clock,
    log,
    async round(signal) {
      if (viewers.size === 0) return await clock.sleep(idleLookMs, signal);
      // All viewers go on from the same place; only one that just resumed is behind, and catches up alone.
      const newest = Math.max(...[...viewers].map(({ seen }) => seen));
      for (const viewer of viewers) if (viewer.seen < newest) await look(viewer.seen, [viewer]);
      const found = await look(
        newest,
        [...viewers].filter(({ seen }) => seen === newest),
      );
      if (clock.now() >= heartbeatAt) {
        heartbeatAt = clock.now() + heartbeatMs;
        for (const viewer of viewers) write(viewer, ': still here\n\n');
      }
      if (found < entriesInLook) await clock.sleep(lookMs, signal);
    },
  });

  return {
    async show(caller, filter, open) {
      const newest = await trace.newestSeq();
      const after = filter.after === undefined ? newest : filter.after / idsInStep;
      const response = open();
      const viewer: Viewer = { tenantId: caller.tenantId, filter, response, seen: Math.min(after, newest) };
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
const stateAfter = (entry: StoredEntry, fact: FactHead): string => {
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
