import { type Database, WriteRefused } from '../../../database/database.ts';
import type { ShareRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import type { Log } from '../../../foundation/log.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf } from '../../../foundation/secret.ts';
import type { Events } from '../../events/events.ts';
import { addressGroup, type Guess, type Guessing, type Passwords } from '../../identity/identity.ts';
import type { Trace, TraceEntryIn } from '../../trace/trace.ts';
import { noFile } from '../file-acts.ts';
import { lockedFolder } from '../folders/folder-gate.ts';
import type { Downloads } from '../serving/downloads.ts';
import type { RecentOpenings } from './recent-openings.ts';
import { factOfShare, stateOfShare } from './share-resource.ts';
import type { SharedFile, ShareStore } from './share-store.ts';
import type { ShareTokens } from './share-tokens.ts';

/** Whoever has the address of a share; nobody knows who that is. */
export interface Visitor {
  readonly address: string;
  readonly requestId?: string;
  readonly userAgent?: string | undefined;
}

/** What a visitor sees of a file. */
export interface ShareItem {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly size: number;
}

export interface OpenedShare {
  readonly shareToken: string;
  /** When the token, or the share, is over. Milliseconds since 1970. */
  readonly expiresAt: number;
  readonly items: readonly ShareItem[];
  /** There are more than are told. */
  readonly hasMore: boolean;
}

/** What an answer with bytes of a shared file begins with. */
interface Beginning {
  readonly firstByte: number;
  readonly bytes: number;
}

/** A file that a visitor may fetch. */
export interface SharedDownload {
  readonly file: SharedFile;
  /**
   * To be awaited before the answer leaves. Counts it, unless it goes on with a download that this opening has begun and of which so many
   * bytes are left; throws `gone` where the share is used up, or over, by then.
   */
  begin(beginning: Beginning): Promise<void>;
  /** When the answer is over: what it did not send may be fetched yet. */
  end(sentBytes: number): void;
}

/**
 * What visitors do. All throw `not-found` for a token that nobody gave, `gone` where the share has ended, expired or is used up, and `locked`
 * where a locked folder hides what is shared.
 */
export interface ShareVisits {
  /** Whether it needs a password, told before anything else of it. */
  needsPassword(token: string): Promise<boolean>;
  /**
   * Throws `wrong-password`; after five wrong ones from an address `too-many` there, also for the right one, while other addresses go on.
   * That none was given counts as no try. From one address it is told to trace and targets once in ten minutes. Throws `not-found` also where what is shared is in the trash.
   */
  open(token: string, password: string | undefined, visitor: Visitor, tell: Guess['tell']): Promise<OpenedShare>;
  /** Throws `not-allowed` without a token of an opening. Whoever began a download goes on with it also when the share is used up. */
  fetch(token: string, fileId: string, shareToken: string | undefined, visitor: Visitor): Promise<SharedDownload>;
}

const guessLimit = { name: 'share', limit: 5, windowMs: 15 * 60 * 1000 };

/** Of a larger folder the first by name. */
export const mostItems = 1_000;

/**
 * So many times its size a download gives before the next range is counted as another. Once would be too few: what was sent when a
 * connection broke need not have arrived.
 */
const timesGiven = 2;

export const createShareVisits = ({
  database,
  store,
  tokens,
  openings,
  passwords,
  guessing,
  isSuspended,
  downloads,
  events,
  trace,
  clock,
  log,
}: {
  database: Pick<Database, 'write'>;
  store: ShareStore;
  tokens: ShareTokens;
  openings: RecentOpenings;
  passwords: Pick<Passwords, 'matches'>;
  guessing: Guessing;
  isSuspended: (tenantId: string) => boolean;
  downloads: Pick<Downloads, 'writes'>;
  events: Pick<Events, 'append' | 'announce'>;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  log: Log;
}): ShareVisits => {
  const find = async (token: string): Promise<ShareRow> => {
    const share = await store.findByToken(hashOf(token));
    if (share === undefined || isSuspended(share.tenantId)) throw new Problem('not-found', 'There is no such share.');
    return share;
  };

  const findActive = async (token: string): Promise<ShareRow> => {
    const share = await find(token);
    if (stateOfShare(share, clock.now()) !== 'active') throw over();
    if (await store.isLocked(share)) throw lockedFolder(); // before the password: a lock hides by every road
    return share;
  };

  const entry = (share: ShareRow, { address, requestId }: Visitor): Omit<TraceEntryIn, 'what'> => ({
    ...{ tenantId: share.tenantId, subject: share.id, kind: 'share', requestId, at: clock.now(), place: address },
  });

  const prove = async (share: ShareRow, password: string | undefined, visitor: Visitor, tell: Guess['tell']): Promise<void> => {
    const { passwordHash } = share;
    if (passwordHash === null) return;
    if (password === undefined || password === '') throw new Problem('wrong-password', 'This share has a password.');
    const guess = { name: `share ${share.id}`, address: visitor.address, limit: guessLimit, tell };
    if (await guessing.guard(guess, async () => ((await passwords.matches(passwordHash, password)) ? {} : undefined))) return;
    await database.write(trace.entries([{ ...entry(share, visitor), what: 'refused', detail: { reason: 'wrong password' } }]));
    throw new Problem('wrong-password', 'This is not the password of the share.');
  };

  return {
    async needsPassword(token) {
      return (await findActive(token)).passwordHash !== null;
    },

    async open(token, password, visitor, tell) {
      const share = await findActive(token);
      await prove(share, password, visitor, tell);
      if (!(await store.isThere(share))) throw nothingThere();
      const files = await store.listFiles(share, mostItems + 1);
      const { shareToken, expiresAt } = tokens.give(share);
      const at = clock.now();
      if (openings.isNews(share.id, addressGroup(visitor.address))) {
        const opened = { ...entry(share, visitor), at, what: 'opened' } as const;
        const [kind, subject] = share.fileId === null ? (['folder', share.folderId ?? ''] as const) : (['file', share.fileId] as const);
        await database.write([
          ...events.append([factOfShare('share.opened', share, { at })]),
          ...trace.entries([opened, { ...opened, kind, subject, detail: { share: share.id } }]),
        ]);
        events.announce();
      }
      const items = files.slice(0, mostItems).map(({ id, name, type, size }) => ({ id, name, type, size }));
      return { shareToken, expiresAt, items, hasMore: files.length > mostItems };
    },

    async fetch(token, fileId, shareToken, visitor) {
      const share = await find(token);
      const state = stateOfShare(share, clock.now());
      if (state === 'ended' || state === 'expired') throw over();
      const opened = shareToken === undefined ? undefined : tokens.read(share, shareToken);
      const hasBegun = opened !== undefined && (await store.hasBegun({ shareId: share.id, opening: opened.opening, fileId }));
      if (state === 'used-up' && !hasBegun) throw over();
      if (opened === undefined) throw new Problem('not-allowed', 'Open the share, and send the token of the answer in `X-Share-Token`.');
      if (await store.isLocked(share)) throw lockedFolder();
      const file = await store.findFile(share, fileId);
      if (file === undefined) throw noFile(fileId);
      if (file.isHidden === 1) throw lockedFolder();

      const download = { shareId: share.id, fileId, opening: opened.opening };
      const count = async (bytes: number): Promise<void> => {
        const { isHidden: _isHidden, ...row } = file;
        const { address, userAgent, requestId } = visitor;
        const bytesLeft = timesGiven * file.size - bytes;
        try {
          await database.write([
            store.countDownload({ id: share.id, at: clock.now() }),
            store.rememberDownload({ ...download, expiresAt: opened.expiresAt, bytesLeft }),
            store.forgetDownloads({ at: clock.now() }),
            ...downloads.writes([{ file: row, isUnderLock: false, how: 'share', address, userAgent, requestId, bytes }]),
          ]);
        } catch (error) {
          if (error instanceof WriteRefused) throw over();
          throw error;
        }
        events.announce();
      };

      /** Taken before they are sent, so that many ranges at once get no more than one after the other would. */
      const goesOnWith = async (bytes: number): Promise<boolean> => {
        try {
          await database.write([store.takeBytes(download, bytes)]);
          return true;
        } catch (error) {
          if (error instanceof WriteRefused) return false;
          throw error;
        }
      };

      let taken = 0;
      return {
        file,
        async begin({ firstByte, bytes }) {
          if (firstByte === 0 || !(await goesOnWith(bytes))) await count(bytes);
          taken = bytes;
        },
        end(sentBytes) {
          if (sentBytes >= taken) return;
          database
            .write([store.giveBytesBack(download, taken - sentBytes)])
            .catch((error: unknown) => log.warn({ err: error, share: share.id }, 'share.bytes-not-given-back'));
        },
      };
    },
  };
};

const over = () => new Problem('gone', 'The share has ended, or was downloaded as often as it may be.');

const nothingThere = () => new Problem('not-found', 'What was shared is not there at the moment.');
