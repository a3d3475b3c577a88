import type { BlobStore } from '../../../blobs/blob-store.ts';
import type { Database } from '../../../database/database.ts';
import type { Log } from '../../../foundation/log.ts';
import type { Worker } from '../../../foundation/work.ts';
import type { RemovalStep } from '../../identity/identity.ts';
import { createSettling, type Settling, type SettlingNeeds } from '../receiving/settle-file.ts';
import { createSettleStore } from '../receiving/settle-store.ts';
import { createUploadBytes } from './upload-bytes.ts';
import { createUploadEnd, type UploadEndNeeds } from './upload-end.ts';
import { createUploadExpiry, type UploadExpiry } from './upload-expiry.ts';
import { createUploads, type Uploads, type UploadsNeeds } from './uploads.ts';

/** Everything of uploads that can be resumed, put together. */
export interface Resumable {
  readonly uploads: Uploads;
  /** Direct uploads end by the same road. */
  readonly settling: Settling;
  readonly expiry: UploadExpiry;
  /** What uploads keep of a person whose account was deleted; before the step that removes its files. */
  readonly removal: RemovalStep;
  startWorker(): Worker;
}

type Made = 'settling' | 'bytes' | 'end' | 'files';

export type ResumableNeeds = Omit<UploadsNeeds, Made> &
  Omit<SettlingNeeds, 'store'> &
  Pick<UploadEndNeeds, 'removal'> & { readonly database: Database; readonly blobs: BlobStore; readonly log: Log };

export const createResumable = (needs: ResumableNeeds): Resumable => {
  const files = createSettleStore(needs.database);
  const settling = createSettling({ ...needs, store: files });
  const bytes = createUploadBytes(needs);
  const end = createUploadEnd({ ...needs, files, settling });
  const expiry = createUploadExpiry({ ...needs, end, bytes });
  return {
    uploads: createUploads({ ...needs, files, settling, bytes, end }),
    settling,
    expiry,
    removal: { name: 'uploads', removeSome: ({ id, tenantId }) => expiry.removeSome({ tenantId, ownerId: id }) },
    startWorker: expiry.startWorker,
  };
};
