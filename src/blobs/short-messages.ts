/**
 * Bodies go through memory that both threads have, in slots of this many bytes: sent in messages each would be new memory, for the collector
 * to find. It is as much as is touched; what finds no slot goes another way.
 */
export const slotBytes = 32 * 1024;
export const slots = 64;

/** A short body to be put; the slot is the put's until its end is told. They come in lists of as many as there are meanwhile. */
export interface ShortPutIn {
  readonly slot: number;
  readonly size: number;
  /** Where it is written first, and the name that it gets. Its folder is there. */
  readonly from: string;
  readonly to: string;
}

/** What a put failed with, as an error of the file system has it: an error itself would lose these on the way. */
export interface ShortFault {
  readonly message: string;
  readonly code?: string;
  readonly errno?: number;
}

/** How puts ended, in no order. */
export interface ShortEnds {
  /** Of those that are durable under their name. */
  readonly done: readonly number[];
  readonly failed: readonly { readonly slot: number; readonly fault: ShortFault }[];
}
