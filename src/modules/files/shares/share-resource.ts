import type { ShareRow } from '../../../database/tables.ts';
import { toRfc3339 } from '../../../foundation/clock.ts';
import type { OwnFact } from '../../events/events.ts';

/** `used-up`: as often as it may be it was downloaded. */
export type ShareState = 'active' | 'expired' | 'used-up' | 'ended';

/** A share as its owner sees it. Its address is shown once, when it is made. */
export interface ShareResource {
  readonly id: string;
  readonly fileId?: string;
  readonly folderId?: string;
  readonly hasPassword: boolean;
  readonly expiresAt?: string;
  readonly maxDownloads?: number;
  readonly downloads: number;
  readonly state: ShareState;
  readonly createdAt: string;
}

export const stateOfShare = ({ endedAt, expiresAt, maxDownloads, downloads }: ShareRow, now: number): ShareState => {
  if (endedAt !== null) return 'ended';
  if (expiresAt !== null && expiresAt <= now) return 'expired';
  return maxDownloads !== null && downloads >= maxDownloads ? 'used-up' : 'active';
};

export const resourceOfShare = (share: ShareRow, now: number): ShareResource => ({
  id: share.id,
  ...(share.fileId === null ? {} : { fileId: share.fileId }),
  ...(share.folderId === null ? {} : { folderId: share.folderId }),
  hasPassword: share.passwordHash !== null,
  ...(share.expiresAt === null ? {} : { expiresAt: toRfc3339(share.expiresAt) }),
  ...(share.maxDownloads === null ? {} : { maxDownloads: share.maxDownloads }),
  downloads: share.downloads,
  state: stateOfShare(share, now),
  createdAt: toRfc3339(share.createdAt),
});

/** What targets are told: the share as its owner sees it. It names what is shared by its id alone, so a lock has nothing to hide in it. */
export const factOfShare = (
  type: Extract<OwnFact['type'], `share.${string}`>,
  share: ShareRow,
  { at, who }: { at: number; who?: string },
): OwnFact => ({
  tenantId: share.tenantId,
  type,
  ...(who === undefined ? {} : { who }),
  orderingKey: share.id,
  body: { ...resourceOfShare(share, at), owner: share.ownerId },
});
