import { type Database, WriteRefused } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { LimitDecision, Limiter, LimitPolicy } from '../../../limits/limiter.ts';
import type { Trace } from '../../trace/trace.ts';
import { addressGroup } from '../addresses.ts';
import type { Origin } from '../sessions/sessions.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import { badMailToken, type MailTokens } from './mail-tokens.ts';
import { type MakePerson, orNameTaken } from './person-acts.ts';
import { badField } from './person-fields.ts';
import type { PersonStore } from './person-store.ts';

export interface SignUpWanted {
  readonly username: string;
  readonly password: string;
  readonly email?: string;
  readonly displayName?: string;
  /** The tenant's slug. */
  readonly tenant?: string;
}

export interface SignedUp {
  readonly id: string;
  readonly username: string;
  readonly email?: string;
  readonly state: 'active' | 'unconfirmed';
}

type Tell = (decision: LimitDecision) => void;

export interface SignUp {
  /**
   * Makes a member of the tenant. Throws `too-many` by `tell`, `bad-body`, `sign-up-closed`, `tenant-suspended`, and `conflict` for a name
   * that somebody has or had: it has to be told, so user names can be found out here, as fast as the limit allows.
   */
  signUp(wanted: SignUpWanted, origin: Origin, tell: Tell): Promise<SignedUp>;
  /** Throws `bad-mail-token`. */
  confirm(token: string, origin: Origin): Promise<void>;
}

/** Nobody is flooded with mails because others name its address. */
export const confirmationLimit: LimitPolicy = { name: 'confirmation-mail', limit: 30, windowMs: 60 * 60 * 1000 };

export const createSignUp = ({
  database,
  people,
  tenants,
  makePerson,
  tokens,
  limiter,
  trace,
  clock,
  limit,
}: {
  database: Pick<Database, 'write'>;
  people: Pick<PersonStore, 'confirmEmail'>;
  tenants: Pick<TenantStore, 'findTenantBySlug'>;
  makePerson: MakePerson;
  tokens: MailTokens;
  limiter: Limiter;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  limit: { readonly requests: number; readonly intervalMs: number };
}): SignUp => {
  const policy: LimitPolicy = { name: 'sign-up', limit: limit.requests, windowMs: limit.intervalMs };

  const getOpenTenant = async (slug: string) => {
    const tenant = await tenants.findTenantBySlug(slug);
    if (!tenant) throw badField('The tenant', '/tenant', 'must be the slug of one that there is');
    if (tenant.state !== 'active') throw new Problem('tenant-suspended', `The tenant ${slug} is suspended.`);
    if (tenant.signUp !== 'open') throw new Problem('sign-up-closed', `Nobody can sign up at the tenant ${slug} without an administrator.`);
    return tenant;
  };

  return {
    async signUp({ tenant: slug = 'default', ...wanted }, { address, requestId }, tell) {
      tell(await limiter.take(policy, addressGroup(address)));
      const tenant = await getOpenTenant(slug);
      const mustConfirm = tenant.confirmEmail === 1;
      if (mustConfirm && wanted.email === undefined) throw badField('The e-mail address', '/email', 'must be given, since it is confirmed');
      const { person, writes } = await makePerson(
        { ...wanted, tenantId: tenant.id, role: 'member', state: mustConfirm ? 'unconfirmed' : 'active' },
        { what: 'signed-up', place: address, requestId },
      );
      const { id, username, email, state } = person;
      if (mustConfirm && email !== null) {
        tell(await limiter.take(confirmationLimit, email.toLowerCase()));
        writes.push(...tokens.writes(person, 'confirm', email));
      }
      await orNameTaken(database.write(writes));
      tokens.announce();
      return { id, username, ...(email === null ? {} : { email }), state };
    },

    async confirm(token, { address, requestId }) {
      const row = await tokens.get(token, 'confirm');
      const { personId, tenantId } = row;
      const at = clock.now();
      const entry = {
        tenantId,
        subject: personId,
        kind: 'person',
        requestId,
        at,
        what: 'confirmed',
        who: personId,
        place: address,
      } as const;
      try {
        // What was mailed to the address before proves nothing any more.
        const old = tokens.revoke(personId, 'reset');
        await database.write([tokens.use(row), people.confirmEmail({ id: personId, at }), old, ...trace.entries([entry])]);
      } catch (error) {
        if (error instanceof WriteRefused) throw badMailToken();
        throw error;
      }
    },
  };
};
