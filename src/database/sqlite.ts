import { Unavailable } from '../foundation/problem.ts';
import type { Database, Trx, Write, WriteResult } from './database.ts';
import { buildOnly, queriesOver } from './sqlite-queries.ts';
import { errorOf, SqliteThread } from './sqlite-thread.ts';

/** How long SQLite itself waits for a lock that another process holds. */
const busyTimeoutMs = 1_500;
/** More acts than this are not kept waiting: the disk is too slow for what comes in. */
const maxWaitingActs = 50_000;
/** A group's size bounds how long its first act waits for its last. */
const maxActsInGroup = 512;
/** The writer is held this long at the most. */
const defaultTransactionLimitMs = 10_000;
/** So many groups lie with the writer already while it commits one, so that it never has to wait for this thread … */
const mostAhead = 1;
/** … if they have so many rows: smaller ones had better share a commit with what comes meanwhile. */
const worthGoingAhead = 24;
const readerCount = 2;
/** Starting a thread takes as long as some hundred short queries: a few that wait for each other are no reason. */
const busyReaderLoad = 32;
const slowReadMs = 25;
/** A reader beyond the first that was not needed for so long ends: it takes some 10 MiB. */
const readerRestMs = 3_000;

interface WaitingAct {
  readonly writes: readonly Write[];
  resolve(results: readonly WriteResult[]): void;
  reject(error: unknown): void;
}

interface WaitingTransaction {
  run(): Promise<void>;
}

const rowsOf = (writes: readonly Write[]): number => writes.reduce((rows, write) => rows + ('rows' in write ? write.rows.length : 1), 0);

/**
 * SQLite with one writer and some readers, each in its thread. Group commit: acts that arrive while a commit runs wait for it and
 * then share the next one; when nothing is in flight an act goes at once.
 */
export const openSqlite = async (
  file: string,
  { transactionLimitMs = defaultTransactionLimitMs }: { transactionLimitMs?: number } = {},
): Promise<Database> => {
  const writer = new SqliteThread({ file, role: 'writer', busyTimeoutMs });
  await writer.open();
  const newReader = () => new SqliteThread({ file, role: 'reader', busyTimeoutMs });
  const firstReader = newReader();
  const readers = [firstReader, ...Array.from({ length: readerCount - 1 }, newReader)];

  const queue: (WaitingAct | WaitingTransaction)[] = [];
  let groupsUnderWay = 0;
  let isInTransaction = false;
  let furtherReadersNeeded = false;
  let onIdle = () => {};
  let closing: Promise<void> | undefined;

  const takeGroup = (): WaitingAct[] => {
    const group: WaitingAct[] = [];
    for (let next = queue[0]; next && 'writes' in next && group.length < maxActsInGroup; next = queue[0]) {
      group.push(next);
      queue.shift();
    }
    return group;
  };

  const commitGroup = async (group: readonly WaitingAct[]) => {
    try {
      const result = await writer.call({ kind: 'group', acts: group.map((act) => act.writes) });
      if (result.kind !== 'group') throw new Error(`The writer answered ${result.kind} to a group.`);
      for (const [index, act] of group.entries()) {
        const outcome = result.outcomes[index];
        if (outcome && 'kind' in outcome) act.reject(errorOf(outcome));
        else act.resolve(outcome ?? []);
      }
    } catch (error) {
      for (const act of group) act.reject(error);
    }
  };

  const mayGo = () => {
    if (isInTransaction || groupsUnderWay > mostAhead) return false;
    return groupsUnderWay === 0 || queue.reduce((rows, item) => rows + ('writes' in item ? rowsOf(item.writes) : 0), 0) >= worthGoingAhead;
  };

  /** Hands as much to the writer as it may have. A transaction is alone with it. */
  const pump = () => {
    for (let next = queue[0]; next && mayGo(); next = queue[0]) {
      if ('writes' in next) {
        groupsUnderWay += 1;
        void commitGroup(takeGroup()).then(() => {
          groupsUnderWay -= 1;
          pump();
        });
      } else {
        if (groupsUnderWay > 0) return;
        isInTransaction = true;
        queue.shift();
        void next.run().then(() => {
          isInTransaction = false;
          pump();
        });
      }
    }
    if (groupsUnderWay === 0 && !isInTransaction) onIdle();
  };

  const assertOpen = () => {
    if (closing) throw new Unavailable('The database is closed.');
  };

  const enqueue = (item: WaitingAct | WaitingTransaction) => {
    assertOpen();
    if (queue.length >= maxWaitingActs) throw new Unavailable('The database cannot keep up.');
    queue.push(item);
    pump();
  };

  const inTransaction = async <T>(act: (trx: Trx) => Promise<T>, limitMs: number): Promise<T> => {
    let isOpen = true;
    const run = async (writes: readonly Write[]) => {
      if (!isOpen) throw new Error('The transaction is over.');
      return await writer.rows({ kind: 'run', writes });
    };
    const query = queriesOver(async (sql, parameters) => {
      const [result] = await run([{ sql, parameters }]);
      return result ?? { rows: [], changes: 0 };
    });
    await writer.call({ kind: 'begin' });
    try {
      const result = await within(limitMs, act({ query, run }));
      isOpen = false;
      await writer.call({ kind: 'commit' });
      return result;
    } catch (error) {
      isOpen = false;
      await writer.call({ kind: 'rollback' }).catch(() => undefined); // a thread that died has undone it already
      throw error;
    }
  };

  /** A reader is a thread, and a thread costs memory: the next one starts when those before have much to do, or are long at something. */
  const readFrom = () => {
    assertOpen();
    const least = readers.filter(({ isStarted }) => isStarted).reduce((one, other) => (other.load < one.load ? other : one), firstReader);
    if (least.load < busyReaderLoad && least.waitingMs < slowReadMs) return least;
    furtherReadersNeeded = true;
    return readers.find(({ isStarted }) => !isStarted) ?? least;
  };

  const resting = setInterval(() => {
    if (!furtherReadersNeeded) for (const reader of readers) if (reader !== firstReader) reader.rest();
    furtherReadersNeeded = false;
  }, readerRestMs).unref();

  const read = queriesOver(async (sql, parameters) => {
    const [result] = await readFrom().rows({ kind: 'query', sql, parameters });
    return result ?? { rows: [], changes: 0 };
  });

  const close = async () => {
    clearInterval(resting);
    await new Promise<void>((resolve) => {
      onIdle = resolve;
      pump();
    });
    await Promise.all([...readers, writer].map((thread) => thread.close()));
  };

  const write = (writes: readonly Write[]) =>
    new Promise<readonly WriteResult[]>((resolve, reject) => enqueue({ writes, resolve, reject }));

  return {
    read,
    build: buildOnly(),
    write,
    transaction: (act, { limitMs } = { limitMs: transactionLimitMs }) =>
      new Promise((resolve, reject) => enqueue({ run: () => inTransaction(act, limitMs).then(resolve, reject) })),
    async check() {
      await readFrom().rows({ kind: 'query', sql: 'SELECT 1', parameters: [] });
      await write([{ sql: 'UPDATE "migrations" SET "version" = "version" WHERE "version" = 1', parameters: [] }]);
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
};

const within = async <T>(limitMs: number, work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unavailable('The transaction took too long.')), limitMs);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
};
