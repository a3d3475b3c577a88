import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { hasOwnChunks, releaseChunk } from '../foundation/own-chunks.ts';

/** Chunks are gathered up to so much, so that a big body costs few writes; twice this is the memory that one body takes. */
const batchBytes = 256 * 1024;

export interface Written {
  readonly bytes: number;
  /** Set where `body` failed; what it gave before is written. */
  readonly broken?: { readonly by: unknown };
}

/**
 * Writes all that `body` gives behind `from`, not yet durable. While one batch is written the next is gathered and hashed, and no more than
 * that: the body is asked for more only then. Rejects when writing fails; `body` is destroyed then.
 */
export const writeBody = async (file: FileHandle, from: number, body: Readable | Uint8Array, hashes: readonly Hash[]): Promise<Written> => {
  if (!(body instanceof Readable)) {
    for (const hash of hashes) hash.update(body);
    await writeAll(file, [body], body.byteLength, from);
    return { bytes: body.byteLength };
  }
  let batch: Uint8Array[] = [];
  let gathered = 0;
  let position = from;
  let writing: Promise<void> = Promise.resolve();
  let broken: Written['broken'];
  const release = hasOwnChunks(body) ? releaseChunk : () => undefined;

  const writeBatch = () => {
    const written = batch;
    writing = writeAll(file, written, gathered, position).then(() => written.forEach(release));
    // Told at once, also while the body has nothing to give.
    writing.catch((error: Error) => body.destroy(error));
    position += gathered;
    batch = [];
    gathered = 0;
  };
  try {
    for await (const chunk of body) {
      for (const hash of hashes) hash.update(chunk);
      batch.push(chunk);
      gathered += chunk.length;
      if (gathered < batchBytes) continue;
      await writing;
      writeBatch();
    }
  } catch (by) {
    broken = { by };
  }
  await writing; // rejects where that was why the loop ended
  if (gathered > 0) {
    writeBatch();
    await writing;
  }
  return { bytes: position - from, ...(broken && { broken }) };
};

/** A write may take less than it was given; the next one then tells why, or goes on. */
const writeAll = async (file: FileHandle, chunks: Uint8Array[], bytes: number, from: number): Promise<void> => {
  const [first] = chunks;
  if (first === undefined || bytes === 0) return;
  const { bytesWritten } = chunks.length === 1 ? await file.write(first, 0, bytes, from) : await file.writev(chunks, from);
  if (bytesWritten === bytes) return;
  const rest = Buffer.concat(chunks).subarray(bytesWritten);
  await writeAll(file, [rest], rest.length, from + bytesWritten);
};
