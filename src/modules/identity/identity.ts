import { availableParallelism } from 'node:os';
import type { Database } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import type { Log } from '../../foundation/log.ts';
import type { Seal } from '../../foundation/secret.ts';
import { startLoop, type Worker } from '../../foundation/work.ts';
import type { Limiter } from '../../limits/limiter.ts';
import type { Mailer } from '../../mail/mailer.ts';
import type { Trace } from '../trace/trace.ts';
import { type Authenticate, createAuthenticate } from './authenticate.ts';
import { cleanUp } from './cleaning.ts';
import { createAccessTokens, issuerWithoutUrl } from './credentials/access-token.ts';
import { openCredentials } from './credentials/all-credentials.ts';
import type { TrustedIssuer } from './credentials/foreign-token.ts';
import { createDenials } from './denials.ts';
import { createDeviceStore } from './device-store.ts';
import { createForeignPeople } from './foreign-people.ts';
import { createGuessing } from './guessing.ts';
import { createIdempotency, type Idempotency } from './idempotency.ts';
import { createIdempotencyKeyStore } from './idempotency-store.ts';
import { identityRoutes } from './identity-routes.ts';
import { createMailStore } from './mail-store.ts';
import { createMe } from './me.ts';
import { createPasswords } from './passwords.ts';
import { createPersonStore } from './person-store.ts';
import { createPost } from './post.ts';
import { createScopesNow } from './scopes-now.ts';
import { createServices } from './service-acts.ts';
import { createServiceStore } from './service-store.ts';
import { createSessionStore } from './session-store.ts';
import { createSessions } from './sessions.ts';
import { createSetUp, type SetUp } from './set-up.ts';
import { openSignInMethods } from './sign-in/all-sign-in-methods.ts';
import { createSigningKeyStore } from './signing-key-store.ts';
import { createSigningKeys } from './signing-keys.ts';
import { createTenantStore } from './tenant-store.ts';
import { createWatch } from './watch.ts';

export interface IdentitySettings {
  readonly accessTokenTtlMs: number;
  readonly refreshTokenTtlMs: number;
  readonly sessionTtlMs: number;
  /** Whether a session is refreshed only from the address where it was opened. */
  readonly sessionBinding: 'address' | 'off';
  /** The issuer of access tokens; without it they name `entrepot`. */
  readonly publicUrl?: string | undefined;
  /** Identity providers whose tokens let people in. */
  readonly trustedIssuers?: readonly TrustedIssuer[];
  /** The address that checks every token that is not ours. */
  readonly userService?: string | undefined;
}

export interface IdentityNeeds {
  readonly database: Database;
  readonly trace: Trace;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly seal: Seal;
  readonly limiter: Limiter;
  readonly mailer: Mailer;
  readonly settings: IdentitySettings;
}

/** Who calls, and what it may do. */
export interface Identity {
  readonly authenticate: Authenticate;
  /** To be registered without a prefix. */
  readonly routes: ReturnType<typeof identityRoutes>;
  readonly ensureFirstOperator: SetUp['ensureFirstOperator'];
  readonly idempotency: Idempotency;
  /** Needed in every process that authenticates: without them it does not learn of what others ended or changed. */
  startWorkers(): Worker[];
  /** The tenant of the operator and of everything that names no other. */
  defaultTenantId(): Promise<string>;
}

const watchEveryMs = 2_000;
const cleanEveryMs = 60_000;
const dayMs = 24 * 60 * 60 * 1000;

/** Resolves when tokens can be made and checked: there is a signing key, and what ended lately is known. */
export const createIdentity = async (needs: IdentityNeeds): Promise<Identity> => {
  const { database, trace, clock, ids, log, seal, limiter, mailer, settings } = needs;
  const people = createPersonStore(database);
  const devices = createDeviceStore(database);
  const tenants = createTenantStore(database);
  const serviceStore = createServiceStore(database);
  const sessionStore = createSessionStore(database);
  const keyStore = createSigningKeyStore(database);
  const idempotencyKeys = createIdempotencyKeyStore(database);
  const { accessTokenTtlMs, refreshTokenTtlMs } = settings;

  const tenantId = await people.getTenantId('default');
  const keys = await createSigningKeys({ database, store: keyStore, seal, clock, ids, accessTokenTtlMs, trace });
  const issuer = settings.publicUrl ?? issuerWithoutUrl;
  const accessTokens = createAccessTokens({ keys, clock, issuer, ttlMs: accessTokenTtlMs });
  const denials = createDenials();
  const watch = createWatch({ sessions: sessionStore, services: serviceStore, people, tenants, keys, denials, clock, accessTokenTtlMs });
  await watch.look();

  const credentials = openCredentials({
    accessTokens,
    denials,
    foreignPeople: createForeignPeople({ database, people, tenants, trace, clock, ids, tenantId }),
    tenants,
    clock,
    log,
    trustedIssuers: settings.trustedIssuers ?? [],
    userServiceUrl: settings.userService,
  });
  const authenticate = createAuthenticate({ credentials });
  // One core, and one of libuv's four threads, is left to everything else: the signatures of foreign tokens are checked there, too.
  const passwords = createPasswords({ maxRunning: Math.max(1, Math.min(3, availableParallelism() - 1)) });
  const guessing = createGuessing({ limiter });
  const post = createPost({ database, store: createMailStore(database), mailer, seal, clock, ids, log });

  const scopesNow = createScopesNow({ people, devices, services: serviceStore, tenants });
  const sessions = createSessions({
    database,
    store: sessionStore,
    trace,
    accessTokens,
    denials,
    guessing,
    methodFor: openSignInMethods({ people, services: serviceStore, passwords, clock }),
    scopesNow,
    clock,
    ids,
    log,
    refreshTokenTtlMs,
    sessionTtlMs: settings.sessionTtlMs,
    isBoundToAddress: settings.sessionBinding === 'address',
  });
  const services = createServices({ database, store: serviceStore, sessionStore, sessions, denials, trace, clock, ids });
  const setUp = createSetUp({ database, store: people, passwords, guessing, trace, clock, ids, tenantId });
  const me = createMe({ people, services: serviceStore });

  // A session is kept until no access token of it can be out, so that ending it can still be told to other processes.
  const cleaning = [
    { remove: sessionStore.removeExpiredRefreshTokens, keptMs: 0 },
    { remove: sessionStore.removeExpiredSessions, keptMs: accessTokenTtlMs + dayMs },
    { remove: idempotencyKeys.removeExpiredKeys, keptMs: 0 },
    { remove: keyStore.removeExpiredKeys, keptMs: 0 },
  ];

  return {
    authenticate,
    routes: identityRoutes({ sessions, services, setUp, keys, me, authenticate, clock }),
    ensureFirstOperator: setUp.ensureFirstOperator,
    idempotency: createIdempotency({ database, store: idempotencyKeys, clock }),
    defaultTenantId: async () => tenantId,
    startWorkers: () => [
      post.startWorker(),
      startLoop({
        name: 'identity.watch',
        clock,
        log,
        round: async (signal) => {
          await clock.sleep(watchEveryMs, signal);
          if (!signal.aborted) await watch.look();
        },
      }),
      startLoop({
        name: 'identity.cleaning',
        clock,
        log,
        round: async (signal) => {
          await clock.sleep(cleanEveryMs, signal);
          const removed = await cleanUp({ database, clock, steps: cleaning, signal });
          if (removed > 0) log.debug({ removed }, 'identity.cleaned');
        },
      }),
    ],
  };
};
