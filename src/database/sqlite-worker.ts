import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import { giveBackMemory } from '../foundation/memory.ts';

import type { WriteResult } from './database.ts';
import { addSignFunctions } from './sqlite-functions.ts';
import {
  type SentWrite,
  type SqliteFailure,
  type SqliteGroup,
  type SqliteReply,
  type SqliteRequest,
  type SqliteThreadData,
  WriteWasRefused,
} from './sqlite-messages.ts';

// One connection in a thread of its own, so that SQL and fsync never hold up the event loop. The writer takes whole groups of
// acts and commits them together: one fsync for many acknowledgements.

const { file, role, busyTimeoutMs } = workerData as SqliteThreadData; // set by sqlite-thread.ts alone

const openConnection = (): DatabaseSync => {
  const opened = new DatabaseSync(file, { readOnly: role === 'reader', timeout: busyTimeoutMs });
  opened.exec('PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;');
  if (role === 'reader') return opened;
  addSignFunctions(opened);
  opened.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 4000;',
  );
  // WAL with a lower level may roll back committed transactions after a power cut: a 2xx would not be durable.
  const { journal_mode: journal } = opened.prepare('PRAGMA journal_mode').get() ?? {};
  const { synchronous } = opened.prepare('PRAGMA synchronous').get() ?? {};
  if (journal !== 'wal' || synchronous !== 2) {
    throw new Error(`SQLite does not give what durability needs: journal_mode ${journal} (wal), synchronous ${synchronous} (2).`);
  }
  return opened;
};

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

const maxPreparedStatements = 400;
const prepared = new Map<string, Prepared>();
let connection: DatabaseSync;
/** Set after a failed fsync: what the file holds is no longer known, so nothing more is claimed to be written. */
let brokenBy: SqliteFailure | undefined;

const prepare = (sql: string): Prepared => {
  const known = prepared.get(sql);
  if (known) return known;
  if (prepared.size >= maxPreparedStatements) prepared.clear();
  const statement = connection.prepare(sql);
  const made = { statement, returnsRows: statement.columns().length > 0 };
  prepared.set(sql, made);
  return made;
};

const texts: string[] = [];

/** The text that was given the number when it came first. */
const textOf = (sql: string | number): string => (typeof sql === 'string' ? sql : (texts[sql] ?? ''));

type Values = Parameters<StatementSync['run']>;

const runOne = ({ statement, returnsRows }: Prepared, values: readonly unknown[]): WriteResult => {
  const bound = values as Values; // parameters are made by Kysely from typed rows: strings, numbers, null, bytes
  if (!returnsRows) return { rows: [], changes: Number(statement.run(...bound).changes) };
  const rows = statement.all(...bound) as Record<string, unknown>[]; // without named parameters rows are objects
  return { rows, changes: rows.length };
};

/** Carries out the writes of one act in order, inside the transaction or savepoint that stands around them. */
const runWrites = (writes: readonly SentWrite[]): WriteResult[] =>
  writes.map((write) => {
    const statement = prepare(textOf(write.sql));
    const rows: Record<string, unknown>[] = [];
    const unchanged: number[] = [];
    let changes = 0;
    const list = 'rows' in write ? write.rows : [write.parameters];
    for (let index = 0; index < list.length; index += 1) {
      const one = runOne(statement, list[index] ?? []);
      if (one.changes === 0) unchanged.push(index);
      changes += one.changes;
      for (const row of one.rows) rows.push(row);
    }
    if (write.mustChange !== undefined && write.mustChange !== changes) throw new WriteWasRefused();
    return unchanged.length === 0 ? { rows, changes } : { rows, changes, unchanged };
  });

const ioErrorOnFsync = 1034;
const ioErrorOnFolderFsync = 1290;

const toFailure = (error: unknown): SqliteFailure => {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof WriteWasRefused) return { kind: 'refused', message };
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0;
  const failure = { message, code } as const;
  if (code === ioErrorOnFsync || code === ioErrorOnFolderFsync) {
    brokenBy = { kind: 'unavailable', message: `fsync failed (${message}); the server must be started again`, code };
    return brokenBy;
  }
  if (code === 2067 || code === 1555) return { kind: 'unique', ...failure };
  // BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN: the file cannot be used now; every other error is a fault of ours.
  if ([5, 6, 8, 10, 13, 14].includes(code & 0xff)) return { kind: 'unavailable', ...failure };
  return { kind: 'fault', ...failure };
};

const rollback = () => {
  if (connection.isTransaction) connection.exec('ROLLBACK');
};

const diskIsFull = 13;

/** Moves what stands in the write-ahead log into the database, so that the log begins anew in the room that it has already. */
const reuseLog = () => {
  try {
    connection.exec('PRAGMA wal_checkpoint(PASSIVE)');
  } catch {
    // No room for that either: the next write that finds the disk full tries again.
  }
};

type Outcome = readonly WriteResult[] | SqliteFailure;

/** One act among several of a group: its own savepoint, so that its failure undoes it alone. */
const runAct = (writes: readonly SentWrite[]): Outcome => {
  connection.exec('SAVEPOINT act');
  try {
    const results = runWrites(writes);
    connection.exec('RELEASE act');
    return results;
  } catch (error) {
    // On a full disk SQLite may have undone the whole transaction by itself; then no act of the group stands.
    if (!connection.isTransaction) throw error;
    connection.exec('ROLLBACK TO act; RELEASE act');
    return toFailure(error);
  }
};

const runGroup = ({ acts, texts: come }: SqliteGroup): Outcome[] => {
  for (const { number, sql } of come) texts[number] = sql; // whatever becomes of the group
  if (brokenBy) {
    const failure = brokenBy;
    return acts.map(() => failure);
  }
  try {
    connection.exec('BEGIN IMMEDIATE');
    const outcomes = acts.length === 1 ? [runWrites(acts[0] ?? [])] : acts.map(runAct);
    connection.exec('COMMIT');
    return outcomes;
  } catch (error) {
    const failure = toFailure(error);
    rollback();
    if (failure.code === diskIsFull) reuseLog();
    return acts.map(() => failure);
  }
};

/**
 * A thread that took over from one that died knows nothing of its transaction, and after some errors of the disk SQLite undoes one by
 * itself: what is left of it must not be written alone.
 */
const transactionLost: SqliteReply['result'] = { kind: 'failure', failure: { kind: 'unavailable', message: 'the transaction was lost' } };

const answer = (request: SqliteRequest): SqliteReply['result'] => {
  switch (request.kind) {
    case 'group':
      return { kind: 'group', outcomes: runGroup(request) };
    case 'query':
      return { kind: 'rows', results: [runOne(prepare(request.sql), request.parameters)] };
    case 'run':
      if (!connection.isTransaction) return transactionLost;
      return { kind: 'rows', results: runWrites(request.writes) };
    case 'begin':
      if (brokenBy) return { kind: 'failure', failure: brokenBy };
      connection.exec('BEGIN IMMEDIATE');
      return { kind: 'done' };
    case 'commit':
      if (!connection.isTransaction) return transactionLost;
      connection.exec('COMMIT');
      return { kind: 'done' };
    case 'rollback':
      rollback();
      return { kind: 'done' };
    case 'close':
      prepared.clear();
      connection.close();
      return { kind: 'done' };
    default:
      return request satisfies never;
  }
};

const port = parentPort;
if (!port) throw new Error('This file runs as a worker thread.');

/** When the start is surely over. */
const settleMs = 2_000;

const respond = (id: number, result: SqliteReply['result']) => port.postMessage({ id, result } satisfies SqliteReply);

try {
  connection = openConnection();
  respond(0, { kind: 'done' });
  setTimeout(giveBackMemory, settleMs).unref();
} catch (error) {
  respond(0, { kind: 'failure', failure: toFailure(error) });
}

port.on('message', (request: SqliteRequest) => {
  try {
    respond(request.id, answer(request));
  } catch (error) {
    if (request.kind === 'commit' || request.kind === 'begin') rollback();
    respond(request.id, { kind: 'failure', failure: toFailure(error) });
  }
  if (request.kind === 'close') port.close();
});
