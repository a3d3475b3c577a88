import type { TraceEntryRow } from '../../database/tables.ts';
import type { Caller, TenantScope } from '../../foundation/caller.ts';

/** Everything that can happen to an item; closed, so that readers can rely on it. */
export const traceWords = {
  accepted: 'an event was written down',
  routed: 'the targets that want it were found; `detail.targets` counts them',
  'no-target': 'no target wants it',
  attempted: 'one try to deliver it ended; `detail` has outcome, status, reason and duration',
  delivered: 'the target took it',
  retrying: 'it will be tried again at `detail.nextAt`',
  throttled: 'the target asked to wait; no attempt was spent',
  dead: 'it will not be tried again by itself',
  parked: 'it needs a hand; the reason tells why',
  replayed: 'somebody asked to deliver it again',
  'signed-in': 'a session was opened',
  refreshed: 'a session was refreshed',
  refused: 'an attempt to get in was refused',
  revoked: 'a session was ended',
  rotated: 'a secret or key was added or removed',
  'signed-up': 'somebody made an account',
  confirmed: 'an e-mail address was confirmed',
  'password-changed': 'a password was changed; other sessions ended',
  'role-changed': 'what a person may do was changed',
  paired: 'a device was paired with a person',
  unpaired: 'a device was taken away from its person',
  approved: 'a person let a client act for it',
  suspended: 'the tenant was suspended',
  deleted: 'it was deleted with all it owned',
  created: 'it was made',
  changed: 'it was changed',
  removed: 'it was removed',
  received: 'the bytes of a file came in',
  checked: 'they were found to be what they should be; `detail` has type, size and sha256',
  stored: 'it is kept',
  rejected: 'it is not kept; `detail.reason` tells why',
  fetched: 'it was given out; `detail` tells how',
  shared: 'a share of it was made',
  opened: 'a share was opened',
  published: 'it was made public',
  unpublished: 'it is public no more',
  trashed: 'it was put into the trash',
  restored: 'it was taken out of the trash',
  locked: 'a folder was locked',
  unlocked: 'a folder was unlocked, or its lock removed (`detail.isRemoved`)',
  paused: 'it was paused',
  resumed: 'it was resumed',
  'set-up': 'the first operator was made',
} as const satisfies Record<string, string>;

export type TraceWhat = keyof typeof traceWords;

/** Something that happened to an item, to be written in the transaction of the change. */
export interface TraceEntryIn {
  readonly tenantId: string;
  /** The item: a fact's id for an event, else the item's own id. */
  readonly subject: string;
  readonly kind: string;
  /** The id by which callers know the item, on the entry that opens it, where it differs from `subject`. */
  readonly itemId?: string | undefined;
  readonly deliveryId?: string | undefined;
  readonly requestId?: string | undefined;
  readonly at: number;
  readonly what: TraceWhat;
  readonly who?: string | undefined;
  readonly place?: string | undefined;
  readonly detail?: object | undefined;
  /** The try that it came of: told as an entry `attempted` right before it. The two share a row, since most tries end a delivery. */
  readonly attempt?: object | undefined;
  /** What happened in the same moment right after it, told as entries of their own without a place. All share a row: indexes are dear. */
  readonly further?: readonly { readonly what: TraceWhat; readonly detail?: object | undefined }[] | undefined;
}

/** An entry as it is read. */
export type KeptEntry = Omit<TraceEntryRow, 'seq'>;

/** An entry of the table of entries. `seq` orders all of them; those that share a row have equal steps up to the row's. */
export type StoredEntry = KeptEntry & { readonly seq: number };

/**
 * The entries that a module keeps in rows of its own, because they say nothing that is not there already. They come before all that stands
 * in the table of entries about the same item.
 */
export interface EntrySource {
  /** Of the item that callers know by that id, in order; of several the caller's own, else the newest. Undefined where it is none of ours. */
  ofItem(caller: Caller, id: string): Promise<{ readonly subject: string; readonly entries: readonly KeptEntry[] } | undefined>;
  /** What the request brought about, in order. */
  ofRequest(scope: TenantScope, requestId: string): Promise<readonly KeptEntry[]>;
}

/** An event was delivered at the end of a try. */
export interface DeliveredEntryIn {
  readonly subject: string;
  readonly deliveryId: string;
  readonly at: number;
  readonly attempt: object;
}

/** Between the words of a row that stands for several entries: they are in the row's word, so that they stay when details are scrubbed. */
const wordGap = ' ';

/** What the row of an entry says happened. */
export const wordsOf = ({ what, further = [] }: Pick<TraceEntryIn, 'what' | 'further'>): string =>
  [what, ...further.map((next) => next.what)].join(wordGap);

/** Of rows that begin with the word and stand for more: a pattern of SQL's LIKE. */
export const patternOfFirst = (what: TraceWhat): string => `${what}${wordGap}%`;

/** What an entry's detail is in its row; with several entries, a list of theirs. */
export const detailJsonOf = ({ attempt, detail, further = [] }: Pick<TraceEntryIn, 'attempt' | 'detail' | 'further'>): string | null => {
  if (further.length > 0) return JSON.stringify([detail, ...further.map((next) => next.detail)]);
  if (attempt !== undefined) return JSON.stringify({ attempt, ...detail });
  return detail === undefined ? null : JSON.stringify(detail);
};

const sharedRow = '{"attempt":';

const unfold = (row: StoredEntry): StoredEntry[] => {
  const words = row.what.split(wordGap);
  const details = JSON.parse(row.detailJson ?? '[]') as (object | null)[]; // written by `detailJsonOf`
  return words.map((what, index) => {
    const detail = details[index] ?? null;
    return {
      ...row,
      seq: row.seq - (words.length - 1 - index) / words.length,
      what,
      detailJson: detail && JSON.stringify(detail),
      // What opens an item or happens at a place is the first of them.
      ...(index > 0 && { place: null, itemId: null }),
    };
  });
};

/** The entries that stand in the rows, in order. */
export const entriesIn = (rows: readonly StoredEntry[]): StoredEntry[] =>
  rows.flatMap((row) => {
    if (row.what.includes(wordGap)) return unfold(row);
    if (!row.detailJson?.startsWith(sharedRow)) return row;
    const { attempt, ...detail } = JSON.parse(row.detailJson) as { attempt: object }; // written by `detailJsonOf`
    return [
      { ...row, seq: row.seq - 0.5, what: 'attempted', detailJson: JSON.stringify(attempt) },
      { ...row, detailJson: Object.keys(detail).length === 0 ? null : JSON.stringify(detail) },
    ];
  });
