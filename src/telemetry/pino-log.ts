import { createRequire } from 'node:module';
import { type DestinationStream, type Level, type Logger, pino, stdSerializers } from 'pino';
import { createClock, toRfc3339 } from '../foundation/clock.ts';
import type { Log } from '../foundation/log.ts';
import { openBatchedOutput } from './batched-output.ts';

/** What must never be logged, whatever field somebody puts it in; compared in lower case without `-` and `_`. */
const hiddenNames = new Set([
  'authorization',
  'cookie',
  'setcookie',
  'password',
  'secret',
  'token',
  'pin',
  'refreshtoken',
  'accesstoken',
  'secretkey',
  'privatekey',
  'edgekey',
  'xedgekey',
]);
/** Deeper than this nothing is logged at all, so that a cycle ends. */
const deepest = 8;

export interface LogOptions {
  readonly level: Level | 'silent';
  /** For eyes: one short line each, in colour. Where pino-pretty is not installed, JSON all the same. */
  readonly pretty: boolean;
  readonly replica: string;
  /** Takes the lines instead of standard output. */
  readonly destination?: DestinationStream;
}

/**
 * The log of the process: lines of JSON on standard output, written in batches off the event loop. A fatal line and the end of
 * the process write what is waiting at once; `flush` does it by hand and returns when it is written.
 */
export const createLog = ({ level, pretty, replica, destination }: LogOptions): Log & { flush(): void } => {
  const clock = createClock();
  const output =
    destination ?? (pretty ? openTerminal() : undefined) ?? openBatchedOutput(1, (dropped) => log.warn({ dropped }, 'log.dropped'));
  const log: Logger = pino(
    {
      level,
      base: { replica },
      messageKey: 'message',
      timestamp: () => `,"time":"${toRfc3339(clock.now())}"`,
      formatters: { level: (label) => ({ level: label }), log: (fields) => hideSecrets(fields, 0) },
      serializers: { err: (error: unknown) => hideSecrets(describeError(error), 0) },
    },
    output,
  );
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => {
      const line = log.isLevelEnabled('info') ? plainLine({ replica, now: clock.now() }, fields, message) : undefined;
      if (line === undefined) log.info(fields, message);
      else output.write(line);
    },
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    fatal: (fields, message) => log.fatal(fields, message),
    flush() {
      if ('flushSync' in output && typeof output.flushSync === 'function') output.flushSync();
    },
  };
};

/**
 * The line that pino would print, made in half the time: of each request and each try of a delivery there is one. `undefined` for what
 * only pino can print: errors, cycles, big integers.
 */
const plainLine = (from: { replica: string; now: number }, fields: object, message: string): string | undefined => {
  if (fields instanceof Error || 'err' in fields) return undefined;
  try {
    const text = JSON.stringify({ replica: from.replica, ...hideSecrets(fields, 0), message });
    return `{"level":"info","time":"${toRfc3339(from.now)}",${text.slice(1)}\n`;
  } catch {
    return undefined;
  }
};

/** Colours and short lines; `undefined` where pino-pretty is not installed, as in a deployment without development packages. */
const openTerminal = (): DestinationStream | undefined => {
  const require = createRequire(import.meta.url);
  try {
    const openPretty: typeof import('pino-pretty') = require('pino-pretty');
    return openPretty({
      colorize: true,
      messageKey: 'message',
      translateTime: 'SYS:HH:MM:ss.l',
      ignore: 'replica',
      singleLine: true,
      sync: true,
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
};

/** Type, message and stack, with those of its causes, and what else the error carries. */
const describeError = (error: unknown): unknown => (error instanceof Error ? stdSerializers.errWithCause(error) : error);

/** The same value while it holds no secret, which costs one look at each name; else a copy with the secrets covered. */
const hideSecrets = <Value>(value: Value, depth: number): Value => {
  if (!isPlain(value)) return value;
  if (depth > deepest) return '[too deep]' as Value; // only printed, never used as a Value
  let copy: Record<string, unknown> | undefined;
  for (const name of Object.keys(value)) {
    const before = value[name];
    const after = isHidden(name, before) ? '[hidden]' : hideSecrets(before, depth + 1);
    if (after === before) continue;
    copy ??= (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>; // an array is copied by its indices
    copy[name] = after;
  }
  return (copy ?? value) as Value; // of the same shape, save for what is hidden
};

const isHidden = (name: string, value: unknown): boolean => value !== undefined && value !== null && isHiddenName(name);

/** Lines have few names, always the same, and looking one up is a tenth of working it out. */
const judgedNames = new Map<string, boolean>();
const mostNamesKept = 1_000;

const isHiddenName = (name: string): boolean => {
  const known = judgedNames.get(name);
  if (known !== undefined) return known;
  const judged = hiddenNames.has(name.toLowerCase().replace(/[-_]/g, ''));
  if (judgedNames.size < mostNamesKept) judgedNames.set(name, judged);
  return judged;
};

/** What can be looked into: not what says itself how it is printed (Secret, Date, Buffer). */
const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !('toJSON' in value && typeof value.toJSON === 'function');
