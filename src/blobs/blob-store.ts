import type { Readable } from 'node:stream';

/** The bytes of a blob, told by what was written. `sha256` is lower-case hex. */
export interface BlobFacts {
  readonly size: number;
  readonly sha256: string;
}

/** Both ends are inclusive, as in RFC 9110 §14. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** What a stretch of a body that comes in pieces must be. */
export interface StretchDigest {
  readonly algorithm: 'sha1' | 'sha256';
  readonly digest: Buffer;
}

export interface Appended {
  /** How much of the body is there and durable. */
  readonly offset: number;
  /** Why `body` ended before its end; absent where it ended well. What had arrived is kept. */
  readonly brokenBy?: unknown;
}

export interface ListedBlob {
  readonly key: string;
  /** Of a whole blob when it became whole, of an unfinished one when it last grew. Milliseconds since 1970. */
  readonly writtenAt: number;
  /** `unfinished`: a body that comes in pieces, neither completed nor discarded. */
  readonly state: 'whole' | 'unfinished';
}

/**
 * Where bytes live. A key is written once, and no reader ever sees half a body. Keys match `[a-z0-9_-]{1,100}`; another one is a
 * mistake of the caller and rejects with a plain error. Every method rejects with `Unavailable` while the store cannot do its work.
 */
export interface BlobStore {
  /**
   * Resolves when the bytes would survive a power cut. Rejects with BlobExists, with the error of `body`, or with the signal's reason.
   * After any rejection nothing of this body is left, `body` is destroyed, and the key is as free as it was.
   */
  put(key: string, body: Readable | Uint8Array, signal?: AbortSignal): Promise<BlobFacts>;
  /** The bytes, in large buffers. Rejects with BlobMissing. Who does not read to the end destroys the stream. */
  open(key: string, range?: ByteRange): Promise<Readable>;
  /** A stretch of at most 1 MiB at once; shorter where the blob ends before. Rejects with BlobMissing. */
  read(key: string, range: ByteRange): Promise<Buffer>;
  sizeOf(key: string): Promise<number | undefined>;
  /** Resolves whether or not the key was there; the bytes are gone then, also after a power cut. Streams that are open may end well. */
  remove(key: string): Promise<void>;
  /** Everything that is kept, in no order. What comes and goes meanwhile may or may not be among it. */
  list(): AsyncIterable<ListedBlob>;
  /** Removes what puts that were cut off by a crash left behind, where it is older than `olderThanMs`. Resolves with their number. */
  sweep(olderThanMs: number): Promise<number>;

  // A body that comes in pieces (resumable uploads). Only one of append, complete, concat and discard at a time works on one: the others
  // reject with BodyInUse and change nothing.

  /**
   * Begins a body (at 0), or goes on with it at `offset`, which must be how much is there: else rejects with OffsetMismatch. Resolves when
   * what was taken is durable, also when `body` breaks off. With `expected`, a stretch that is broken off or differs is dropped as
   * a whole; where it differs, rejects with DigestMismatch. After any rejection the offset is what it was.
   */
  append(key: string, offset: number, body: Readable | Uint8Array, expected?: StretchDigest): Promise<Appended>;
  /** How much of an unfinished body is there and durable; `undefined` where none was begun, or it is complete. */
  offsetOf(key: string): Promise<number | undefined>;
  /**
   * Makes an unfinished body a blob, as if it had been put. Said again it gives the same answer. Rejects with BlobMissing where none was
   * begun, with BlobExists where another blob has the key.
   */
  complete(key: string): Promise<BlobFacts>;
  /** Puts the unfinished bodies `parts`, one behind the other, under `key`; they stay as they are. Rejects as put does, or with BlobMissing. */
  concat(key: string, parts: readonly string[], signal?: AbortSignal): Promise<BlobFacts>;
  /** Drops an unfinished body. Resolves whether or not there was one; it is gone then, also after a power cut. */
  discard(key: string): Promise<void>;

  /** Resolves when something could be written durably just now. */
  check(): Promise<void>;
}

export class BlobExists extends Error {
  constructor(key: string) {
    super(`There is a blob ${key} already.`);
    this.name = 'BlobExists';
  }
}

export class BlobMissing extends Error {
  constructor(key: string) {
    super(`There is no blob ${key}.`);
    this.name = 'BlobMissing';
  }
}

export class OffsetMismatch extends Error {
  /** How much is there. */
  readonly offset: number;

  constructor(key: string, offset: number) {
    super(`Of ${key} there are ${offset} bytes.`);
    this.name = 'OffsetMismatch';
    this.offset = offset;
  }
}

export class DigestMismatch extends Error {
  constructor(key: string) {
    super(`What came for ${key} has another digest.`);
    this.name = 'DigestMismatch';
  }
}

export class BodyInUse extends Error {
  constructor(key: string) {
    super(`Another act works on ${key}.`);
    this.name = 'BodyInUse';
  }
}

const wellFormedKey = /^[a-z0-9_-]{1,100}$/;

export const isKey = (text: string): boolean => wellFormedKey.test(text);

/** Every adapter asks this first, so that no key is ever a way to somewhere else. */
export const checkKey = (key: string): void => {
  if (!isKey(key)) throw new Error(`${JSON.stringify(key.slice(0, 120))} is no key of a blob.`);
};
