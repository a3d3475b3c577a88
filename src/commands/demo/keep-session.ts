import type { Clock } from '../../foundation/clock.ts';
import { type ApiClient, UnexpectedAnswer } from './api-client.ts';

/** A session that stays good, because it is refreshed before its access token runs out. */
export interface KeptSession {
  /** The access token of the moment. */
  token(): string;
  /** How often it was refreshed. */
  readonly refreshes: number;
  /** When it is refreshed next, in milliseconds since 1970. */
  readonly refreshAt: number;
  /** The least time that an access token was still good for when the next one was there; undefined before the first. */
  readonly leastLeftMs: number | undefined;
  /** Why the last refresh failed; undefined while all is well. */
  readonly failure: string | undefined;
  stop(): Promise<void>;
}

interface SessionGiven {
  readonly accessToken: string;
  readonly accessTokenExpiresAt: string;
  readonly refreshToken: string;
}

/** Refreshed after this share of an access token's life: late enough to be thrifty, early enough for a slow moment. */
const usedShare = 0.6;

/** Signs in and keeps the session good until it is stopped. Rejects when the server does not let it in. */
export const keepSession = async ({
  api,
  credentials,
  clock,
  onRefresh,
}: {
  api: ApiClient;
  credentials: Readonly<Record<string, string>>;
  clock: Clock;
  onRefresh?: () => void;
}): Promise<KeptSession> => {
  const ask = async (path: string, body: object, status: number): Promise<SessionGiven> => {
    const answer = await api.call<SessionGiven>('POST', path, { body });
    if (answer.status !== status) throw new UnexpectedAnswer('POST', path, answer);
    return answer.body;
  };
  const dueAt = ({ accessTokenExpiresAt }: SessionGiven, now: number) => now + (Date.parse(accessTokenExpiresAt) - now) * usedShare;

  const stopping = new AbortController();
  let session = await ask('/v1/sessions', credentials, 201);
  let refreshAt = dueAt(session, clock.now());
  let refreshes = 0;
  let leastLeftMs: number | undefined;
  let failure: string | undefined;

  const refresh = async () => {
    const endsAt = Date.parse(session.accessTokenExpiresAt);
    session = await ask('/v1/sessions/refresh', { refreshToken: session.refreshToken }, 200);
    refreshes += 1;
    leastLeftMs = Math.min(leastLeftMs ?? Number.POSITIVE_INFINITY, endsAt - clock.now());
    refreshAt = dueAt(session, clock.now());
    onRefresh?.();
  };
  const run = async () => {
    while (failure === undefined) {
      await clock.sleep(refreshAt - clock.now(), stopping.signal);
      if (stopping.signal.aborted) return;
      // A refresh token works once: after a failure there is nothing to try again with.
      await refresh().catch((error: unknown) => {
        failure = error instanceof Error ? error.message : String(error);
      });
    }
  };
  const ended = run();

  return {
    token: () => session.accessToken,
    get refreshes() {
      return refreshes;
    },
    get refreshAt() {
      return refreshAt;
    },
    get leastLeftMs() {
      return leastLeftMs;
    },
    get failure() {
      return failure;
    },
    async stop() {
      stopping.abort();
      await ended;
    },
  };
};
