import type { FileRow } from '../../database/tables.ts';
import { type ThumbnailSize, thumbnailSizes } from './thumbnails/thumbnail-maker.ts';

// Under which keys the bytes of a file are: its own id, and behind it what is made of it.

export const thumbnailKeyOf = (fileId: string, size: ThumbnailSize): string => `${fileId}-t${size}`;

/** The keys of all that may have been made of a file of that type. */
export const derivedKeysOf = ({ id, type }: Pick<FileRow, 'id' | 'type'>): string[] =>
  type.startsWith('image/') ? thumbnailSizes.map((size) => thumbnailKeyOf(id, size)) : [];

const keyOfFile = /^(file_[0-9a-z]{26})(?:-[a-z0-9]+)?$/;

/** The file whose bytes, or whose thumbnail, a key names; undefined where it is none of ours. */
export const fileOfKey = (key: string): string | undefined => keyOfFile.exec(key)?.[1];
