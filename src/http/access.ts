import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller, Scope } from '../foundation/caller.ts';
import { Problem } from '../foundation/problem.ts';
import { isSameText, type Secret } from '../foundation/secret.ts';

/**
 * Who may call a route: everybody (`optional`: whoever has a session is known by it), whoever has a session, people with an account here
 * only (by a session that may do all that they may), or whoever has the scope.
 */
export type Access = 'public' | 'optional' | 'signed-in' | 'person' | Scope;

/** Proves who calls. Undefined when no bearer was sent; throws `Problem('bad-token')` for one that is not valid. */
export type Authenticate = (authorization: string | undefined, address: string) => Promise<Caller | undefined>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. A route that does not say so stops the start. */
    access?: Access;
    /** A bearer token from the settings that is let in as well; the request has no caller then. */
    fixedToken?: Secret | undefined;
  }
  interface FastifyRequest {
    /** Who calls; undefined on public routes and, where nobody signed in, on optional ones. Handlers of all others take it by `callerOf`. */
    caller: Caller | undefined;
  }
}

/** Who calls. Only for routes that are not public: there it is always known when the handler runs. */
export const callerOf = (request: FastifyRequest): Caller => {
  if (request.caller === undefined) throw new Error('A public route has no caller');
  return request.caller;
};

const mappedPrefix = '::ffff:';

const plainAddress = (address: string): string =>
  address.startsWith(mappedPrefix) && isIP(address.slice(mappedPrefix.length)) === 4 ? address.slice(mappedPrefix.length) : address;

/**
 * The client's address. `X-Forwarded-For` counts only as far as trusted proxies wrote it; where one of them passed on something that is
 * no address, it is the address of the connection. IPv4 addresses come without the IPv6 prefix of dual-stack sockets.
 */
export const addressOf = (request: FastifyRequest): string => {
  const { remoteAddress = 'unknown' } = request.raw.socket;
  const forwarded = request.ip ?? remoteAddress;
  if (forwarded === remoteAddress || isIP(forwarded) === 0) return plainAddress(remoteAddress);
  return plainAddress(forwarded);
};

const lacks = (scope: Scope): Problem =>
  new Problem('not-allowed', `This needs the scope \`${scope}\`.`, {
    members: { scope },
    headers: { 'www-authenticate': `Bearer error="insufficient_scope", scope="${scope}"` }, // RFC 6750 §3.1
  });

type OnRequest = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => void;

const isBearer = (authorization: string | undefined, token: Secret): boolean => {
  const [, sent] = /^bearer +(\S+)$/i.exec(authorization ?? '') ?? [];
  return sent !== undefined && isSameText(sent, token.reveal());
};

/** Whether one of the tokens was sent. All of them are compared each time, so that the time it takes tells nothing. */
export const hasBearer = (authorization: string | undefined, tokens: readonly Secret[]): boolean =>
  tokens.map((token) => isBearer(authorization, token)).includes(true);

const notAPerson = (): Problem =>
  new Problem('not-allowed', 'This is for people who have an account here, not for devices and services, nor for those known elsewhere.');

const isLimited = (): Problem =>
  new Problem('not-allowed', 'This session was given a part of what its person may do, so it does not look after the account.');

/**
 * Why this caller does not look after an account here; undefined where it does. A program that was given less than all must not: with
 * another address, another device or another code it would help itself to the rest.
 */
export const refusalOfAccount = (caller: Caller): Problem | undefined => {
  if (caller.kind !== 'person' || caller.isKnownElsewhere) return notAPerson();
  return caller.isLimited ? isLimited() : undefined;
};

/** Why this caller may not call the route; undefined where it may. */
const refusalOf = (access: Exclude<Access, 'public'>, caller: Caller | undefined): Problem | undefined => {
  if (access === 'optional') return undefined;
  if (caller === undefined) return new Problem('not-signed-in', 'This needs an access token.');
  if (access === 'signed-in') return undefined;
  if (access === 'person') return refusalOfAccount(caller);
  return caller.scopes.has(access) ? undefined : lacks(access);
};

/** The hook that lets only those pass who may call, before a byte of the body is read. */
export const guardFor =
  (access: Exclude<Access, 'public'>, authenticate: Authenticate, fixedToken?: Secret): OnRequest =>
  (request, _reply, done) => {
    const { authorization } = request.headers;
    if (fixedToken !== undefined && isBearer(authorization, fixedToken)) return done();
    const admit = (caller: Caller | undefined) => {
      request.caller = caller;
      done(refusalOf(access, caller));
    };
    authenticate(authorization, addressOf(request)).then(admit, done);
  };
