import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type Answer, eventually, type Json } from './given.ts';
import type { TestServer } from './start-server.ts';

// The bytes in a data folder, of a server that runs or not, looked at from outside.

interface KeptBytes {
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

/** The sizes of the whole blobs, by their keys. */
export const sizesOnDisk = (dataFolder: string): ReadonlyMap<string, number> => {
  const sizes = new Map<string, number>();
  for (const [key, path] of keptBytes(dataFolder).whole) {
    const found = statSync(path, { throwIfNoEntry: false }); // some go just now
    if (found !== undefined) sizes.set(key, found.size);
  }
  return sizes;
};

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const sha256At = (path: string): string => sha256Of(readFileSync(path));

/** The digest of the bytes that lie there for a file. */
export const sha256OnDisk = ({ dataFolder }: Pick<TestServer, 'dataFolder'>, id: string): string =>
  sha256At(keptBytes(dataFolder).whole.get(id) ?? assert.fail(`there are no bytes of ${id}`));

/** Fails unless the file was made and its bytes lie on disk as they were sent. */
export const assertKept = ({ dataFolder }: Pick<TestServer, 'dataFolder'>, answer: Answer, bytes: Uint8Array): Json => {
  assert.equal(answer.status, 201, answer.text);
  const { id, size, sha256 } = answer.body;
  assert.equal(answer.headers.get('location'), `/v1/files/${id}`);
  assert.equal(size, bytes.length);
  assert.equal(sha256, sha256Of(bytes));
  const path = keptBytes(dataFolder).whole.get(id);
  assert.ok(path !== undefined, 'its bytes are not there');
  assert.ok(readFileSync(path).equals(bytes), 'its bytes are others');
  return answer.body;
};

/** Fails with what lies about in the end, beside the bytes that were there before. */
export const assertNothingLeft = async (
  { dataFolder }: Pick<TestServer, 'dataFolder'>,
  before: ReadonlySet<string> = new Set(),
  limitMs = 10_000,
): Promise<void> => {
  await eventually(
    async () => {
      const { whole, unfinished } = keptBytes(dataFolder);
      return [...unfinished, ...[...whole.keys()].filter((key) => !before.has(key))];
    },
    ({ length }) => length === 0,
    limitMs,
  );
};
