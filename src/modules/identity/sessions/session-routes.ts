import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Static } from 'typebox';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import { Type } from '../../../foundation/schema.ts';
import { addressOf, callerOf } from '../../../http/access.ts';
import { baseUrlOf } from '../../../http/base-url.ts';
import { listQuery, pageOf, sendPage } from '../../../http/paging.ts';
import { refusals } from '../../../http/problem-reply.ts';
import { limitReply } from '../../../http/rate-limit.ts';
import type { Authenticate } from '../authenticate.ts';
import { SignIn } from '../sign-in/all-sign-in-methods.ts';
import { noRefreshCookie, refreshCookie, refreshTokenIn } from './refresh-cookie.ts';
import type { Origin, SessionGiven, Sessions } from './sessions.ts';

const time = (description: string) => Type.String({ format: 'date-time', description });

const example = {
  id: 'ses_01k8t3w0e5f6g7h8j9kamn0pqr',
  tokenType: 'Bearer' as const,
  accessToken: 'eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImtleV8wMWs4In0.eyJpc3MiOiJlbnRyZXBvdCJ9.c2lnbmF0dXJl',
  accessTokenExpiresAt: '2026-11-02T09:15:00.000Z',
  refreshToken: 'nkPmPBDC0xfWKpFkjmuzJbbY3GdXYjr9hkyCVmZ7xQk',
  refreshTokenExpiresAt: '2026-12-02T09:00:00.000Z',
};

const SessionOut = Type.Object(
  {
    id: Type.String(),
    tokenType: Type.Literal('Bearer'),
    accessToken: Type.String({ description: 'A JWT; send it as `Authorization: Bearer …`.' }),
    accessTokenExpiresAt: time('Refresh before then.'),
    refreshToken: Type.Optional(Type.String({ description: 'Works once. Absent where it comes as a cookie.' })),
    refreshTokenExpiresAt: time('Sign in again after then.'),
  },
  { examples: [example] },
);

const SessionSeenOut = Type.Object(
  {
    id: Type.String(),
    address: Type.String({ description: 'Where it was opened from.' }),
    createdAt: time('When it was opened.'),
    lastUsedAt: time('When it was opened or last refreshed.'),
    refreshTokenExpiresAt: time('When it ends unless it is refreshed before.'),
    isCurrent: Type.Boolean({ description: 'Whether this request belongs to it.' }),
  },
  {
    examples: [
      {
        id: example.id,
        address: '203.0.113.7',
        createdAt: '2026-11-02T09:00:00.000Z',
        lastUsedAt: '2026-11-02T09:14:00.000Z',
        refreshTokenExpiresAt: example.refreshTokenExpiresAt,
        isCurrent: true,
      },
    ],
  },
);

const RefreshIn = Type.Object(
  { refreshToken: Type.String({ minLength: 1, maxLength: 256 }) },
  { additionalProperties: false, examples: [{ refreshToken: example.refreshToken }] },
);

export const originOf = (request: FastifyRequest): Origin => ({
  address: addressOf(request),
  requestId: request.id,
  baseUrl: baseUrlOf(request),
});

export const sessionRoutes =
  ({ sessions, authenticate, clock }: { sessions: Sessions; authenticate: Authenticate; clock: Clock }): FastifyPluginAsyncTypebox =>
  async (app) => {
    /** The session as it goes out: the refresh token in the body or, for a browser, in a cookie. */
    const show = (reply: FastifyReply, session: SessionGiven, asCookie: boolean): Static<typeof SessionOut> => {
      const { scopes, refreshToken, ...shown } = session;
      if (!asCookie) return { ...shown, refreshToken };
      reply.header('set-cookie', refreshCookie(refreshToken, Date.parse(session.refreshTokenExpiresAt) - clock.now()));
      return shown;
    };

    app.post(
      '/',
      {
        config: { access: 'public', isIdempotent: true, showsSecret: true },
        schema: {
          summary: 'Sign in',
          description:
            'Opens a session. After 10 failures of a name from an address, or 100 from an address, within 15 minutes it is 429 there.',
          body: SignIn,
          response: { 201: SessionOut, ...refusals('bad-credentials', 'unconfirmed', 'tenant-suspended', 'too-many') },
        },
      },
      async (request, reply) => {
        const { body } = request;
        const session = await sessions.signIn(body, originOf(request), (decision) => limitReply(reply, decision));
        return reply.code(201).send(show(reply, session, body.cookie === true));
      },
    );

    app.post(
      '/refresh',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Refresh a session',
          description:
            'Gives a new pair of tokens. A refresh token works once: its second use ends the session. Without a body the refresh token is taken from the cookie.',
          body: Type.Union([RefreshIn, Type.Null()]),
          response: { 200: SessionOut, ...refusals('bad-refresh-token') },
        },
      },
      async (request, reply) => {
        const fromCookie = refreshTokenIn(request.headers.cookie);
        const refreshToken = request.body?.refreshToken ?? fromCookie;
        if (refreshToken === undefined) throw new Problem('bad-refresh-token', 'There is no refresh token in the body or in a cookie.');
        const session = await sessions.refresh(refreshToken, originOf(request));
        return reply.send(show(reply, session, request.body === null || request.body === undefined));
      },
    );

    app.get(
      '/',
      {
        config: { access: 'signed-in' },
        schema: {
          summary: 'List your sessions',
          querystring: Type.Object(listQuery),
          response: { 200: pageOf(SessionSeenOut), ...refusals('bad-cursor') },
        },
      },
      async (request, reply) => sendPage(request, reply, await sessions.list(callerOf(request), request.query)),
    );

    app.delete(
      '/current',
      {
        config: { access: 'public' },
        schema: {
          summary: 'Sign out',
          description: 'Ends the session of the access token or, where there is none, of the refresh token in the cookie.',
          response: { 204: Type.Null(), ...refusals('not-signed-in', 'bad-token', 'bad-refresh-token') },
        },
      },
      async (request, reply) => {
        const origin = originOf(request);
        const fromCookie = refreshTokenIn(request.headers.cookie);
        const caller = await authenticate(request.headers.authorization, origin.address).catch((error: unknown) => {
          if (fromCookie === undefined) throw error;
          return undefined;
        });
        if (caller) await sessions.end(caller, caller.sessionId, origin);
        else if (fromCookie !== undefined) await sessions.endByRefreshToken(fromCookie, origin);
        else throw new Problem('not-signed-in', 'There is no session to end.');
        if (fromCookie !== undefined) reply.header('set-cookie', noRefreshCookie);
        return reply.code(204).send(null);
      },
    );

    app.delete(
      '/:id',
      {
        config: { access: 'signed-in' },
        schema: {
          summary: 'End one of your sessions',
          description: 'A session that was given a part of what its caller may do sees and ends itself alone.',
          params: Type.Object({ id: Type.String({ maxLength: 64 }) }),
          response: { 204: Type.Null(), ...refusals('not-found') },
        },
      },
      async (request, reply) => {
        await sessions.end(callerOf(request), request.params.id, originOf(request));
        return reply.code(204).send(null);
      },
    );
  };
