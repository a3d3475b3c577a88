import { type Database, UniqueViolation, type Write, WriteRefused } from '../../../database/database.ts';
import type { DeviceAuthorizationRow } from '../../../database/tables.ts';
import type { Caller, Scope } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { oauthProblem } from '../../../foundation/oauth-problem.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf, newCodeText, newSecretText, type Seal } from '../../../foundation/secret.ts';
import type { LimitDecision, Limiter, LimitPolicy } from '../../../limits/limiter.ts';
import type { Trace } from '../../trace/trace.ts';
import { addressGroup } from '../addresses.ts';
import { parseScopeList } from '../permissions.ts';
import type { Origin } from '../sessions/sessions.ts';
import type { KnownCaller } from '../sign-in/sign-in-method.ts';
import type { DeviceAuthorizationStore } from './device-authorization-store.ts';

/** Codes for a device that cannot take a password (RFC 8628): it shows one of them, and polls with the other. */
export interface CodesGiven {
  readonly deviceCode: string;
  /** For people: `BCDF-GHJK`. */
  readonly userCode: string;
  readonly expiresInMs: number;
  readonly intervalMs: number;
}

/** Who approved, and what of it the client may have. */
export interface Approved {
  readonly who: KnownCaller;
  readonly limitedTo: readonly Scope[] | undefined;
  /** Uses the code up; for the act that opens the session. */
  readonly use: Write;
}

/** Is told what a limit says, so that the answer can show it; throws `too-many` where it is used up. */
export type Tell = (decision: LimitDecision) => void;

export interface DeviceAuthorizations {
  /** Limited by address. */
  begin(clientId: string, scopes: readonly Scope[] | undefined, origin: Origin, tell: Tell): Promise<CodesGiven>;
  /**
   * Lets the client act for the person, or tells it no. Throws `not-found` for a code that is wrong, expired or decided already, and
   * `too-many` after ten of these.
   */
  decide(
    person: Pick<Caller, 'id' | 'tenantId'>,
    wanted: { userCode: string; decision: 'approved' | 'denied' },
    origin: Origin,
    tell: Tell,
  ): Promise<void>;
  /** What was decided about a code of this client. Throws in the words of RFC 8628 §3.5 while there is nothing to trade. */
  poll(deviceCode: string, clientId: string): Promise<Approved>;
}

/** RFC 8628 §6.1: no vowels, so that no words come about; 20^8 codes, of which few are open at a time. */
const letters = 'BCDFGHJKLMNPQRSTVWXZ';
const halfLength = 4;
const lifetimeMs = 10 * 60 * 1000;
const intervalMs = 5_000;
/** RFC 8628 §3.5. */
const slowDownByMs = 5_000;
/** A client that polls on time may still arrive a little early. */
const toleranceMs = 500;

const windowMs = 15 * 60 * 1000;
/** How many codes an address may ask for. */
export const beginLimit: LimitPolicy = { name: 'device-authorization', limit: 30, windowMs };
/** How many wrong codes a person may type, from wherever (RFC 8628 §5.1). */
export const userCodeLimit: LimitPolicy = { name: 'user-code', limit: 10, windowMs };

/** Chance gives a code that is in use once in millions of years. */
const maxTries = 3;

export const createDeviceAuthorizations = ({
  database,
  store,
  limiter,
  trace,
  seal,
  clock,
}: {
  database: Pick<Database, 'write'>;
  store: DeviceAuthorizationStore;
  limiter: Limiter;
  trace: Pick<Trace, 'entries'>;
  seal: Pick<Seal, 'mac'>;
  clock: Clock;
}): DeviceAuthorizations => {
  /** Keyed: what people can type could be found from a plain hash by trying. */
  const userCodeHashOf = (userCode: string) => seal.mac(userCode.toUpperCase().replaceAll(/[\s-]/g, ''), 'user-code');

  const insertNew = async (row: Omit<DeviceAuthorizationRow, 'userCodeHash'>): Promise<string> => {
    for (let tries = 1; ; tries += 1) {
      const userCode = `${newCodeText(letters, halfLength)}-${newCodeText(letters, halfLength)}`;
      try {
        await database.write([store.insertDeviceAuthorization({ ...row, userCodeHash: userCodeHashOf(userCode) })]);
        return userCode;
      } catch (error) {
        if (!(error instanceof UniqueViolation) || tries === maxTries) throw error;
      }
    }
  };

  /** Still undecided: a client that asks too often is told to slow down. */
  const pend = async (deviceCodeHash: string): Promise<never> => {
    const now = clock.now();
    const [noted] = await database.write([store.notePoll({ deviceCodeHash, now, toleranceMs })]);
    if (noted?.changes === 1) throw oauthProblem('authorization_pending', 'Nobody has approved the code yet.');
    await database.write([store.slowDown({ deviceCodeHash, now, byMs: slowDownByMs })]);
    throw oauthProblem('slow_down', `Too often: wait ${slowDownByMs / 1000} s longer between two polls from now on.`);
  };

  return {
    async begin(clientId, scopes, { address }, tell) {
      tell(await limiter.take(beginLimit, addressGroup(address)));
      const now = clock.now();
      const deviceCode = newSecretText();
      const userCode = await insertNew({
        deviceCodeHash: hashOf(deviceCode),
        clientId,
        scopesJson: scopes === undefined ? null : JSON.stringify(scopes),
        state: 'pending',
        tenantId: null,
        personId: null,
        intervalMs,
        polledAt: null,
        createdAt: now,
        expiresAt: now + lifetimeMs,
      });
      return { deviceCode, userCode, expiresInMs: lifetimeMs, intervalMs };
    },

    async decide(person, { userCode, decision }, { address, requestId }, tell) {
      // Counted before the look and given back for the right code, so that many at once cannot guess more often.
      tell(await limiter.take(userCodeLimit, person.id));
      const userCodeHash = userCodeHashOf(userCode);
      const found = await store.findByUserCode(userCodeHash);
      if (!found) throw noSuchCode();
      const now = clock.now();
      const { id, tenantId } = person;
      const decided = store.decideDeviceAuthorization({ userCodeHash, state: decision, tenantId, personId: id, now });
      const traced = trace.entries([
        {
          tenantId,
          subject: id,
          kind: 'person',
          requestId,
          at: now,
          what: decision === 'approved' ? 'approved' : 'refused',
          who: id,
          place: address,
          detail: { client: found.clientId, ...(decision === 'denied' ? { reason: 'the person denied it' } : {}) },
        },
      ]);
      try {
        await database.write([decided, ...traced]);
      } catch (error) {
        if (error instanceof WriteRefused) throw noSuchCode();
        throw error;
      }
      await limiter.giveBack(userCodeLimit, person.id);
    },

    async poll(deviceCode, clientId) {
      const deviceCodeHash = hashOf(deviceCode);
      const found = await store.findByDeviceCode(deviceCodeHash);
      if (found?.clientId !== clientId) throw notTradable();
      const { state, tenantId, personId, scopesJson } = found;
      const now = clock.now();
      if (state === 'used') throw notTradable();
      if (found.expiresAt <= now) throw oauthProblem('expired_token', 'The device code has expired; begin anew.');
      if (state === 'denied') throw oauthProblem('access_denied', 'The person said no.');
      if (state === 'pending' || tenantId === null || personId === null) return await pend(deviceCodeHash);
      return {
        who: { id: personId, kind: 'person', tenantId },
        limitedTo: scopesJson === null ? undefined : parseScopeList(scopesJson),
        use: store.useDeviceAuthorization({ deviceCodeHash, now }),
      };
    },
  };
};

const noSuchCode = () => new Problem('not-found', 'There is no such code: it is mistyped, has expired, or was decided already.');

/** The same for unknown, used, and somebody else's. */
export const notTradable = () => oauthProblem('invalid_grant', 'The device code is not valid.');
