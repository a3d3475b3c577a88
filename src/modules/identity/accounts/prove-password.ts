import type { Database } from '../../../database/database.ts';
import type { PersonRow } from '../../../database/tables.ts';
import type { Caller } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Trace } from '../../trace/trace.ts';
import type { Guess, Guessing } from '../guessing.ts';
import type { Origin } from '../sessions/sessions.ts';
import type { Passwords } from './passwords.ts';
import type { PersonStore } from './person-store.ts';

/**
 * Makes sure that a signed-in person knows its password, before what a stolen session alone must not do. Throws `wrong-password`, and
 * `too-many` after too many wrong ones: counted by person, since whoever has its session may come from anywhere.
 */
export type ProvePassword = (caller: Caller, password: string, origin: Origin, tell: Guess['tell']) => Promise<PersonRow>;

export const createProvePassword =
  ({
    database,
    people,
    passwords,
    guessing,
    trace,
    clock,
  }: {
    database: Pick<Database, 'write'>;
    people: Pick<PersonStore, 'findPerson'>;
    passwords: Pick<Passwords, 'matches'>;
    guessing: Guessing;
    trace: Pick<Trace, 'entries'>;
    clock: Clock;
  }): ProvePassword =>
  async (caller, password, { address, requestId }, tell) => {
    // In the place of an address the person itself.
    const proven = await guessing.guard({ name: 'password', address: caller.id, tell }, async () => {
      const person = await people.findPerson(caller, caller.id);
      const isRight = await passwords.matches(person?.passwordHash || undefined, password);
      return isRight ? person : undefined;
    });
    if (proven) return proven;
    const refused = { tenantId: caller.tenantId, subject: caller.id, kind: 'person', what: 'refused', who: caller.id } as const;
    await database.write(trace.entries([{ ...refused, requestId, at: clock.now(), place: address, detail: { reason: 'wrong password' } }]));
    throw wrongPassword();
  };

export const wrongPassword = () => new Problem('wrong-password', 'This is not your current password.');
