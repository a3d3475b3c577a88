import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openKeys } from '../compose.ts';
import { badConfigExitCode, printComplaints, readSettings } from '../config/read-config.ts';
import { readSecretKey } from '../config/secret-key-file.ts';
import type { Settings } from '../config/settings.ts';
import { DatabaseUnusable } from '../database/database.ts';
import { DataIsNewer } from '../database/migrate.ts';
import { Unavailable } from '../foundation/problem.ts';
import { WrongSecretKey } from '../foundation/secret.ts';
import { badUsageExitCode, type Command } from './command.ts';

/** EX_UNAVAILABLE of sysexits: the data cannot be had. */
const noDataExitCode = 69;

type Ring = Awaited<ReturnType<typeof openKeys>>;
type Seen = ReturnType<Ring['list']>[number];

/** `entrepot keys list|rotate`: the keys that sign access tokens. Works on the data of the server that has the same settings. */
export const keys: Command = async (args, env) => {
  const { values: options, positionals } = parseArgs({
    args: [...args],
    options: { json: { type: 'boolean', default: false }, now: { type: 'boolean', default: false } },
    allowPositionals: true,
  });
  const [act, ...rest] = positionals;
  if ((act !== 'list' && act !== 'rotate') || rest.length > 0 || (act === 'list' && options.now)) {
    process.stderr.write('entrepot keys: say what to do: list [--json], rotate, or rotate --now\n');
    return badUsageExitCode;
  }
  const read = readSettings(env);
  if ('complaints' in read) {
    process.stderr.write(printComplaints(read.complaints));
    return badConfigExitCode;
  }
  try {
    await onRing(read.settings, async (ring) => {
      if (act === 'list') process.stdout.write(options.json ? `${JSON.stringify(ring.list(), undefined, 2)}\n` : printKeys(ring.list()));
      else process.stdout.write(printRotation(await ring.rotate(options.now ? 'now' : 'gently'), options));
    });
    return 0;
  } catch (error) {
    if (!isExpected(error)) throw error;
    process.stderr.write(`entrepot keys: ${error.message}\n`);
    return noDataExitCode;
  }
};

class NoDataYet extends Error {}

const isExpected = (error: unknown): error is Error =>
  [NoDataYet, WrongSecretKey, DatabaseUnusable, DataIsNewer, Unavailable].some((kind) => error instanceof kind);

/** Nothing is made here that a server has not made: in a wrong folder the keys of nobody would be rotated, without a word. */
const onRing = async (settings: Settings, act: (ring: Ring) => Promise<void>) => {
  const [, file] = /^sqlite:(.+)$/.exec(settings.databaseUrl) ?? [];
  if (file !== undefined && !existsSync(file)) throw new NoDataYet(`There is no database ${file}: is ENTREPOT_DATA that of the server?`);
  const ring = await openKeys(settings, { secretKey: settings.secretKey ?? readSecretKey(settings.data) });
  try {
    await act(ring);
  } finally {
    await ring.close();
  }
};

const printKeys = (all: readonly Seen[]): string =>
  all
    .map(
      ({ id, state, createdAt, signsUntil, verifiesUntil }) =>
        `${id}  ${state.padEnd(8)}  made ${createdAt}  signs until ${signsUntil}  verifies until ${verifiesUntil}\n`,
    )
    .join('');

const printRotation = ({ id }: Seen, { now, json }: { now: boolean; json: boolean }): string => {
  if (json) return `${JSON.stringify({ id })}\n`;
  return now
    ? `${id} signs from now on. The keys before are gone: running servers refuse what they signed within 2 seconds; clients refresh and go on.\n`
    : `${id} is published, and signs in 5 seconds. What the key before has signed stays good.\n`;
};
