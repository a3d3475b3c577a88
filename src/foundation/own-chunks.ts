import type { Readable } from 'node:stream';

// Every piece of a large body is a buffer of its own, outside V8's heap: left to the collector they make it go through all that is in
// memory again and again, at a third of the cost of an upload and over half of that of a download, and pile up in between. Who uses them
// for the last time can give their memory back at once instead.

const owning = new WeakSet<Readable>();

/** Says of a stream that nobody but its reader looks at the chunks that it gave. */
export const markOwnChunks = <Stream extends Readable>(stream: Stream): Stream => {
  owning.add(stream);
  return stream;
};

/** For a stream that hands on what it gets from another. */
export const hasOwnChunks = (stream: Readable): boolean => owning.has(stream);

/** Smaller ones are not worth it. */
const leastBytes = 4 * 1024;

/** Gives the memory of a chunk back, where it is all of its buffer (no part of a pool); the chunk is empty then. */
export const releaseChunk = (chunk: Uint8Array): void => {
  const { buffer } = chunk;
  if (chunk.byteLength >= leastBytes && chunk.byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
};
