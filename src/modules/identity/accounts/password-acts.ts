import { type Database, type Write, WriteRefused } from '../../../database/database.ts';
import type { Caller } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { hashOf } from '../../../foundation/secret.ts';
import type { LimitDecision, Limiter, LimitPolicy } from '../../../limits/limiter.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import { addressGroup } from '../addresses.ts';
import type { Guess } from '../guessing.ts';
import type { LockOut } from '../lock-out.ts';
import type { Origin } from '../sessions/sessions.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import { badMailToken, type MailTokens } from './mail-tokens.ts';
import type { Passwords } from './passwords.ts';
import { mustBePassword } from './person-fields.ts';
import type { PersonStore } from './person-store.ts';
import { type ProvePassword, wrongPassword } from './prove-password.ts';
import { usernameKeyOf } from './usernames.ts';

export interface PasswordActs {
  /** Ends all other sessions of the person, those of its devices, and what waits to become one (`lock-out.ts`). Throws `wrong-password`, `too-many`, `bad-body`. */
  change(caller: Caller, wanted: { current: string; next: string }, origin: Origin, tell: Guess['tell']): Promise<void>;
  /**
   * Mails a token where the name is one of a person with an address. Resolves before it is known whether it is, so neither the answer nor
   * its time tells; throws only `too-many` of the address, by `tell`.
   */
  forget(username: string, origin: Origin, tell: (decision: LimitDecision) => void): Promise<void>;
  /**
   * Sets the password of whoever got the mail, ends all its sessions, and voids what would open new ones. An address that was not confirmed yet is so now: the mail
   * arrived. Throws `bad-mail-token`, `bad-body`.
   */
  reset(token: string, password: string, origin: Origin): Promise<void>;
}

const resetsOfAddress: LimitPolicy = { name: 'password-reset', limit: 20, windowMs: 15 * 60 * 1000 };
/** Kept silently: nobody is flooded with mails, and nobody learns by it that the name exists. */
const resetsOfName: LimitPolicy = { name: 'password-reset-mail', limit: 3, windowMs: 60 * 60 * 1000 };

export const createPasswordActs = ({
  database,
  people,
  tenants,
  passwords,
  provePassword,
  lockOut,
  tokens,
  limiter,
  trace,
  clock,
  log,
}: {
  database: Pick<Database, 'write'>;
  people: PersonStore;
  tenants: Pick<TenantStore, 'findTenant'>;
  passwords: Pick<Passwords, 'hash'>;
  provePassword: ProvePassword;
  lockOut: LockOut;
  tokens: MailTokens;
  limiter: Limiter;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  log: Log;
}): PasswordActs => {
  const entries = (person: { id: string; tenantId: string }, { address, requestId }: Origin, detail?: TraceEntryIn['detail']): Write[] => {
    const { id, tenantId } = person;
    const at = clock.now();
    return trace.entries([
      { tenantId, subject: id, kind: 'person', requestId, at, what: 'password-changed', who: id, place: address, detail },
    ]);
  };

  /** Nothing happens to those who have no address, no password here, or a tenant that is suspended. */
  const mailReset = async (username: string): Promise<void> => {
    const person = await people.findPersonByUsername(usernameKeyOf(username));
    if (!person || person.email === null || person.passwordHash === '') return;
    if ((await tenants.findTenant(person.tenantId))?.state !== 'active') return;
    const { isAllowed } = await limiter.take(resetsOfName, hashOf(person.usernameKey));
    if (!isAllowed) return;
    await database.write(tokens.writes(person, 'reset', person.email));
    tokens.announce();
  };

  return {
    async change(caller, { current, next }, origin, tell) {
      await mustBePassword(next, '/next');
      const person = await provePassword(caller, current, origin, tell);
      const to = await passwords.hash(next);
      try {
        const [, ...locked] = await database.write([
          people.changePassword({ id: person.id, from: person.passwordHash, to, at: clock.now() }),
          ...lockOut.writes(person, caller.sessionId),
          ...entries(person, origin),
        ]);
        lockOut.note(locked);
      } catch (error) {
        // Somebody changed it meanwhile, so what was proven is not the current one any more.
        if (error instanceof WriteRefused) throw wrongPassword();
        throw error;
      }
    },

    async forget(username, { address, requestId }, tell) {
      tell(await limiter.take(resetsOfAddress, addressGroup(address)));
      mailReset(username).catch((error: unknown) => log.error({ err: error, requestId }, 'password.reset-not-mailed'));
    },

    async reset(token, password, origin) {
      const row = await tokens.get(token, 'reset');
      await mustBePassword(password);
      const to = await passwords.hash(password);
      const person = { id: row.personId, tenantId: row.tenantId };
      try {
        const [, , ...locked] = await database.write([
          tokens.use(row),
          people.resetPassword({ id: person.id, to, at: clock.now() }),
          ...lockOut.writes(person),
          ...entries(person, origin, { how: 'mail' }),
        ]);
        lockOut.note(locked);
      } catch (error) {
        if (error instanceof WriteRefused) throw badMailToken();
        throw error;
      }
    },
  };
};
