import type { Kysely } from 'kysely';
import type { Tables } from './tables.ts';

/** One SQL statement with its values, as Kysely's `compile()` gives it. */
export interface Statement {
  readonly sql: string;
  readonly parameters: readonly unknown[];
  /** When given and another number of rows changes, the whole act is undone and rejected with `WriteRefused`. */
  readonly mustChange?: number;
}

/** One statement run once for each row of values. */
export interface RepeatedStatement {
  readonly sql: string;
  readonly rows: readonly (readonly unknown[])[];
  readonly mustChange?: number;
}

/** Writes are values: stores return them, an act collects them, the database carries them out together. */
export type Write = Statement | RepeatedStatement;

/** What a write did. `rows` are those of its RETURNING clause; `changes` counts rows changed, over all repetitions. */
export interface WriteResult {
  readonly rows: readonly Record<string, unknown>[];
  readonly changes: number;
  /** Of a repeated statement, the indices of the rows that changed nothing; absent where every row changed something. */
  readonly unchanged?: readonly number[];
}

/** A transaction that looks before it writes. Holds the one writer, so it must be short. */
export interface Trx {
  /** Reads and writes inside the transaction. */
  readonly query: Kysely<Tables>;
  /** Carries out writes that other stores made, inside the transaction. */
  run(writes: readonly Write[]): Promise<readonly WriteResult[]>;
}

/**
 * Where rows live. All methods reject with `Unavailable` when the database is full, locked, too slow or away, `UniqueViolation`
 * where a unique key is taken, and `WriteRefused` where `mustChange` does not hold; after any rejection nothing of the act is there.
 */
export interface Database {
  /** Reads on connections of their own; sees all that was committed before the call. */
  readonly read: Kysely<Tables>;
  /** Builds statements to be compiled; runs nothing. */
  readonly build: Kysely<Tables>;
  /** Carries out all writes in order in one transaction. Resolves when they would survive a power cut; many acts share one commit. */
  write(writes: readonly Write[]): Promise<readonly WriteResult[]>;
  /**
   * Runs `act` in a transaction; commits durably when it resolves, undoes everything when it rejects, and when it takes longer than `limitMs`
   * (10 s unless given).
   */
  transaction<T>(act: (trx: Trx) => Promise<T>, limits?: { readonly limitMs: number }): Promise<T>;
  /** Resolves when the database answers both a read and a write; rejects with the reason. */
  check(): Promise<void>;
  /** Lets running acts end, then closes. */
  close(): Promise<void>;
}

/** `mustChange` of a write did not hold: somebody else was faster or holds the lease. */
export class WriteRefused extends Error {
  constructor(message = 'another number of rows changed than the act demands') {
    super(message);
    this.name = 'WriteRefused';
  }
}

/** A unique key is taken already. */
export class UniqueViolation extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'UniqueViolation';
  }
}

/** What is there cannot be opened: damaged, no database at all, not readable. A person has to look. */
export class DatabaseUnusable extends Error {
  constructor(place: string, cause: unknown) {
    super(`The database ${place} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'DatabaseUnusable';
  }
}
