import { type Database, WriteRefused } from '../../../database/database.ts';
import type { PersonRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace } from '../../trace/trace.ts';
import type { LockOut } from '../lock-out.ts';
import type { Origin } from '../sessions/sessions.ts';
import { nameHashOf } from './person-acts.ts';
import type { PersonStore } from './person-store.ts';
import type { Removals } from './removals.ts';

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
    lockOut,
    removals,
    trace,
    clock,
  }: {
    database: Pick<Database, 'transaction'>;
    people: Pick<PersonStore, 'findPersonIn' | 'hasOtherOperator' | 'removePerson' | 'keepName'>;
    lockOut: LockOut;
    removals: Pick<Removals, 'writes' | 'announce'>;
    trace: Pick<Trace, 'entries'>;
    clock: Clock;
  }): DeleteAccount =>
  async ({ id, tenantId, usernameKey, passwordHash }, by, { requestId }, mayDelete) => {
    const at = clock.now();
    const writes = [
      ...lockOut.writes({ id, tenantId }),
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
    lockOut.note(await orChanged(deleting));
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
