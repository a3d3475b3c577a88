import type { RepeatedStatement, Statement, Write, WriteResult } from './database.ts';

/** What the thread that asks and the thread that holds the connection say to each other. */
export type SqliteRequest = { readonly id: number } & (Exclude<SqliteCall, { kind: 'group' }> | SqliteGroup);

/** A group as it is sent: a statement's text goes once, with the number by which it goes from then on. */
export interface SqliteGroup {
  readonly kind: 'group';
  readonly acts: readonly (readonly SentWrite[])[];
  readonly texts: readonly { readonly number: number; readonly sql: string }[];
}

export type SentWrite = (Omit<Statement, 'sql'> | Omit<RepeatedStatement, 'sql'>) & { readonly sql: string | number };

export type SqliteCall =
  | { readonly kind: 'group'; readonly acts: readonly (readonly Write[])[] }
  | { readonly kind: 'query'; readonly sql: string; readonly parameters: readonly unknown[] }
  | { readonly kind: 'run'; readonly writes: readonly Write[] }
  | { readonly kind: 'begin' | 'commit' | 'rollback' | 'close' };

export interface SqliteFailure {
  readonly kind: 'unavailable' | 'unique' | 'refused' | 'fault';
  readonly message: string;
  readonly code?: number;
}

export interface SqliteReply {
  readonly id: number;
  readonly result:
    | { readonly kind: 'group'; readonly outcomes: readonly (readonly WriteResult[] | SqliteFailure)[] }
    | { readonly kind: 'rows'; readonly results: readonly WriteResult[] }
    | { readonly kind: 'failure'; readonly failure: SqliteFailure }
    | { readonly kind: 'done' };
}

export interface SqliteThreadData {
  readonly file: string;
  readonly role: 'writer' | 'reader';
  readonly busyTimeoutMs: number;
}

/** Thrown inside the thread where `mustChange` does not hold. */
export class WriteWasRefused extends Error {}
