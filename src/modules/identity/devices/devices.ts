import { type Database, WriteRefused } from '../../../database/database.ts';
import type { DeviceRow } from '../../../database/tables.ts';
import type { Caller } from '../../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import { type Page, type PageRequest, toPage } from '../../../foundation/page.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace } from '../../trace/trace.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { Origin, Sessions } from '../sessions/sessions.ts';
import { tracedOfDevice } from './device-adoption.ts';
import type { DeviceStore } from './device-store.ts';

/** A device as its person sees it. */
export interface DeviceSeen {
  readonly id: string;
  readonly deviceId: string;
  readonly name?: string;
  readonly createdAt: string;
  readonly lastUsedAt: string;
}

/** The devices of people. */
export interface Devices {
  list(person: Caller, page: PageRequest): Promise<Page<DeviceSeen>>;
  /** Ends all its sessions. Throws `not-found` for a device that is not the caller's. */
  unpair(person: Caller, id: string, origin: Origin): Promise<void>;
}

export const createDevices = ({
  database,
  store,
  sessionStore,
  sessions,
  trace,
  clock,
}: {
  database: Pick<Database, 'write'>;
  store: DeviceStore;
  sessionStore: Pick<SessionStore, 'endSessionsOfCaller'>;
  sessions: Pick<Sessions, 'noteEnded'>;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
}): Devices => ({
  async list({ tenantId, id }, page) {
    const rows = await store.listDevices({ tenantId, personId: id }, page);
    return toPage(rows, page.limit, (row) => [row.id], toSeen);
  },

  async unpair({ tenantId, id: personId }, id, { address, requestId }) {
    const device = await store.findDevice({ tenantId }, id);
    if (device?.personId !== personId) throw unknownDevice(id);
    const at = clock.now();
    const entries = tracedOfDevice('unpaired', device).map((act) => ({ ...act, at, requestId, place: address }));
    try {
      const [, ended] = await database.write([
        store.removeDevice({ tenantId, personId, id }),
        sessionStore.endSessionsOfCaller({ tenantId, callerId: id, at }),
        ...trace.entries(entries),
      ]);
      sessions.noteEnded(ended);
    } catch (error) {
      if (error instanceof WriteRefused) throw unknownDevice(id);
      throw error;
    }
  },
});

const unknownDevice = (id: string) => new Problem('not-found', `You have no device ${id}.`);

const toSeen = ({ id, deviceId, name, createdAt, lastUsedAt }: DeviceRow): DeviceSeen => ({
  id,
  deviceId,
  ...(name === null ? {} : { name }),
  createdAt: toRfc3339(createdAt),
  lastUsedAt: toRfc3339(lastUsedAt),
});
