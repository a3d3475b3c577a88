import type { Clock } from '../../../foundation/clock.ts';
import { isSameText, type Seal } from '../../../foundation/secret.ts';
import type { Viewer } from '../viewer.ts';
import type { FolderStore } from './folder-store.ts';

/** Whoever has unlocked a folder. */
type Opener = Pick<Viewer, 'tenantId' | 'ownerId'>;

/**
 * Texts that open locked folders to one person for an hour. They are kept nowhere: the server's key vouches for folder, person, end and lock
 * together, so that another password, another person or a later time makes nothing of them.
 */
export interface FolderTokens {
  give(opener: Opener, folder: { id: string; lockHash: string }): { folderToken: string; expiresAt: number };
  /** The folders that they open to this person now; what is no token, not its own or over opens nothing. */
  foldersOf(opener: Opener, header: string | readonly string[] | undefined): Promise<readonly string[]>;
}

const lifetimeMs = 60 * 60 * 1000;
/** More than anybody has to unlock at once. */
const mostTokens = 64;
const purpose = 'folder-token';
const shape = /^(fold_[0-9a-z]{26})\.([0-9a-z]{1,10})\.([\w-]{43})$/;

interface Parts {
  readonly folderId: string;
  readonly expiresAt: number;
  readonly proof: string;
}

const partsOf = (token: string): Parts | undefined => {
  const [, folderId, expires, proof] = shape.exec(token) ?? [];
  if (folderId === undefined || expires === undefined || proof === undefined) return undefined;
  return { folderId, expiresAt: Number.parseInt(expires, 36), proof };
};

const textsIn = (header: string | readonly string[] | undefined): string[] =>
  (typeof header === 'string' ? [header] : (header ?? [])).flatMap((line) => line.split(',')).map((text) => text.trim());

export const createFolderTokens = ({
  folders,
  seal,
  clock,
}: {
  folders: Pick<FolderStore, 'findLocks'>;
  seal: Pick<Seal, 'mac'>;
  clock: Clock;
}): FolderTokens => {
  const prove = ({ tenantId, ownerId }: Opener, { folderId, expiresAt }: Omit<Parts, 'proof'>, lockHash: string): string =>
    seal.mac(JSON.stringify([tenantId, ownerId, folderId, expiresAt, lockHash]), purpose);

  return {
    give(opener, { id, lockHash }) {
      const expiresAt = clock.now() + lifetimeMs;
      return { folderToken: `${id}.${expiresAt.toString(36)}.${prove(opener, { folderId: id, expiresAt }, lockHash)}`, expiresAt };
    },

    async foldersOf(opener, header) {
      const now = clock.now();
      const tokens = textsIn(header)
        .slice(0, mostTokens)
        .map(partsOf)
        .filter((parts) => parts !== undefined && parts.expiresAt > now) as Parts[]; // undefined ones are left out
      if (tokens.length === 0) return [];
      const folderIds = tokens.map(({ folderId }) => folderId);
      const locks = await folders.findLocks(opener, folderIds);
      const good = tokens.filter((parts) => {
        const lockHash = locks.get(parts.folderId);
        return lockHash !== undefined && isSameText(prove(opener, parts, lockHash), parts.proof);
      });
      return [...new Set(good.map(({ folderId }) => folderId))];
    },
  };
};
