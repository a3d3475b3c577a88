import { type Database, WriteRefused } from '../../database/database.ts';
import type { PersonRow } from '../../database/tables.ts';
import type { Clock } from '../../foundation/clock.ts';
import { Problem } from '../../foundation/problem.ts';
import type { Trace } from '../trace/trace.ts';
import { nameHashOf } from './person-acts.ts';
import type { PersonStore } from './person-store.ts';
import type { Removals } from './removals.ts';
import type { SessionStore } from './session-store.ts';
import type { Origin, Sessions } from './sessions.ts';

/**
 * Deletes an account: its row goes and its sessions end in one transaction, everything else that it owned follows in a job. Its name stays
 * taken. `by` is who does it. Throws `conflict` for the last operator, and when the person is gone or its password is not that of `person`
 * any more. `mayDelete` throws where the person, as it is then, may not be deleted by whoever wants to.
 */
export type DeleteAccount = (
  person: Pick<PersonRow, 'id' | 'tenantId' | 'usernameKey' | 'passwordHash'>,
  by: string,
  origin: Origin,
  mayDelete?: (person: PersonRow) => void,
) => Promise<void>;

export const createDeleteAccount =
  ({
    database,
    people,
    sessionStore,
    sessions,
    removals,
    trace,
    clock,
  }: {
    database: Pick<Database, 'transaction'>;
    people: Pick<PersonStore, 'findPersonIn' | 'hasOtherOperator' | 'removePerson' | 'keepName'>;
    sessionStore: SessionStore;
    sessions: Pick<Sessions, 'noteEnded'>;
    removals: Pick<Removals, 'writes' | 'announce'>;
    trace: Pick<Trace, 'entries'>;
    clock: Clock;
  }): DeleteAccount =>
  async ({ id, tenantId, usernameKey, passwordHash }, by, { requestId }, mayDelete) => {
    const at = clock.now();
    const writes = [
      sessionStore.endSessionsOfCaller({ tenantId, callerId: id, at }),
      sessionStore.endSessionsOfDevicesOf({ tenantId, personId: id, at }),
      people.removePerson({ id, tenantId, passwordHash }),
      people.keepName({ nameHash: nameHashOf(usernameKey) }),
      ...removals.writes({ id, tenantId }),
      // Not from where: of a deleted account the trace keeps ids only.
      ...trace.entries([{ tenantId, subject: id, kind: 'person', requestId, at, what: 'deleted', who: by }]),
    ];
    const deleting = database.transaction(async (trx) => {
      const person = await people.findPersonIn(trx, { tenantId }, id);
      if (person) mayDelete?.(person);
      if (person?.role === 'operator' && !(await people.hasOtherOperator(trx, id))) {
        throw new Problem('conflict', 'This is the last operator; make another one first.');
      }
      return await trx.run(writes);
    });
    const [ended, endedOfDevices] = await orChanged(deleting);
    sessions.noteEnded(ended);
    sessions.noteEnded(endedOfDevices);
    removals.announce();
  };

const orChanged = async <T>(deleting: Promise<T>): Promise<T> => {
  try {
    return await deleting;
  } catch (error) {
    if (error instanceof WriteRefused) throw new Problem('conflict', 'The account was deleted or its password changed a moment ago.');
    throw error;
  }
};
