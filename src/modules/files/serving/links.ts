import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import { isSameText } from '../../../foundation/secret.ts';
import { noFile } from '../file-acts.ts';
import type { FileStore, HeldFile, NewFileRow } from '../file-store.ts';
import { lockedFolder } from '../folders/folder-gate.ts';
import type { LinkKeys } from './link-keys.ts';

export type LinkDisposition = 'inline' | 'attachment';

/** What stands in the query of a signed link. */
export interface LinkQuery {
  readonly expires?: string;
  readonly disposition?: string;
  readonly key?: string;
  readonly signature?: string;
}

/** What a link that was signed here lets its holder have. */
export interface GoodLink {
  readonly file: HeldFile;
  readonly disposition: LinkDisposition;
  /** How long it is still good. */
  readonly restMs: number;
}

/** Links that let whoever has them fetch one file until they end. */
export interface Links {
  /** How long a link may be good at the most. */
  readonly longestMs: number;
  /** The path with the signature: a secret. */
  sign(file: NewFileRow, wish: { expiresInMs?: number; disposition: LinkDisposition }): Promise<{ path: string; expiresAt: number }>;
  /**
   * Throws `bad-link` where anything was changed, `gone` where it has expired, `not-found` where the file is not stored any more, `locked`
   * where its folder is locked now.
   */
  open(fileId: string, query: LinkQuery): Promise<GoodLink>;
}

/** As long as object stores sign theirs; longer only where the setting says so. */
const usualLongestMs = 7 * 24 * 60 * 60 * 1000;

/** All that the signature holds together. The name in the path is for people, and a file may get another one. */
const signedText = (fileId: string, expires: number, disposition: LinkDisposition): string => `${fileId}\n${expires}\n${disposition}`;

const isDisposition = (text: string | undefined): text is LinkDisposition => text === 'inline' || text === 'attachment';

const badLink = () => new Problem('bad-link', 'The link was changed, or was not made here.');

export const createLinks = ({
  store,
  keys,
  isSuspended,
  clock,
  linkTtlMs,
}: {
  store: Pick<FileStore, 'findHeldFile'>;
  keys: LinkKeys;
  isSuspended: (tenantId: string) => boolean;
  clock: Clock;
  linkTtlMs: number;
}): Links => ({
  longestMs: Math.max(usualLongestMs, linkTtlMs),

  async sign({ id, name }, { expiresInMs = linkTtlMs, disposition }) {
    const key = await keys.current();
    const expires = Math.ceil((clock.now() + expiresInMs) / 1000);
    const signature = key.sign(signedText(id, expires, disposition));
    const query = `expires=${expires}&disposition=${disposition}&key=${key.id}&signature=${signature}`;
    return { path: `/l/${id}/${encodeURIComponent(name)}?${query}`, expiresAt: expires * 1000 };
  },

  async open(fileId, { expires, disposition, key: keyId, signature }) {
    const isWhole = isDisposition(disposition) && expires !== undefined && keyId !== undefined && signature !== undefined;
    if (!isWhole || !/^[0-9]{1,11}$/.test(expires)) throw badLink();
    const key = await keys.find(keyId);
    if (key === undefined || !isSameText(signature, key.sign(signedText(fileId, Number(expires), disposition)))) throw badLink();
    const restMs = Number(expires) * 1000 - clock.now();
    if (restMs <= 0) throw new Problem('gone', 'The link has expired.');
    const file = await store.findHeldFile(fileId);
    if (file === undefined || isSuspended(file.tenantId)) throw noFile(fileId);
    if (file.isUnderLock === 1) throw lockedFolder();
    return { file, disposition, restMs };
  },
});
