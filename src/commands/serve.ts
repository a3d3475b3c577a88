import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { compose, type System } from '../compose.ts';
import { badConfigExitCode, printComplaints, readSettings } from '../config/read-config.ts';
import { readSecretKey } from '../config/secret-key-file.ts';
import type { Settings } from '../config/settings.ts';
import { claimDataFolder, DataFolderInUse } from '../database/data-folder.ts';
import { DatabaseUnusable } from '../database/database.ts';
import { DataIsNewer } from '../database/migrate.ts';
import { giveBackMemory } from '../foundation/memory.ts';
import { Problem, Unavailable } from '../foundation/problem.ts';
import { WrongSecretKey } from '../foundation/secret.ts';
import { createMetricsServer } from '../http/metrics-routes.ts';
import { createLog } from '../telemetry/pino-log.ts';
import type { Command } from './command.ts';
import { welcome } from './welcome.ts';

/** When the start is surely over, warm-ups included. */
const settleMs = 2_500;
/** After this a stop is done, whatever is still open. */
const stopLimitMs = 9_500;
/** EX_UNAVAILABLE of sysexits: it cannot start as things stand. */
const cannotStartExitCode = 69;

/** `entrepot serve`: runs until a signal ends it. Exit code 0 after a clean stop, 78 for wrong settings, 69 when the data cannot be had. */
export const serve: Command = async (args, env) => {
  parseArgs({ args: [...args] });
  const read = readSettings(env);
  if ('complaints' in read) {
    process.stderr.write(printComplaints(read.complaints));
    return badConfigExitCode;
  }
  const { settings } = read;
  const log = createLog({ level: settings.logLevel, pretty: process.stdout.isTTY === true, replica: settings.replica });
  try {
    const folder = claimDataFolder(settings.data);
    const system = await compose(settings, { log, version: versionOf(), secretKey: settings.secretKey ?? readSecretKey(settings.data) });
    const url = await listen(system, settings);
    const metricsServer = await listenForMetrics(system, settings, log);
    system.start();
    welcome({ url, settings, setUpToken: system.setUpToken, isTerminal: process.stdout.isTTY === true });
    log.info({ url, data: settings.data, role: settings.role, startMs: Math.round(performance.now()) }, 'server.listening');
    setTimeout(giveBackMemory, settleMs).unref();
    const signal = await firstSignal();
    log.info({ signal }, 'server.stopping');
    await stop(system, () => log.flush());
    metricsServer?.close();
    folder.release();
    log.info({}, 'server.stopped');
    log.flush();
    return 0;
  } catch (error) {
    log.flush();
    if (!isExpected(error)) throw error;
    process.stderr.write(`entrepot: ${error.message}\n`);
    return cannotStartExitCode;
  }
};

/** What a person can mend; everything else is a fault of ours and shows its stack. */
const isExpected = (error: unknown): error is Error =>
  error instanceof DataFolderInUse ||
  error instanceof DataIsNewer ||
  error instanceof DatabaseUnusable ||
  error instanceof Problem ||
  error instanceof Unavailable ||
  error instanceof WrongSecretKey ||
  (error instanceof Error && ('syscall' in error || 'errcode' in error)); // of the operating system, or of SQLite

const listen = async ({ app, stop }: System, { host, port }: Settings): Promise<string> => {
  try {
    return await app.listen({ host, port });
  } catch (error) {
    await stop();
    throw error;
  }
};

const listenForMetrics = async ({ metrics }: System, settings: Settings, log: Parameters<typeof createMetricsServer>[0]['log']) => {
  if (typeof settings.metrics === 'string') return undefined;
  const { host, port } = settings.metrics;
  const server = createMetricsServer({ metrics, log });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const address = server.address() as AddressInfo; // it listens on a port, not on a pipe
  log.info({ host, port: address.port }, 'metrics.listening');
  return server;
};

const versionOf = (): string => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
  return version;
};

/** SIGHUP comes when the terminal is closed. */
const stopSignals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

const firstSignal = () =>
  new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of stopSignals) process.once(signal, resolve);
  });

/** Within the limit; a second signal ends the process at once. */
const stop = async (system: System, flush: () => void) => {
  const leave = (code: number) => {
    flush();
    process.exit(code);
  };
  for (const signal of stopSignals) process.once(signal, () => leave(130));
  const limit = setTimeout(() => leave(0), stopLimitMs);
  system.refuse();
  await system.stop();
  clearTimeout(limit);
};
