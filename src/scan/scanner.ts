import type { Readable } from 'node:stream';

/** What a scanner found. `found` names it, as the scanner does. */
export type Verdict = { readonly isClean: true } | { readonly isClean: false; readonly found: string };

/** Looks for what does harm (viruses) in bytes that are about to be kept. */
export interface Scanner {
  /**
   * Resolves with what was found in the bytes; `open` is called only by a scanner that looks, and its stream is read to the end or destroyed.
   * Rejects with `Unavailable` when it cannot tell (then nothing is kept), with the error of the stream, or with the signal's reason.
   */
  scan(open: () => Promise<Readable>, signal?: AbortSignal): Promise<Verdict>;
  /** Resolves when it could scan just now. */
  check(): Promise<void>;
}
