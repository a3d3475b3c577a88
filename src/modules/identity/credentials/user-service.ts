import type { Caller, Scope } from '../../../foundation/caller.ts';
import { isScope } from '../../../foundation/caller.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem, Unavailable } from '../../../foundation/problem.ts';
import { hashOf } from '../../../foundation/secret.ts';
import { roles } from '../permissions.ts';
import type { Denials } from '../sessions/denials.ts';
import type { TenantStore } from '../tenants/tenant-store.ts';
import type { Credential } from './credential.ts';
import { isBearerText, unprovenClaims } from './jwt-text.ts';
import { createRemembered } from './remembered.ts';
import { getSmall } from './small-get.ts';

const timeLimitMs = 2_000;
const maxBytes = 64 * 1024;
const goodForMs = 10_000;
const maxRemembered = 10_000;
/** More than this do not wait for the user service at a time: it is too slow, or somebody makes tokens up. */
const maxRunning = 256;
const maxIdLength = 128;

interface Vouched {
  readonly caller: Caller;
  readonly until: number;
}

/**
 * Every token that nobody else knows, checked by the organisation's user service (`GET` with the caller's `Authorization`). A good answer
 * is remembered for 10 s, a bad one never; requests with one token share one call.
 */
export const userService = ({
  url,
  tenants,
  denials,
  clock,
}: {
  url: string;
  tenants: Pick<TenantStore, 'findTenantBySlug'>;
  denials: Pick<Denials, 'isSuspended'>;
  clock: Clock;
}): Credential => {
  const remembered = createRemembered<Vouched>(maxRemembered);
  const running = new Map<string, Promise<Vouched>>();

  const ask = async (token: string): Promise<Vouched> => {
    const askedAt = clock.now();
    const { status, isJson, body } = await getSmall({ url, headers: { authorization: `Bearer ${token}` }, timeLimitMs, maxBytes });
    if (status === 401) throw new Problem('bad-token', 'The user service does not know this access token.');
    if (status === 403) throw new Problem('not-allowed', 'The user service does not let this caller in.');
    if (status !== 200 && status !== 204) throw new Unavailable(`The user service answers ${status}.`, { retryAfterMs: 2_000 });
    const said = isJson && status === 200 ? readAnswer(body) : {};
    const id = said.userId ?? subjectOf(token);
    if (id === undefined || !isUserId(id)) throw new Problem('bad-token', 'The access token names nobody who could be known here.');
    const tenant = await tenants.findTenantBySlug(said.tenant ?? 'default');
    if (!tenant) throw new Unavailable(`The user service names a tenant that is not here: ${said.tenant}.`, { retryAfterMs: 10_000 });
    const caller: Caller = {
      id,
      kind: 'person',
      tenantId: tenant.id,
      // No session of ours: there is nothing to refresh or to end here.
      sessionId: `foreign:${hashOf(`${tenant.id}\n${id}`).slice(0, 22)}`,
      scopes: said.scopes ?? memberScopes,
      isKnownElsewhere: true,
    };
    return { caller, until: askedAt + goodForMs };
  };

  const vouchedFor = (token: string): Promise<Vouched> => {
    const key = hashOf(token);
    const known = remembered.get(key);
    if (known && known.until > clock.now()) return Promise.resolve(known);
    const asked = running.get(key);
    if (asked) return asked;
    if (running.size >= maxRunning) throw new Unavailable('Too many wait for the user service.', { retryAfterMs: 1_000 });
    const asking = ask(token)
      .then((vouched) => {
        remembered.set(key, vouched);
        return vouched;
      })
      .finally(() => running.delete(key));
    running.set(key, asking);
    return asking;
  };

  return {
    isOwn: isBearerText,
    async callerOf(token) {
      const { caller } = await vouchedFor(token);
      if (denials.isSuspended(caller.tenantId)) throw new Problem('tenant-suspended', 'The tenant of this caller is suspended.');
      return caller;
    },
  };
};

const memberScopes: ReadonlySet<Scope> = new Set(roles.member);

/** Ids of ours are given by us alone: else one of theirs could be taken for another caller. */
const isUserId = (id: string): boolean => id !== '' && id.length <= maxIdLength && !/^(per|svc|dev)_|\p{Cc}|\p{Cs}/u.test(id);

const subjectOf = (token: string): string | undefined => {
  const subject = unprovenClaims(token)?.sub;
  return typeof subject === 'string' ? subject : undefined;
};

interface Answer {
  readonly userId?: string;
  readonly tenant?: string;
  readonly scopes?: ReadonlySet<Scope>;
}

/** What a 200 tells about the caller. Throws `Unavailable` where it is not what it must be: then nothing is known. */
const readAnswer = (body: string): Answer => {
  const said = parseObject(body);
  const { userId, tenant, scopes } = said;
  const isUser = userId === undefined || userId === null || typeof userId === 'string' || Number.isSafeInteger(userId);
  const isTenant = tenant === undefined || tenant === null || typeof tenant === 'string';
  const isScopes = scopes === undefined || scopes === null || typeof scopes === 'string' || Array.isArray(scopes);
  if (!isUser || !isTenant || !isScopes) throw new Unavailable('The user service answers with another form.', { retryAfterMs: 2_000 });
  const names: readonly unknown[] | undefined = typeof scopes === 'string' ? scopes.split(' ') : (scopes ?? undefined);
  return {
    ...(userId === undefined || userId === null ? {} : { userId: String(userId) }),
    ...(typeof tenant === 'string' ? { tenant } : {}),
    ...(names === undefined ? {} : { scopes: new Set(names.filter((name) => typeof name === 'string').filter(isScope)) }),
  };
};

const parseObject = (body: string): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = body === '' ? {} : JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // the same as what is no object
  }
  throw new Unavailable('The user service answers with what is no JSON object.', { retryAfterMs: 2_000 });
};
