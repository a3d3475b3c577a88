import type { Database, Write } from '../../../database/database.ts';
import type { PairingRow } from '../../../database/tables.ts';
import type { Caller } from '../../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf, isSameText, newPin, newSecretText, type Seal } from '../../../foundation/secret.ts';
import type { Limiter, LimitPolicy } from '../../../limits/limiter.ts';
import type { PersonStore } from '../accounts/person-store.ts';
import type { Post } from '../accounts/post.ts';
import { usernameKeyOf } from '../accounts/usernames.ts';
import { addressGroup } from '../addresses.ts';
import type { Counted, Guess } from '../guessing.ts';
import type { Origin } from '../sessions/sessions.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { PairingStore } from './pairing-store.ts';

/** A PIN for a device, and until when it is good. */
export interface PinGiven {
  readonly pin: string;
  readonly expiresAt: string;
}

/**
 * PINs by which people pair their devices. The newest of a device id counts, whoever asked for it; it is traded once, within its time,
 * with at most five tries.
 */
export interface Pairings {
  /** For the screen of a person who is signed in; shown here and never again. */
  show(person: Pick<Caller, 'id' | 'tenantId'>, wanted: { deviceId: string; name?: string }): Promise<PinGiven>;
  /**
   * Mails a PIN to the account's address. Resolves likewise where there is no such account, it has no address, or was mailed too often.
   * Throws `too-many` by the address of the asker.
   */
  mail(wanted: { username: string; deviceId: string }, origin: Origin, tell: Guess['tell']): Promise<void>;
  /** Takes one of the five tries. `pairing` is absent where there is none to be guessed at. */
  guess(deviceId: string, pin: string): Promise<{ isRight: boolean; pairing?: PairingRow }>;
  /** The write that trades it; refused by the database when it was traded already or is not the newest any more. */
  use(pairing: PairingRow): Write;
  /** What wrong PINs are counted by, from all addresses together and whether the device id has a pairing or not. */
  limitOf(deviceId: string): Counted;
}

export const triesPerPin = 5;

const minuteMs = 60_000;
/** Wrong PINs, however far apart within the time of one PIN, lock the device id at least so long. */
const leastLockMs = 10 * minuteMs;
const askLimit: LimitPolicy = { name: 'pairing', limit: 100, windowMs: 15 * minuteMs };
/** Whoever asks may name ever new device ids and guess at each: this is how many mailed PINs of an account can be guessed at a day. */
const mailLimit: LimitPolicy = { name: 'pairing-mail', limit: 10, windowMs: 24 * 60 * minuteMs };

export const createPairings = ({
  database,
  store,
  people,
  tenants,
  post,
  limiter,
  seal,
  clock,
  ids,
  pinTtlMs,
}: {
  database: Pick<Database, 'write'>;
  store: PairingStore;
  people: Pick<PersonStore, 'findPersonByUsername'>;
  tenants: Pick<TenantStore, 'findTenant'>;
  post: Pick<Post, 'writes' | 'announce'>;
  limiter: Pick<Limiter, 'take'>;
  seal: Pick<Seal, 'mac'>;
  clock: Clock;
  ids: Ids;
  pinTtlMs: number;
}): Pairings => {
  const pinLimit: LimitPolicy = { name: 'pin', limit: triesPerPin, windowMs: pinTtlMs + leastLockMs };

  const macOf = (pairingId: string, pin: string) => seal.mac(pin, `pin ${pairingId}`);

  const newPairing = (owner: Pick<PairingRow, 'tenantId' | 'personId' | 'deviceId' | 'name'>, pin: string): PairingRow => {
    const id = ids.next('pairing');
    const now = clock.now();
    return { ...owner, id, pinHash: macOf(id, pin), triesLeft: triesPerPin, createdAt: now, expiresAt: now + pinTtlMs, usedAt: null };
  };

  /** Who may be mailed a PIN. Looks the same up whether the name exists or not. */
  const findReachable = async (usernameKey: string) => {
    const person = await people.findPersonByUsername(usernameKey);
    const tenant = await tenants.findTenant(person?.tenantId ?? '');
    if (!person || person.email === null || person.state !== 'active' || tenant?.state !== 'active') return undefined;
    return { tenantId: person.tenantId, personId: person.id, to: person.email };
  };

  return {
    async show({ id, tenantId }, { deviceId, name }) {
      const pin = newPin();
      const pairing = newPairing({ tenantId, personId: id, deviceId, name: name ?? null }, pin);
      await database.write(store.replacePairing(pairing));
      return { pin, expiresAt: toRfc3339(pairing.expiresAt) };
    },

    async mail({ username, deviceId }, { address }, tell) {
      const decision = await limiter.take(askLimit, addressGroup(address));
      tell(decision);
      if (!decision.isAllowed) throw new Problem('too-many', 'Too many PINs were asked for.', { retryAfterMs: decision.resetMs });
      const usernameKey = usernameKeyOf(username);
      if (!(await limiter.take(mailLimit, hashOf(usernameKey))).isAllowed) return;
      const person = await findReachable(usernameKey);
      const pin = newPin();
      // Where nobody can be mailed, a pairing that no PIN fits takes its place: else what becomes of an older one would tell who has an account.
      const owner = person ?? { tenantId: '', personId: '' };
      const { tenantId, personId } = owner;
      const pairing = newPairing({ tenantId, personId, deviceId, name: null }, person ? pin : newSecretText());
      const { expiresAt } = pairing;
      const mailed = person ? post.writes({ ...person, subject: 'Your PIN', text: mailText(pin, expiresAt), expiresAt }) : [];
      await database.write([...store.replacePairing(pairing), ...mailed]);
      if (person) post.announce();
    },

    async guess(deviceId, pin) {
      const [taken] = await database.write([store.takeTry({ deviceId, at: clock.now() })]);
      const [pairing] = (taken?.rows ?? []) as unknown as PairingRow[]; // what `takeTry` returns
      const isSame = isSameText(macOf(pairing?.id ?? 'none', pin), pairing?.pinHash ?? 'none');
      // A pairing of nobody is there to be guessed at in vain.
      return pairing && pairing.personId !== '' ? { isRight: isSame, pairing } : { isRight: false };
    },

    use: ({ id }) => store.usePairing({ id, at: clock.now() }),

    limitOf: (deviceId) => ({ policy: pinLimit, key: hashOf(deviceId) }),
  };
};

/** Nothing of it comes from who asked, so that nobody can make this server mail words of his. */
const mailText = (pin: string, expiresAt: number): string =>
  [
    `Your PIN is ${pin}.`,
    '',
    `Type it into the device that you want to pair with your account. It is good once, until ${toRfc3339(expiresAt)}.`,
    '',
    'Whoever has this PIN can act as you: tell it to nobody. If you did not ask for it, there is nothing to do.',
    '',
  ].join('\n');
