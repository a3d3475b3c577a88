import type { Readable } from 'node:stream';
import { BlobMissing, type BlobStore, type ByteRange } from '../../../blobs/blob-store.ts';
import type { Log } from '../../../foundation/log.ts';
import { noFile } from '../file-acts.ts';
import type { FileStore, NewFileRow } from '../file-store.ts';
import { isTextType } from '../type-detection/text-check.ts';
import type { Download, Downloads } from './downloads.ts';

/** How the bytes of a file go out. */
export interface Service {
  readonly disposition: 'inline' | 'attachment';
  readonly cacheControl: string;
  /** Whether pages of other sites may show them. */
  readonly isForEverySite?: boolean;
  /** Whether the address is of this file alone: its bytes never change then, so that a date tells as much as their digest. */
  readonly isOwnAddress: boolean;
  /** Who fetches them, and how. */
  readonly download: Omit<Download, 'file' | 'bytes'>;
}

/** The bytes of a stored file, to be sent to one who may have them; counts the download when they begin to flow. */
export interface ServedBytes {
  readonly size: number;
  readonly etag: string;
  readonly lastModified?: number;
  readonly type: string;
  readonly sha256: string;
  readonly name: string;
  readonly disposition: Service['disposition'];
  readonly cacheControl: string;
  readonly isForEverySite: boolean;
  open(range: ByteRange | undefined): Promise<Readable>;
  read(range: ByteRange): Promise<Buffer>;
  onStart(start: { readonly firstByte: number; readonly bytes: number }): void;
}

/**
 * What a text is said to be: all that is kept as text is UTF-8, or UTF-16, whose byte order mark a browser believes before any header
 * (Encoding Standard, "decode"). Without it a browser takes a text for Windows-1252.
 */
const contentTypeOf = (type: string): string => (isTextType(type) ? `${type}; charset=utf-8` : type);

export type BytesOf = (file: NewFileRow, service: Service) => ServedBytes;

/** Throws what it means that the bytes of a file could not be read. */
export type TellMissing = (id: string, error: unknown) => Promise<never>;

/** A file that was deleted since its row was read is simply gone. A row that promises bytes which are not there is the worst that can be. */
export const createTellMissing =
  ({ store, log }: { store: Pick<FileStore, 'findHeldFile'>; log: Log }): TellMissing =>
  async (id, error) => {
    if (!(error instanceof BlobMissing)) throw error;
    if ((await store.findHeldFile(id)) === undefined) throw noFile(id);
    log.error({ file: id }, 'file.bytes-missing');
    throw new Error(`The bytes of ${id} are not in the blob store`, { cause: error });
  };

export const createBytesOf = ({
  blobs,
  tellMissing,
  downloads,
}: {
  blobs: Pick<BlobStore, 'open' | 'read'>;
  tellMissing: TellMissing;
  downloads: Pick<Downloads, 'count'>;
}): BytesOf => {
  return (file, { disposition, cacheControl, isForEverySite = false, isOwnAddress, download }) => ({
    ...{ size: file.size, type: contentTypeOf(file.type), sha256: file.sha256, name: file.name, etag: `"${file.sha256}"` },
    ...{ disposition, cacheControl, isForEverySite },
    ...(isOwnAddress ? { lastModified: file.createdAt } : {}),
    open: (range) => blobs.open(file.id, range).catch((error: unknown) => tellMissing(file.id, error)),
    read: (range) => blobs.read(file.id, range).catch((error: unknown) => tellMissing(file.id, error)),
    onStart({ firstByte, bytes }) {
      if (firstByte === 0) downloads.count({ ...download, file, bytes });
    },
  });
};
