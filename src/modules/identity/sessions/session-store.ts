import type { Database, Statement } from '../../../database/database.ts';
import type { RefreshTokenRow, SessionRow } from '../../../database/tables.ts';
import { slot, template } from '../../../database/template.ts';
import type { Caller } from '../../../foundation/caller.ts';
import { decodeCursor, type PageRequest } from '../../../foundation/page.ts';

/** Whose sessions a read or write is limited to. */
export type CallerScope = Pick<Caller, 'id' | 'tenantId'>;

export type RefreshTokenFound = Pick<RefreshTokenRow, 'usedAt' | 'expiresAt'> & { readonly session: SessionRow };

/** A session that was ended, and when it was last given an access token. */
export type EndedSession = Pick<SessionRow, 'id' | 'lastUsedAt'> & { readonly revokedAt: number };

export type SessionStore = ReturnType<typeof createSessionStore>;

export const createSessionStore = ({ build, read }: Pick<Database, 'build' | 'read'>) => {
  const insertSession = template<SessionRow>(
    build.insertInto('sessions').values({
      id: slot('id'),
      tenantId: slot('tenantId'),
      callerId: slot('callerId'),
      callerKind: slot('callerKind'),
      personId: slot('personId'),
      clientId: slot('clientId'),
      secretId: slot('secretId'),
      scopesJson: slot('scopesJson'),
      address: slot('address'),
      createdAt: slot('createdAt'),
      lastUsedAt: slot('lastUsedAt'),
      refreshExpiresAt: slot('refreshExpiresAt'),
      endsAt: slot('endsAt'),
      revokedAt: slot('revokedAt'),
    }),
  );
  const insertRefreshToken = template<RefreshTokenRow>(
    build
      .insertInto('refreshTokens')
      .values({ tokenHash: slot('tokenHash'), sessionId: slot('sessionId'), usedAt: slot('usedAt'), expiresAt: slot('expiresAt') }),
  );
  const useRefreshToken = template<{ tokenHash: string; at: number }>(
    build
      .updateTable('refreshTokens')
      .set({ usedAt: slot('at') })
      .where('tokenHash', '=', slot<string>('tokenHash'))
      .where('usedAt', 'is', null),
  );
  const prolongSession = template<{ id: string; at: number; refreshExpiresAt: number }>(
    build
      .updateTable('sessions')
      .set({ lastUsedAt: slot('at'), refreshExpiresAt: slot('refreshExpiresAt') })
      .where('id', '=', slot<string>('id'))
      .where('revokedAt', 'is', null),
  );
  const endLive = () =>
    build
      .updateTable('sessions')
      .set({ revokedAt: slot('at') })
      .where('revokedAt', 'is', null)
      .returning(['id', 'lastUsedAt', 'revokedAt']);
  const endSession = template<{ tenantId: string; callerId: string; id: string; at: number }>(
    endLive()
      .where('id', '=', slot<string>('id'))
      .where('callerId', '=', slot<string>('callerId'))
      .where('tenantId', '=', slot<string>('tenantId')),
  );
  const endSessionsOfCaller = template<{ tenantId: string; callerId: string; at: number }>(
    endLive().where('callerId', '=', slot<string>('callerId')).where('tenantId', '=', slot<string>('tenantId')),
  );
  const endOtherSessionsOfCaller = template<{ tenantId: string; callerId: string; keptId: string; at: number }>(
    endLive()
      .where('callerId', '=', slot<string>('callerId'))
      .where('tenantId', '=', slot<string>('tenantId'))
      .where('id', '<>', slot<string>('keptId')),
  );
  const endSessionsOfDevicesOf = template<{ tenantId: string; personId: string; at: number }>(
    endLive().where('personId', '=', slot<string>('personId')).where('tenantId', '=', slot<string>('tenantId')),
  );
  const endSessionsOfSecret = template<{ tenantId: string; secretId: string; at: number }>(
    endLive().where('secretId', '=', slot<string>('secretId')).where('tenantId', '=', slot<string>('tenantId')),
  );
  const removeExpiredSessions = template<{ before: number; limit: number }>(
    build
      .deleteFrom('sessions')
      .where('id', 'in', (eb) =>
        eb.selectFrom('sessions').select('id').where('refreshExpiresAt', '<', slot<number>('before')).limit(slot<number>('limit')),
      ),
  );
  const removeEndedSessions = template<{ before: number; limit: number }>(
    build
      .deleteFrom('sessions')
      .where('id', 'in', (eb) =>
        eb.selectFrom('sessions').select('id').where('revokedAt', '<', slot<number>('before')).limit(slot<number>('limit')),
      ),
  );
  const removeExpiredRefreshTokens = template<{ before: number; limit: number }>(
    build
      .deleteFrom('refreshTokens')
      .where('tokenHash', 'in', (eb) =>
        eb.selectFrom('refreshTokens').select('tokenHash').where('expiresAt', '<', slot<number>('before')).limit(slot<number>('limit')),
      ),
  );

  return {
    insertSession: insertSession.row,
    insertRefreshToken: insertRefreshToken.row,
    /** Refused by the database when the token was used already: of parallel uses exactly one is carried out. */
    useRefreshToken: (row: { tokenHash: string; at: number }): Statement => ({ ...useRefreshToken.row(row), mustChange: 1 }),
    /** Refused by the database when the session was ended meanwhile. */
    prolongSession: (row: { id: string; at: number; refreshExpiresAt: number }): Statement => ({
      ...prolongSession.row(row),
      mustChange: 1,
    }),
    /** These return the sessions that they ended, as `EndedSession` rows; those that are over already are left alone. */
    endSession: endSession.row,
    endSessionsOfCaller: endSessionsOfCaller.row,
    endOtherSessionsOfCaller: endOtherSessionsOfCaller.row,
    endSessionsOfDevicesOf: endSessionsOfDevicesOf.row,
    endSessionsOfSecret: endSessionsOfSecret.row,
    removeExpiredSessions: removeExpiredSessions.row,
    removeEndedSessions: removeEndedSessions.row,
    removeExpiredRefreshTokens: removeExpiredRefreshTokens.row,

    /** The token is the proof, so this read has no other scope. */
    async findRefreshToken(tokenHash: string): Promise<RefreshTokenFound | undefined> {
      const row = await read
        .selectFrom('refreshTokens')
        .innerJoin('sessions', 'sessions.id', 'refreshTokens.sessionId')
        .selectAll('sessions')
        .select(['refreshTokens.usedAt', 'refreshTokens.expiresAt'])
        .where('refreshTokens.tokenHash', '=', tokenHash)
        .executeTakeFirst();
      if (!row) return undefined;
      const { usedAt, expiresAt, ...session } = row;
      return { usedAt, expiresAt, session };
    },

    /** The caller's sessions that are not over, or just one of them, newest first, one more than the limit. */
    async listLiveSessions(
      { onlyId, ...scope }: CallerScope & { onlyId: string | undefined },
      now: number,
      { limit, cursor }: PageRequest,
    ): Promise<SessionRow[]> {
      const query = read
        .selectFrom('sessions')
        .selectAll()
        .where('callerId', '=', scope.id)
        .where('tenantId', '=', scope.tenantId)
        .where('revokedAt', 'is', null)
        .where('refreshExpiresAt', '>', now)
        .$if(onlyId !== undefined, (only) => only.where('id', '=', String(onlyId)))
        .orderBy('id', 'desc')
        .limit(limit + 1);
      if (cursor === undefined) return await query.execute();
      const [id] = decodeCursor(cursor, ['string'] as const);
      return await query.where('id', '<', id).execute();
    },

    /**
     * Sessions of all callers that were ended behind `place`, in order, and were given an access token since `lastUsedSince`; for the
     * tokens that are out.
     */
    async listEndedSessions(lastUsedSince: number, place: { at: number; id: string }, limit: number): Promise<EndedSession[]> {
      const rows = await read
        .selectFrom('sessions')
        .select(['id', 'lastUsedAt', 'revokedAt'])
        .where('revokedAt', '>=', place.at)
        .where('lastUsedAt', '>=', lastUsedSince)
        .where((eb) => eb.or([eb('revokedAt', '>', place.at), eb('id', '>', place.id)]))
        .orderBy('revokedAt')
        .orderBy('id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({ ...row, revokedAt: row.revokedAt ?? place.at }));
    },

    /** The session that a token of ours names. The token is the proof, so this read has no other scope. */
    findSessionOfToken: (id: string): Promise<SessionRow | undefined> =>
      read.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst(),
  };
};
