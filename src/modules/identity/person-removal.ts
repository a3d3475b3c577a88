import type { Trx, Write, WriteResult } from '../../database/database.ts';
import type { PersonRow } from '../../database/tables.ts';
import type { DeviceStore } from './device-store.ts';
import type { PersonStore } from './person-store.ts';
import type { SessionStore } from './session-store.ts';

/**
 * Removes a person with its devices, pairings and mails, and ends the sessions of all of them, inside the transaction of the act; `traced`
 * tells of it. What it owned elsewhere is written down to be removed. Its name stays taken. Resolves with the sessions that were ended.
 */
export type RemovePerson = (
  trx: Pick<Trx, 'run'>,
  person: PersonRow,
  { at, traced }: { at: number; traced: readonly Write[] },
) => Promise<readonly WriteResult[]>;

export const createRemovePerson =
  ({ people, devices, sessions }: { people: PersonStore; devices: DeviceStore; sessions: SessionStore }): RemovePerson =>
  async (trx, { id, tenantId }, { at, traced }) => {
    const ended = await trx.run([
      sessions.endSessionsOfCaller({ tenantId, callerId: id, at }),
      sessions.endSessionsOfDevicesOf({ tenantId, personId: id, at }),
    ]);
    await trx.run([
      people.removePerson({ tenantId, id }),
      ...people.removeBelongings({ personId: id }),
      ...devices.removeAllOfPerson({ personId: id }),
      people.insertRemoval({ subject: id, tenantId, kind: 'person', createdAt: at }),
      ...traced,
    ]);
    return ended;
  };
