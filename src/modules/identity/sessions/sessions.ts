import { type Database, UniqueViolation, type Write, WriteRefused, type WriteResult } from '../../../database/database.ts';
import type { SessionRow } from '../../../database/tables.ts';
import type { Caller, Scope } from '../../../foundation/caller.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { Log } from '../../../foundation/log.ts';
import { type Page, type PageRequest, toPage } from '../../../foundation/page.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf, newSecretText } from '../../../foundation/secret.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import { isSameAddress } from '../addresses.ts';
import type { AccessTokens } from '../credentials/access-token.ts';
import type { Guess, Guessing } from '../guessing.ts';
import { parseScopeList } from '../permissions.ts';
import type { SignInBody } from '../sign-in/all-sign-in-methods.ts';
import type { KnownCaller, Proven, SignInMethod } from '../sign-in/sign-in-method.ts';
import type { Denials } from './denials.ts';
import type { EndedSession, SessionStore } from './session-store.ts';

/** Where an act comes from. */
export interface Origin {
  readonly address: string;
  readonly requestId: string;
  /** How the client reached us; names the issuer of its tokens where the settings do not. */
  readonly baseUrl?: string | undefined;
}

/** An OAuth client that refreshes one of its sessions. */
export interface RefreshingClient {
  readonly clientId: string;
  /** Which of the session's scopes the next access token is to have; undefined for all. May throw. */
  narrow(held: ReadonlySet<Scope>): readonly Scope[] | undefined;
}

/** A session with its tokens, which are shown this once. */
export interface SessionGiven {
  readonly id: string;
  readonly tokenType: 'Bearer';
  readonly accessToken: string;
  readonly accessTokenExpiresAt: string;
  readonly refreshToken: string;
  readonly refreshTokenExpiresAt: string;
  /** What it may do. */
  readonly scopes: readonly Scope[];
}

/** A session as its caller sees it. */
export interface SessionSeen {
  readonly id: string;
  readonly address: string;
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly refreshTokenExpiresAt: string;
  readonly isCurrent: boolean;
}

export interface Sessions {
  /**
   * Opens a session for who was proven; undefined when what was proven is not so any more. Throws `tenant-suspended`. `method` is shown in
   * the trace.
   */
  open(proven: Proven, origin: Origin, method: string): Promise<SessionGiven | undefined>;
  /** Throws `bad-credentials`, the same for unknown and wrong, `too-many`, and to whoever is right `unconfirmed` or `tenant-suspended`. */
  signIn(body: SignInBody, origin: Origin, tell: Guess['tell']): Promise<SessionGiven>;
  /** Who signs in, under the same limits as `signIn`, which throws the same; nothing is opened yet. */
  prove(body: SignInBody, origin: Origin, tell: Guess['tell']): Promise<Proven>;
  /**
   * A new pair for a token that was never used. Throws `bad-refresh-token`; a used one ends the session and everything it gave. A session
   * that an OAuth client opened is refreshed by that client alone (RFC 6749 §6), any other by whoever holds its token.
   */
  refresh(refreshToken: string, origin: Origin, client?: RefreshingClient): Promise<SessionGiven>;
  /** A session that is limited to a part of what its caller may do sees itself alone. */
  list(caller: Caller, page: PageRequest): Promise<Page<SessionSeen>>;
  /** Throws `not-found` for a session that is over, somebody else's, or that the caller's does not see. */
  end(caller: Caller, sessionId: string, origin: Origin): Promise<void>;
  /** Signs out whoever holds the session's refresh token; throws `bad-refresh-token`. */
  endByRefreshToken(refreshToken: string, origin: Origin): Promise<void>;
  /** Ends a session that is found by one of its tokens; one that is over stays so. */
  revoke(session: SessionRow, origin: Origin): Promise<void>;
  /** Refuses the tokens of the sessions that a write ended from now on; `ended` is what the write returned. */
  noteEnded(ended: WriteResult | undefined): void;
}

export interface SessionNeeds {
  readonly database: Pick<Database, 'write'>;
  readonly store: SessionStore;
  readonly trace: Pick<Trace, 'entries'>;
  readonly accessTokens: Pick<AccessTokens, 'issue'>;
  readonly denials: Denials;
  readonly guessing: Guessing;
  readonly methodFor: (body: SignInBody) => SignInMethod<SignInBody>;
  /** What a caller may do now; undefined when it is gone. */
  readonly scopesNow: (caller: KnownCaller) => Promise<ReadonlySet<Scope> | undefined>;
  readonly isSuspended: (tenantId: string) => Promise<boolean>;
  /** What notes that the caller used its session; refused by the database when the caller is gone. */
  readonly markUsed: (caller: KnownCaller, at: number) => readonly Write[];
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly refreshTokenTtlMs: number;
  /** However often it is refreshed, a session ends so long after it was opened. */
  readonly sessionTtlMs: number;
  /** Whether a session is refreshed only from the address where it was opened. */
  readonly isBoundToAddress: boolean;
}

export const createSessions = (needs: SessionNeeds): Sessions => {
  const { database, store, denials, clock, log } = needs;

  const entry = (who: KnownCaller, { address, requestId }: Origin, what: TraceEntryIn['what'], detail?: object): TraceEntryIn => ({
    tenantId: who.tenantId,
    subject: who.id,
    kind: who.kind,
    requestId,
    at: clock.now(),
    what,
    who: who.id,
    place: address,
    detail,
  });

  const newRefreshToken = (sessionId: string, endsAt: number) => {
    const text = newSecretText();
    const expiresAt = Math.min(clock.now() + needs.refreshTokenTtlMs, endsAt);
    return { text, expiresAt, endsAt, row: { tokenHash: hashOf(text), sessionId, usedAt: null, expiresAt } };
  };

  const give = (
    who: KnownCaller,
    { id: sessionId, clientId }: Pick<SessionRow, 'id' | 'clientId'>,
    { scopes, isLimited }: SessionScopes,
    refresh: { text: string; expiresAt: number; endsAt: number },
    { baseUrl }: Origin,
  ): SessionGiven => {
    const access = needs.accessTokens.issue(
      { ...who, sessionId, scopes, isLimited },
      { notAfter: refresh.endsAt, issuer: baseUrl, clientId: clientId ?? undefined },
    );
    return {
      id: sessionId,
      tokenType: 'Bearer',
      accessToken: access.token,
      accessTokenExpiresAt: toRfc3339(access.expiresAt),
      refreshToken: refresh.text,
      refreshTokenExpiresAt: toRfc3339(refresh.expiresAt),
      scopes: [...scopes],
    };
  };

  /** Not waited for: a write that only known names cost would tell them from unknown ones. */
  const noteRefused = (who: KnownCaller, origin: Origin, detail: object) => {
    const entries = needs.trace.entries([entry(who, origin, 'refused', detail)]);
    database.write(entries).catch((error: unknown) => log.error({ err: error, caller: who.id }, 'session.refusal-not-traced'));
  };

  const open = async (proven: Proven, origin: Origin, method: string): Promise<SessionGiven> => {
    const { who, scopes, limitedTo, secretId, clientId, writes, ends = [], traced = [] } = proven;
    if (await needs.isSuspended(who.tenantId)) {
      noteRefused(who, origin, { method, reason: 'the tenant is suspended' });
      throw new Problem('tenant-suspended', 'The tenant is suspended; nobody of it can sign in.');
    }
    const id = needs.ids.next('session');
    const now = clock.now();
    const endsAt = now + needs.sessionTtlMs;
    const refresh = newRefreshToken(id, endsAt);
    const row: SessionRow = {
      id,
      tenantId: who.tenantId,
      callerId: who.id,
      callerKind: who.kind,
      personId: who.personId ?? null,
      clientId: clientId ?? null,
      secretId: secretId ?? null,
      scopesJson: limitedTo === undefined ? null : JSON.stringify(limitedTo),
      address: origin.address,
      createdAt: now,
      lastUsedAt: now,
      refreshExpiresAt: refresh.expiresAt,
      endsAt,
      revokedAt: null,
    };
    const acts = traced.map((act) => ({ ...act, at: now, requestId: origin.requestId, place: origin.address }));
    const results = await database.write([
      ...ends,
      ...writes,
      store.insertSession(row),
      store.insertRefreshToken(refresh.row),
      ...needs.trace.entries([...acts, entry(who, origin, 'signed-in', { session: id, method })]),
    ]);
    for (const ended of results.slice(0, ends.length)) noteEnded(ended);
    return give(who, row, limit(scopes, limitedTo), refresh, origin);
  };

  const noteEnded = (ended: WriteResult | undefined) => {
    for (const row of (ended?.rows ?? []) as unknown as EndedSession[]) denials.endSession(row.id, row.revokedAt); // rows of `endSession…`
  };

  const endSession = async (who: KnownCaller, sessionId: string, origin: Origin, reason: string): Promise<boolean> => {
    const end = store.endSession({ tenantId: who.tenantId, callerId: who.id, id: sessionId, at: clock.now() });
    const traced: Write[] = needs.trace.entries([entry(who, origin, 'revoked', { session: sessionId, reason })]);
    try {
      const [ended] = await database.write([{ ...end, mustChange: 1 }, ...traced]);
      noteEnded(ended);
      return true;
    } catch (error) {
      if (error instanceof WriteRefused) return false;
      throw error;
    }
  };

  /** The session of a refresh token that may be used now. */
  const findUsable = async (refreshToken: string, origin: Origin, clientId?: string) => {
    const tokenHash = hashOf(refreshToken);
    const found = await store.findRefreshToken(tokenHash);
    if (!found) throw badRefreshToken();
    const { session } = found;
    const who = callerOfSession(session);
    if (found.usedAt !== null) {
      // RFC 9700 §4.14.2: a second use means that somebody else has the token, too. Which of the two is the thief is not known.
      const isEnded = await endSession(who, session.id, origin, 'a refresh token was used twice');
      if (isEnded) log.warn({ caller: who.id, session: session.id, address: origin.address }, 'session.refresh-token-reused');
      throw badRefreshToken();
    }
    if (session.clientId !== (clientId ?? null)) throw badRefreshToken();
    if (session.revokedAt !== null || found.expiresAt <= clock.now()) throw badRefreshToken();
    if (needs.isBoundToAddress && !isSameAddress(session.address, origin.address)) {
      noteRefused(who, origin, { session: session.id, reason: 'refreshed from another address than it was opened from' });
      throw badRefreshToken();
    }
    return { tokenHash, session, who };
  };

  /** Lets `act` go on with who signs in; where it cannot either (undefined), that counts as a failure as well. */
  const proven = async <T extends object>(
    body: SignInBody,
    origin: Origin,
    tell: Guess['tell'],
    act: (proof: Proven) => Promise<T | undefined>,
  ): Promise<T> => {
    const method = needs.methodFor(body);
    const guess = { name: method.nameOf(body), address: origin.address, everywhere: method.limitOf?.(body), tell };
    const outcome = await needs.guessing.guard(guess, async () => {
      const proof = await method.prove(body);
      if (proof.outcome === 'proven') return await act(proof);
      const reason = proof.outcome === 'barred' ? { reason: proof.refusal.kind } : {};
      if (proof.who) noteRefused(proof.who, origin, { method: body.method, ...reason });
      if (proof.outcome === 'barred') throw proof.refusal;
      return undefined;
    });
    if (!outcome) throw new Problem('bad-credentials', 'The name does not exist, or the secret, password or PIN is wrong.');
    return outcome;
  };

  return {
    open: (proof, origin, method) => openOrRefuse(() => open(proof, origin, method)),

    signIn: (body, origin, tell) => proven(body, origin, tell, (proof) => openOrRefuse(() => open(proof, origin, body.method))),

    prove: (body, origin, tell) => proven(body, origin, tell, async (proof) => proof),

    async refresh(refreshToken, origin, client) {
      const { tokenHash, session, who } = await findUsable(refreshToken, origin, client?.clientId);
      const scopes = await needs.scopesNow(who);
      if (!scopes) throw badRefreshToken();
      const limitedTo = session.scopesJson === null ? undefined : parseScopeList(session.scopesJson);
      const held = limit(scopes, limitedTo);
      const narrowedTo = client?.narrow(held.scopes);
      const refresh = newRefreshToken(session.id, session.endsAt ?? Number.MAX_SAFE_INTEGER);
      const at = clock.now();
      const given = await openOrRefuse(async () => {
        await database.write([
          store.useRefreshToken({ tokenHash, at }),
          store.prolongSession({ id: session.id, at, refreshExpiresAt: refresh.expiresAt }),
          store.insertRefreshToken(refresh.row),
          ...needs.markUsed(who, at),
          ...needs.trace.entries([entry(who, origin, 'refreshed', { session: session.id })]),
        ]);
        return give(who, session, narrowedTo === undefined ? held : limit(held.scopes, narrowedTo), refresh, origin);
      });
      if (given) return given;
      // Somebody was faster: looked at again, the token is used or its session is over.
      await findUsable(refreshToken, origin, client?.clientId);
      throw badRefreshToken();
    },

    async list(caller, page) {
      const onlyId = caller.isLimited ? caller.sessionId : undefined;
      const rows = await store.listLiveSessions({ ...caller, onlyId }, clock.now(), page);
      return toPage(
        rows,
        page.limit,
        (row) => [row.id],
        (row) => ({
          id: row.id,
          address: row.address,
          createdAt: toRfc3339(row.createdAt),
          lastUsedAt: toRfc3339(row.lastUsedAt),
          refreshTokenExpiresAt: toRfc3339(row.refreshExpiresAt),
          isCurrent: row.id === caller.sessionId,
        }),
      );
    },

    async end(caller, sessionId, origin) {
      const isSeen = !caller.isLimited || sessionId === caller.sessionId;
      const isEnded = isSeen && (await endSession(caller, sessionId, origin, 'signed out'));
      if (!isEnded) throw new Problem('not-found', `You have no session ${sessionId}.`);
    },

    async endByRefreshToken(refreshToken, origin) {
      const { session, who } = await findUsable(refreshToken, origin);
      await endSession(who, session.id, origin, 'signed out');
    },

    async revoke(session, origin) {
      await endSession(callerOfSession(session), session.id, origin, 'revoked by its client');
    },

    noteEnded,
  };
};

interface SessionScopes {
  readonly scopes: ReadonlySet<Scope>;
  readonly isLimited: boolean;
}

/** What a session may do of all that its caller may. */
const limit = (scopes: ReadonlySet<Scope>, limitedTo: readonly Scope[] | undefined): SessionScopes =>
  limitedTo === undefined
    ? { scopes, isLimited: false }
    : { scopes: new Set(limitedTo.filter((scope) => scopes.has(scope))), isLimited: true };

const callerOfSession = ({ callerId, callerKind, tenantId, personId }: SessionRow): KnownCaller => ({
  id: callerId,
  kind: callerKind,
  tenantId,
  ...(personId === null ? {} : { personId }),
});

const badRefreshToken = () => new Problem('bad-refresh-token', 'The refresh token is not valid; sign in again.');

/** Undefined where the database refused, since what was looked at has changed meanwhile. */
const openOrRefuse = async <T>(act: () => Promise<T>): Promise<T | undefined> => {
  try {
    return await act();
  } catch (error) {
    if (error instanceof WriteRefused || error instanceof UniqueViolation) return undefined;
    throw error;
  }
};
