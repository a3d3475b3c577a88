import { randomUUID } from 'node:crypto';
import { openBlobStore } from './blobs/open-blob-store.ts';
import type { Settings } from './config/settings.ts';
import type { Database } from './database/database.ts';
import { openDatabase } from './database/open-database.ts';
import { createClock } from './foundation/clock.ts';
import { createIds } from './foundation/ids.ts';
import type { Log } from './foundation/log.ts';
import { createSeal, type Secret } from './foundation/secret.ts';
import { createBell, type Worker } from './foundation/work.ts';
import { type App, createServer } from './http/server.ts';
import { openIntake } from './intake/open-intake.ts';
import { openLimiter } from './limits/open-limiter.ts';
import { openMailer } from './mail/open-mailer.ts';
import { createDelivery } from './modules/delivery/delivery.ts';
import { deliveryRoutes } from './modules/delivery/delivery-routes.ts';
import { flowRoutes } from './modules/delivery/flow-routes.ts';
import { targetRoutes } from './modules/delivery/target-routes.ts';
import { eventRoutes } from './modules/events/event-routes.ts';
import { createEvents, createEventTraceStore } from './modules/events/events.ts';
import { createLiveView } from './modules/events/live.ts';
import { createFiles } from './modules/files/files.ts';
import { filesRoutes } from './modules/files/files-routes.ts';
import { createEdgeCheck } from './modules/identity/credentials/edge-key.ts';
import { createIdentity } from './modules/identity/identity.ts';
import { type KeyRing, openKeyRing } from './modules/identity/sessions/key-ring.ts';
import { createTrace } from './modules/trace/trace.ts';
import { traceRoutes } from './modules/trace/trace-routes.ts';
import { openScanner } from './scan/open-scanner.ts';
import { createMetrics, type Metrics } from './telemetry/metrics.ts';

/** The whole system, ready to listen. */
export interface System {
  readonly app: App;
  readonly metrics: Metrics;
  /** The one-time token with which the first operator is set up, while there is none. */
  readonly setUpToken: string | undefined;
  /** Starts what works in the background. */
  start(): void;
  /** From here on new requests are refused. */
  refuse(): void;
  /** Ends requests, background work and connections, in this order. Resolves when nothing is left. */
  stop(): Promise<void>;
}

/** Config → capabilities → modules → the server and its workers. Rejects when the data cannot be opened; nothing is left open then. */
export const compose = async (
  settings: Settings,
  { log, version, secretKey }: { log: Log; version: string; secretKey: Secret },
): Promise<System> => {
  const clock = createClock();
  const ids = createIds(clock.now);
  const seal = createSeal(secretKey);
  const metrics = createMetrics();
  let isStopping = false;

  const database = await openDatabase({ url: settings.databaseUrl, clock });
  try {
    const limiter = await openLimiter({ url: settings.limitsUrl, clock });
    const mailer = openMailer(settings.mailUrl.reveal(), { from: settings.mailFrom, print: (text) => void process.stdout.write(text) });
    const blobs = await openBlobStore({ url: settings.blobsUrl, clock });
    const arrived = createBell(clock);

    const eventTrace = createEventTraceStore(database);
    const trace = createTrace({ database, source: eventTrace });
    const identity = await createIdentity({ database, trace, clock, ids, log, seal, limiter, mailer, settings });
    const { events, intake } = createEvents({
      database,
      trace,
      clock,
      ids,
      arrived,
      openIntake: (writer) => openIntake(settings.intakeUrl, { writer, clock }),
    });
    const isAlone = settings.databaseUrl.startsWith('sqlite:');
    const files = createFiles({
      database,
      blobs,
      scanner: openScanner(settings.scanUrl),
      identity,
      events,
      trace,
      clock,
      ids,
      seal,
      log,
      isAlone,
      settings,
    });
    const delivery = createDelivery({
      database,
      events,
      trace,
      clock,
      ids,
      log,
      seal,
      arrived,
      chance: Math.random,
      holder: `${settings.replica}/${randomUUID()}`,
      isAlone,
      outboundAllow: settings.outboundAllow,
      retentionMs: settings.retentionMs,
    });

    // Whatever may refuse the start comes before anything that runs by itself.
    const { setUpToken } = await identity.ensureFirstOperator(settings.operator);
    if (settings.targetGraphqlUrl !== undefined) {
      const { targetGraphqlUrl: url, targetRate: rate, targetRetries: retries, targetEnrich: enrich } = settings;
      await delivery.ensureTargetFromSettings(await identity.defaultTenantId(), { url, rate, retries, enrich });
    }

    const live = createLiveView({ trace, eventTrace, events, judge: identity.judge, clock, log });
    const app = createServer({
      log,
      clock,
      ids,
      authenticate: identity.authenticate,
      idempotency: identity.idempotency,
      metricsToken: settings.metricsToken,
      servesMetrics: settings.metrics === 'main',
      corsOrigins: settings.corsOrigins,
      trustedProxies: settings.trustedProxies,
      publicUrl: settings.publicUrl,
      version,
      checks: { database: database.check, blobs: blobs.check },
      isStopping: () => isStopping,
      isThroughEdge: createEdgeCheck(settings.edgeKeys),
      metrics,
    });
    if (settings.role !== 'worker') {
      const intakeLimit = settings.intakeLimit && {
        name: 'intake',
        limit: settings.intakeLimit.requests,
        windowMs: settings.intakeLimit.intervalMs,
      };
      app.register(identity.routes);
      app.register(eventRoutes({ events, live, deliveriesOf: delivery.summariesOf, limiter, intakeLimit }), { prefix: '/v1/events' });
      app.register(filesRoutes(files));
      app.register(targetRoutes(delivery), { prefix: '/v1/targets' });
      app.register(deliveryRoutes({ delivery }), { prefix: '/v1/deliveries' });
      app.register(traceRoutes({ trace }), { prefix: '/v1/trace' });
      app.register(flowRoutes({ delivery }), { prefix: '/v1' });
    }
    showDeliveries(metrics, delivery.counts);
    showMissingBytes(metrics, files.missingBytes);

    const workers: Worker[] = [];
    return {
      app,
      metrics,
      setUpToken,
      start() {
        workers.push(...identity.startWorkers(), live.worker);
        if (settings.role !== 'api') workers.push(...files.startWorkers(), ...delivery.startWorkers());
      },
      refuse() {
        isStopping = true;
      },
      async stop() {
        isStopping = true;
        await live.worker.stop();
        await closeRequests(app);
        await files.close();
        await intake.close();
        await Promise.all(workers.map((worker) => worker.stop()));
        await delivery.close();
        await mailer.close();
        await database.close();
      },
    };
  } catch (error) {
    await closeQuietly(database);
    throw error;
  }
};

/** Requests that are under way when the server stops may take this long to end. */
const requestBudgetMs = 2_000;

/** Who has connected and asks for nothing, or is still sending, must not keep deliveries from being ended in good order: it is cut off then. */
const closeRequests = async (app: App) => {
  const cutOff = setTimeout(() => app.server.closeAllConnections(), requestBudgetMs);
  await app.close();
  clearTimeout(cutOff);
};

/**
 * The signing keys alone, for the command line, also beside a running server. `rotate` is traced in the tenant of the operator. Rejects
 * when the data cannot be opened, with `WrongSecretKey` where the keys cannot be read.
 */
export const openKeys = async (settings: Settings, { secretKey }: { secretKey: Secret }): Promise<KeyRing> => {
  const clock = createClock();
  const database = await openDatabase({ url: settings.databaseUrl, clock });
  try {
    const { accessTokenTtlMs } = settings;
    return await openKeyRing({
      database,
      trace: createTrace({ database }),
      clock,
      ids: createIds(clock.now),
      seal: createSeal(secretKey),
      accessTokenTtlMs,
    });
  } catch (error) {
    await closeQuietly(database);
    throw error;
  }
};

const showDeliveries = (metrics: Metrics, counts: () => Promise<readonly { targetId: string; state: string; amount: number }[]>) => {
  metrics.gauge({ name: 'entrepot_deliveries', help: 'Deliveries by target and state.', labels: ['target', 'state'] }, async (set) => {
    for (const { targetId, state, amount } of await counts()) set(amount, { target: targetId, state });
  });
};

/** Anything but 0 is a loss: a person has to look. */
const showMissingBytes = (metrics: Metrics, missing: () => number | undefined) => {
  const help = 'Files whose bytes were not there when the sweeper last looked.';
  metrics.gauge({ name: 'entrepot_files_missing_bytes', help }, (set) => {
    const amount = missing();
    if (amount !== undefined) set(amount);
  });
};

const closeQuietly = async (database: Database) => {
  await database.close().catch(() => undefined); // the error that brought us here is the one to tell
};
