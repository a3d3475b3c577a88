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
import { createDeleteAccount } from './accounts/account-deletion.ts';
import { type AudiencesOf, type AudiencesOfOwner, createAudiencesOf, createAudiencesOfOwner } from './accounts/audiences.ts';
import { createMailStore } from './accounts/mail-store.ts';
import { createMailTokenStore } from './accounts/mail-token-store.ts';
import { createMailTokens } from './accounts/mail-tokens.ts';
import { createMe } from './accounts/me.ts';
import { createPasswordActs } from './accounts/password-acts.ts';
import { createPasswords, type Passwords } from './accounts/passwords.ts';
import { createMakePerson } from './accounts/person-acts.ts';
import { createPersonStore } from './accounts/person-store.ts';
import { createPost } from './accounts/post.ts';
import { createChangeProfile } from './accounts/profile.ts';
import { createProvePassword } from './accounts/prove-password.ts';
import { createRemovalStore } from './accounts/removal-store.ts';
import { createIdentityRemoval, createRemovals, type RemovalStep } from './accounts/removals.ts';
import { createSetUp, type SetUp } from './accounts/set-up.ts';
import { createSignUp } from './accounts/sign-up.ts';
import { type Authenticate, createAuthenticate } from './authenticate.ts';
import { cleanUp } from './cleaning.ts';
import { createAccessTokens } from './credentials/access-token.ts';
import { openCredentials } from './credentials/all-credentials.ts';
import type { TrustedIssuer } from './credentials/foreign-token.ts';
import { createAdoptDevice } from './devices/device-adoption.ts';
import { createDeviceStore } from './devices/device-store.ts';
import { createDevices } from './devices/devices.ts';
import { createPairingStore } from './devices/pairing-store.ts';
import { createPairings } from './devices/pairings.ts';
import { createExpiryStore } from './expiry-store.ts';
import { createForeignPeople } from './foreign-people.ts';
import { createGuessing, type Guessing } from './guessing.ts';
import { createIdempotency, type Idempotency } from './idempotency.ts';
import { createIdempotencyKeyStore } from './idempotency-store.ts';
import { identityRoutes } from './identity-routes.ts';
import { createLockOut } from './lock-out.ts';
import { createOauth } from './oauth/oauth.ts';
import { createServices } from './service-acts.ts';
import { createServiceStore } from './service-store.ts';
import { createDenials, type Denials } from './sessions/denials.ts';
import { createScopesNow } from './sessions/scopes-now.ts';
import { createSessionStore } from './sessions/session-store.ts';
import { createSessions } from './sessions/sessions.ts';
import { createSigningKeyStore } from './sessions/signing-key-store.ts';
import { createSigningKeys } from './sessions/signing-keys.ts';
import { createWatch } from './sessions/watch.ts';
import { openSignInMethods } from './sign-in/all-sign-in-methods.ts';
import { createQuotasOf, type Quotas } from './tenants/quotas.ts';
import { createTenants } from './tenants/tenant-acts.ts';
import { createTenantPeople } from './tenants/tenant-people-acts.ts';
import { createTenantStore } from './tenants/tenant-store.ts';

export type { AudiencesOf, AudiencesOfOwner } from './accounts/audiences.ts';
export type { Passwords } from './accounts/passwords.ts';
export type { RemovalStep, RemovedPerson } from './accounts/removals.ts';
export { addressGroup } from './addresses.ts';
export type { Guess, Guessing } from './guessing.ts';
export type { Quotas } from './tenants/quotas.ts';

export interface IdentitySettings {
  readonly accessTokenTtlMs: number;
  readonly refreshTokenTtlMs: number;
  readonly sessionTtlMs: number;
  readonly pinTtlMs: number;
  /** Whether a session is refreshed only from the address where it was opened. */
  readonly sessionBinding: 'address' | 'off';
  /** The issuer of access tokens; without it they name the address that their session was opened at, and mails carry no links. */
  readonly publicUrl?: string | undefined;
  /** Identity providers whose tokens let people in. */
  readonly trustedIssuers?: readonly TrustedIssuer[];
  /** The address that checks every token that is not ours. */
  readonly userService?: string | undefined;
  /** How many may sign up from one address. */
  readonly signUpLimit: { readonly requests: number; readonly intervalMs: number };
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
  /** The caller as it counts now, for what goes on long after it was let in; undefined when its session is over or its tenant suspended. */
  readonly judge: Denials['judge'];
  /** To be registered without a prefix. */
  readonly routes: ReturnType<typeof identityRoutes>;
  readonly ensureFirstOperator: SetUp['ensureFirstOperator'];
  readonly idempotency: Idempotency;
  /** Needed in every process that authenticates: without them it does not learn of what others ended or changed. */
  startWorkers(): Worker[];
  /** Passwords of folders and shares are kept like those of people, and guessing them is limited in the same way. */
  readonly passwords: Passwords;
  readonly guessing: Guessing;
  readonly audiencesOf: AudiencesOf;
  readonly audiencesOfOwner: AudiencesOfOwner;
  /** Of a suspended tenant nothing is given out, also to those who need not say who they are. Told from memory; by other replicas within seconds. */
  isSuspended(tenantId: string): boolean;
  readonly quotasOf: (tenantId: string) => Promise<Quotas>;
  /** From here on a deleted account is not gone before this step has removed what it knows of. Called before `startWorkers`. */
  removeAlso(step: RemovalStep): void;
  /** The tenant of the operator and of everything that names no other. */
  defaultTenantId(): Promise<string>;
}

const watchEveryMs = 2_000;
const cleanEveryMs = 60_000;
const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

/** Resolves when tokens can be made and checked: there is a signing key, and what ended lately is known. */
export const createIdentity = async (needs: IdentityNeeds): Promise<Identity> => {
  const { database, trace, clock, ids, log, seal, limiter, mailer, settings } = needs;
  const people = createPersonStore(database);
  const deviceStore = createDeviceStore(database);
  const tenantStore = createTenantStore(database);
  const serviceStore = createServiceStore(database);
  const sessionStore = createSessionStore(database);
  const keyStore = createSigningKeyStore(database);
  const idempotencyKeys = createIdempotencyKeyStore(database);
  const { accessTokenTtlMs, refreshTokenTtlMs } = settings;

  const tenantId = await people.getTenantId('default');
  const keys = await createSigningKeys({ database, store: keyStore, seal, clock, ids, accessTokenTtlMs, trace });
  const { publicUrl } = settings;
  const accessTokens = createAccessTokens({ keys, clock, issuer: publicUrl, ttlMs: accessTokenTtlMs });
  const denials = createDenials();
  const watch = createWatch({
    sessions: sessionStore,
    services: serviceStore,
    people,
    tenants: tenantStore,
    keys,
    denials,
    clock,
    accessTokenTtlMs,
  });
  await watch.look();

  const credentials = openCredentials({
    accessTokens,
    denials,
    foreignPeople: createForeignPeople({ database, people, tenants: tenantStore, trace, clock, ids, tenantId }),
    tenants: tenantStore,
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

  const pairings = createPairings({
    database,
    store: createPairingStore(database),
    people,
    tenants: tenantStore,
    post,
    limiter,
    seal,
    clock,
    ids,
    pinTtlMs: settings.pinTtlMs,
  });
  const adoptDevice = createAdoptDevice({ store: deviceStore, sessionStore, clock, ids });
  const scopesNow = createScopesNow({ people, devices: deviceStore, services: serviceStore, tenants: tenantStore });
  const sessions = createSessions({
    database,
    store: sessionStore,
    trace,
    accessTokens,
    denials,
    guessing,
    methodFor: openSignInMethods({ people, services: serviceStore, passwords, tenants: tenantStore, pairings, adoptDevice, clock }),
    scopesNow,
    isSuspended: async (id) => (await tenantStore.findTenant(id))?.state === 'suspended',
    markUsed: ({ kind, tenantId, id }, at) => (kind === 'device' ? [deviceStore.markDeviceUsed({ tenantId, id, at })] : []),
    clock,
    ids,
    log,
    refreshTokenTtlMs,
    sessionTtlMs: settings.sessionTtlMs,
    isBoundToAddress: settings.sessionBinding === 'address',
  });
  const services = createServices({ database, store: serviceStore, sessionStore, sessions, denials, trace, clock, ids });
  const makePerson = createMakePerson({ store: people, passwords, trace, clock, ids });
  const setUp = createSetUp({ database, store: people, makePerson, guessing, clock, tenantId });
  const tenants = createTenants({ database, store: tenantStore, makePerson, denials, trace, clock, ids, defaultTenantId: tenantId });
  const devices = createDevices({ database, store: deviceStore, sessionStore, sessions, trace, clock });
  const me = createMe({ people, devices: deviceStore, services: serviceStore });

  const mailTokenStore = createMailTokenStore(database);
  const tokens = createMailTokens({ store: mailTokenStore, post, clock, publicUrl: settings.publicUrl });
  const removalStore = createRemovalStore(database);
  const lockOut = createLockOut({ sessionStore, removalStore, tokens, sessions, clock });
  const limit = settings.signUpLimit;
  const signUp = createSignUp({ database, people, tenants: tenantStore, makePerson, tokens, limiter, trace, clock, limit });
  const provePassword = createProvePassword({ database, people, passwords, guessing, trace, clock });
  const passwordActs = createPasswordActs({
    database,
    people,
    tenants: tenantStore,
    passwords,
    provePassword,
    lockOut,
    tokens,
    limiter,
    trace,
    clock,
    log,
  });
  const changeProfile = createChangeProfile({ database, people, tenants: tenantStore, tokens, limiter, trace, clock });
  // What other modules keep of a person is removed by a step of theirs.
  const steps: RemovalStep[] = [createIdentityRemoval({ database, store: removalStore, trace, clock })];
  const removals = createRemovals({ database, store: removalStore, steps, clock, log });
  const deleteAccount = createDeleteAccount({ database, people, lockOut, removals, trace, clock });

  const tenantPeople = createTenantPeople({
    database,
    store: people,
    lockOut,
    passwords,
    tokens,
    makePerson,
    deleteAccount,
    denials,
    trace,
    clock,
    defaultTenantId: tenantId,
  });
  const oauth = createOauth({ ...needs, accessTokens, sessions, sessionStore, people, scopesNow, publicUrl });

  // A session is kept until no access token of it can be out, so that ending it can still be told to other processes.
  const cleaning = [
    { remove: sessionStore.removeExpiredRefreshTokens, keptMs: 0 },
    { remove: sessionStore.removeExpiredSessions, keptMs: accessTokenTtlMs + dayMs },
    { remove: sessionStore.removeEndedSessions, keptMs: accessTokenTtlMs + dayMs },
    { remove: idempotencyKeys.removeExpiredKeys, keptMs: 0 },
    { remove: keyStore.removeExpiredKeys, keptMs: 0 },
    // Kept a while, so that a device that was away is told why it has to begin anew (RFC 8628 §3.5, `expired_token`).
    ...createExpiryStore(database).removals.map((remove) => ({ remove, keptMs: hourMs })),
  ];

  return {
    authenticate,
    judge: denials.judge,
    routes: identityRoutes({
      ...{ sessions, services, devices, pairings, tenants, tenantPeople, setUp, keys, authenticate, clock },
      ...{ signUp, passwordActs, provePassword, changeProfile, deleteAccount, me },
      ...oauth,
    }),
    ensureFirstOperator: setUp.ensureFirstOperator,
    idempotency: createIdempotency({ database, store: idempotencyKeys, seal, clock }),
    passwords,
    guessing,
    audiencesOf: createAudiencesOf(people),
    audiencesOfOwner: createAudiencesOfOwner(people, serviceStore),
    isSuspended: denials.isSuspended,
    quotasOf: createQuotasOf({ tenants: tenantStore, clock }),
    removeAlso: (step) => void steps.push(step),
    defaultTenantId: async () => tenantId,
    startWorkers: () => [
      post.startWorker(),
      removals.startWorker(),
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
