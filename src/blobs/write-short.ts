import { closeSync, constants, fdatasync, open, openSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';

// A short body in as few steps as there can be: each is a way to the thread pool and back, and with small files those cost more than the
// bytes. By descriptors, since a FileHandle costs about as much again.

const openFile = promisify(open);
const syncData = promisify(fdatasync);
const writePart = promisify(write);

/** A write returns when its bytes are durable, as fdatasync would make them; where the system has no such thing it is said apart. */
const { O_CREAT, O_EXCL, O_WRONLY, O_DSYNC } = constants as { [Name in keyof typeof constants]: number | undefined };
const flags = (O_CREAT ?? 0) | (O_EXCL ?? 0) | (O_WRONLY ?? 0) | (O_DSYNC ?? 0);

/** Makes the file `path`, which must not be there. Resolves when the bytes are durable; after a rejection the file may be there. */
export const writeShort = async (path: string, bytes: Uint8Array): Promise<void> => {
  const file = await openFile(path, flags);
  try {
    // A write may take less than it was given; the next one then tells why, or goes on.
    for (let at = 0; at < bytes.length; ) at += (await writePart(file, bytes, at, bytes.length - at, at)).bytesWritten;
    if (O_DSYNC === undefined) await syncData(file);
  } finally {
    closeSync(file); // nothing is left to be written, so it waits for nothing
  }
};

/** The same for a thread that may wait: only what waits for the disk goes to the thread pool. */
export const writeShortHere = async (path: string, bytes: Uint8Array): Promise<void> => {
  const file = openSync(path, 'wx');
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, at);
    await syncData(file);
  } finally {
    closeSync(file);
  }
};
