import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import { isSameText } from '../../../foundation/secret.ts';
import type { AudiencesOfOwner } from '../../identity/identity.ts';
import { noFile } from '../file-acts.ts';
import type { FileStore, HeldFile, NewFileRow } from '../file-store.ts';
import { lockedFolder } from '../folders/folder-gate.ts';
import { isSignedTime } from '../signed-time.ts';
import type { LinkKeys } from './link-keys.ts';

export type LinkDisposition = 'inline' | 'attachment';

/** What stands in the query of a signed link. */
export interface LinkQuery {
  readonly expires?: string;
  readonly disposition?: string;
  /** Who made it. */
  readonly by?: string;
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
  /** The path with the signature: a secret. `by` is who makes it, and may read the file. */
  sign(
    file: NewFileRow,
    wish: { by: string; expiresInMs?: number; disposition: LinkDisposition },
  ): Promise<{ path: string; expiresAt: number }>;
  /**
   * Throws `bad-link` where anything was changed, `gone` where it has expired, `not-found` where the file is not stored any more, or
   * whoever made the link may not read it any more, `locked` where its folder is locked now.
   */
  open(fileId: string, query: LinkQuery): Promise<GoodLink>;
}

/** As long as object stores sign theirs; longer only where the setting says so. */
const usualLongestMs = 7 * 24 * 60 * 60 * 1000;

/** All that the signature holds together. The name in the path is for people, and a file may get another one. */
const signedText = (fileId: string, expires: number, disposition: LinkDisposition, by: string): string =>
  `${fileId}\n${expires}\n${disposition}\n${by}`;

const isDisposition = (text: string | undefined): text is LinkDisposition => text === 'inline' || text === 'attachment';

const badLink = () => new Problem('bad-link', 'The link was changed, or was not made here.');

export const createLinks = ({
  store,
  keys,
  isSuspended,
  audiencesOfOwner,
  clock,
  linkTtlMs,
}: {
  store: Pick<FileStore, 'findHeldFile' | 'findFile'>;
  keys: LinkKeys;
  isSuspended: (tenantId: string) => boolean;
  audiencesOfOwner: AudiencesOfOwner;
  clock: Clock;
  linkTtlMs: number;
}): Links => {
  /** Its owner always may; of others it is asked anew, since the file, or they, may have changed since the link was made. */
  const isReadableFor = async (by: string, { id, tenantId, ownerId }: HeldFile): Promise<boolean> => {
    if (by === ownerId) return true;
    const audiences = await audiencesOfOwner({ tenantId }, by);
    if (audiences === undefined) return false;
    const viewer = { tenantId, callerId: by, ownerId: by, audiences, isAdmin: false, unlocked: [] };
    return (await store.findFile(viewer, id)) !== undefined;
  };

  return {
    longestMs: Math.max(usualLongestMs, linkTtlMs),

    async sign({ id, name }, { by, expiresInMs = linkTtlMs, disposition }) {
      const key = await keys.current();
      const expires = Math.ceil((clock.now() + expiresInMs) / 1000);
      const signature = key.sign(signedText(id, expires, disposition, by));
      const query = `expires=${expires}&disposition=${disposition}&by=${encodeURIComponent(by)}&key=${key.id}&signature=${signature}`;
      return { path: `/l/${id}/${encodeURIComponent(name)}?${query}`, expiresAt: expires * 1000 };
    },

    async open(fileId, { expires, disposition, by, key: keyId, signature }) {
      const isWhole =
        isDisposition(disposition) && expires !== undefined && by !== undefined && keyId !== undefined && signature !== undefined;
      if (!isWhole || !isSignedTime(expires)) throw badLink();
      const key = await keys.find(keyId);
      if (key === undefined || !isSameText(signature, key.sign(signedText(fileId, Number(expires), disposition, by)))) throw badLink();
      const restMs = Number(expires) * 1000 - clock.now();
      if (restMs <= 0) throw new Problem('gone', 'The link has expired.');
      const file = await store.findHeldFile(fileId);
      if (file === undefined || isSuspended(file.tenantId) || !(await isReadableFor(by, file))) throw noFile(fileId);
      if (file.isUnderLock === 1) throw lockedFolder();
      return { file, disposition, restMs };
    },
  };
};
