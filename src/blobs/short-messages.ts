/** Short bodies to be put, as many as came meanwhile; the lists have one entry for each. */
export interface ShortPuts {
  readonly ids: readonly number[];
  /** Where each is written first, and the name that it gets. Its folder is there. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly sizes: readonly number[];
  /** All of them, one behind the other. */
  readonly bytes: Uint8Array;
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
  readonly failed: readonly { readonly id: number; readonly fault: ShortFault }[];
}
