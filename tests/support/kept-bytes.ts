import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

/** The bytes in a data folder, of a server that runs or not, looked at from outside. */
export interface KeptBytes {
  /** Whole blobs: their path by their key. */
  readonly whole: ReadonlyMap<string, string>;
  /** What is being written, or was when the process was killed. */
  readonly unfinished: readonly string[];
}

const filesUnder = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

export const keptBytes = (dataFolder: string): KeptBytes => {
  const blobs = join(dataFolder, 'blobs');
  return {
    whole: new Map(filesUnder(join(blobs, 'kept')).map((path) => [basename(path), path])),
    unfinished: [...filesUnder(join(blobs, 'incoming')), ...filesUnder(join(blobs, 'pieces'))],
  };
};

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const sha256At = (path: string): string => sha256Of(readFileSync(path));
