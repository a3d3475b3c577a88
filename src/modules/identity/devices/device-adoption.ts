import type { Statement, Write } from '../../../database/database.ts';
import type { DeviceRow, PairingRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import type { TracedAct } from '../sign-in/sign-in-method.ts';
import type { DeviceStore } from './device-store.ts';

/** What makes a device that of who made its PIN. */
export interface Adoption {
  readonly id: string;
  readonly writes: readonly Write[];
  /** Writes that end the sessions which the device had for somebody else. */
  readonly ends: readonly Statement[];
  readonly traced: readonly TracedAct[];
}

/**
 * Hands the device of a traded PIN over. A device of the same person keeps its id; that of another goes over as a new one. The writes
 * are refused by the database where the device changed hands meanwhile.
 */
export type AdoptDevice = (pairing: PairingRow) => Promise<Adoption>;

export const createAdoptDevice =
  ({
    store,
    sessionStore,
    clock,
    ids,
  }: {
    store: DeviceStore;
    sessionStore: Pick<SessionStore, 'endSessionsOfCaller'>;
    clock: Clock;
    ids: Ids;
  }): AdoptDevice =>
  async ({ tenantId, personId, deviceId, name }) => {
    const known = await store.findDeviceByDeviceId(deviceId);
    const now = clock.now();
    if (known && known.personId === personId) {
      const renewed = { ...known, name: name ?? known.name };
      const writes = [store.renewDevice(renewed), store.markDeviceUsed({ tenantId, id: known.id, at: now })];
      return { id: known.id, writes, ends: [], traced: tracedOfDevice('paired', renewed) };
    }
    const id = ids.next('device');
    const device = { id, tenantId, personId, deviceId, name, createdAt: now, lastUsedAt: now };
    const insertion = store.insertDevice(device);
    const traced = tracedOfDevice('paired', device);
    if (!known) return { id, writes: [insertion], ends: [], traced };
    return {
      id,
      writes: [store.removeDevice(known), insertion],
      ends: [sessionStore.endSessionsOfCaller({ tenantId: known.tenantId, callerId: known.id, at: now })],
      traced: [...tracedOfDevice('unpaired', known, 'it was paired with somebody else'), ...traced],
    };
  };

/** What is told of the device and of its person alike; the person sees both. */
export const tracedOfDevice = (what: 'paired' | 'unpaired', device: DeviceRow, reason?: string): TracedAct[] => {
  const { id, tenantId, personId, deviceId, name } = device;
  const detail = { deviceId, ...(name === null ? {} : { name }), ...(reason === undefined ? {} : { reason }) };
  return [
    { tenantId, subject: id, kind: 'device', what, who: personId, detail },
    { tenantId, subject: personId, kind: 'person', what, who: personId, detail: { device: id, ...detail } },
  ];
};
