import { type Database, type Write, WriteRefused } from '../../../database/database.ts';
import type { PersonRow } from '../../../database/tables.ts';
import type { Caller } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { LimitDecision, Limiter } from '../../../limits/limiter.ts';
import type { Trace } from '../../trace/trace.ts';
import type { Origin } from '../sessions/sessions.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { MailTokens } from './mail-tokens.ts';
import { callerGone } from './me.ts';
import { badField, mustBeDisplayName, mustBeEmail } from './person-fields.ts';
import type { PersonStore } from './person-store.ts';
import { confirmationLimit } from './sign-up.ts';

/** A merge patch (RFC 7396): what is absent stays, null removes. */
export interface ProfileChanges {
  readonly displayName?: string | null;
  readonly email?: string | null;
}

/**
 * Changes what a person tells about itself. Where the tenant asks for confirmation a new address counts once it is confirmed, and there
 * must be one. Throws `bad-body`, and `too-many` by `tell`.
 */
export type ChangeProfile = (
  caller: Caller,
  changes: ProfileChanges,
  origin: Origin,
  tell: (decision: LimitDecision) => void,
) => Promise<void>;

export const createChangeProfile =
  ({
    database,
    people,
    tenants,
    tokens,
    limiter,
    trace,
    clock,
  }: {
    database: Pick<Database, 'transaction'>;
    people: Pick<PersonStore, 'findPersonIn' | 'changeProfile'>;
    tenants: Pick<TenantStore, 'findTenant'>;
    tokens: MailTokens;
    limiter: Limiter;
    trace: Pick<Trace, 'entries'>;
    clock: Clock;
  }): ChangeProfile =>
  async (caller, changes, { address, requestId }, tell) => {
    const { displayName, email } = changes;
    if (typeof displayName === 'string') mustBeDisplayName(displayName);
    if (typeof email === 'string') mustBeEmail(email);
    const mustConfirm = (await tenants.findTenant(caller.tenantId))?.confirmEmail === 1;
    if (mustConfirm && email === null) throw badField('The e-mail address', '/email', 'must be there: your tenant asks for one');
    if (mustConfirm && typeof email === 'string') tell(await limiter.take(confirmationLimit, email.toLowerCase()));

    /** What the new address means for the row, and for the tokens that were mailed to the one before. */
    const addressChange = (person: PersonRow): { fields: Pick<PersonRow, 'email' | 'pendingEmail'>; writes: Write[] } => {
      if (email === undefined) return { fields: person, writes: [] };
      if (email === person.email) return { fields: { email, pendingEmail: null }, writes: [tokens.revoke(person.id, 'confirm')] };
      const isPending = mustConfirm && email !== null;
      if (isPending) return { fields: { email: person.email, pendingEmail: email }, writes: tokens.writes(person, 'confirm', email) };
      return { fields: { email, pendingEmail: null }, writes: [tokens.revoke(person.id, 'reset')] };
    };

    try {
      await database.transaction(async (trx) => {
        const person = await people.findPersonIn(trx, caller, caller.id);
        if (!person) throw callerGone();
        const at = clock.now();
        const { id, tenantId } = person;
        const { fields, writes } = addressChange(person);
        const row = {
          id,
          tenantId,
          displayName: displayName === undefined ? person.displayName : displayName,
          email: fields.email,
          pendingEmail: fields.pendingEmail,
          updatedAt: at,
        };
        // Which fields, not what stands in them: the trace outlives the account.
        const detail = { fields: Object.keys(changes) };
        const entry = { tenantId, subject: id, kind: 'person', requestId, at, what: 'changed', who: id, place: address, detail } as const;
        await trx.run([people.changeProfile(row), ...writes, ...trace.entries([entry])]);
      });
    } catch (error) {
      if (error instanceof WriteRefused) throw callerGone();
      throw error;
    }
    tokens.announce();
  };
